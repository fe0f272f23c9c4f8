"""Where along a trace a model uses its latent variables: their KL at each step, and their prior."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vrnn.data.loader import TraceSet
from vrnn.model.inference import Inference
from vrnn.model.vrnn import VRNN


@torch.no_grad()
def infer_held_out(vrnn: VRNN, held_out: TraceSet, seed: int) -> tuple[Inference, Tensor]:
    """Run the networks over held-out traces.

    Args:
        vrnn: The model.
        held_out: The traces.
        seed: Of the noise.

    Returns:
        The inference, and whether each step's point is observed, (T, B).
    """
    generator = torch.Generator(device=vrnn.device).manual_seed(seed)
    mask = held_out.mask.to(vrnn.device)
    condition = None if held_out.condition is None else held_out.condition.to(vrnn.device)
    run = vrnn.infer(held_out.x.to(vrnn.device), mask=mask, generator=generator, condition=condition)
    return run, mask if run.mask is None else run.mask


@torch.no_grad()
def prior_along(
    vrnn: VRNN, points: NDArray[np.float64], seed: int, condition: Tensor | None = None
) -> tuple[Tensor, ...]:
    """Return the prior p(z_t | h_{t-1}) along one trace, with the states h that inference finds for it.

    Args:
        vrnn: The model.
        points: (T, x_dim), the trace.
        seed: Of the noise.
        condition: Of the trace, as in `VRNN.infer`.

    Returns:
        The parameters of the distributions over z, a tuple of tensors (T, 1, …).
    """
    generator = torch.Generator(device=vrnn.device).manual_seed(seed)
    dtype = next(vrnn.parameters()).dtype
    x = torch.as_tensor(points, dtype=dtype, device=vrnn.device).unsqueeze(1)
    return vrnn.infer(x, generator=generator, condition=condition).p
