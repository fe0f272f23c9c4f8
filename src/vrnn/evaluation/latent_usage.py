"""Where a model uses its latent variables: their KL along held-out traces, their prior along given points."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vrnn.data.loader import TraceSet
from vrnn.model.vrnn import VRNN


@torch.no_grad()
def held_out_kl(vrnn: VRNN, held_out: TraceSet, seed: int) -> tuple[Tensor, Tensor]:
    """Return the KL of each step in nats, (T, B, groups), and whether its point is observed, (T, B)."""
    generator = torch.Generator(device=vrnn.device).manual_seed(seed)
    mask = held_out.mask.to(vrnn.device)
    run = vrnn.infer(held_out.x.to(vrnn.device), mask=mask, generator=generator)
    return vrnn.latent.kl(run.q, run.p), mask if run.mask is None else run.mask


@torch.no_grad()
def prior_along(vrnn: VRNN, points: NDArray[np.float64], seed: int) -> tuple[Tensor, ...]:
    """Return the prior p(z_t | h_{t-1}) along points (T, x_dim), a distribution of parts (T, 1, …).

    h is what inference makes of the points, with noise from the seed.
    """
    generator = torch.Generator(device=vrnn.device).manual_seed(seed)
    dtype = next(vrnn.parameters()).dtype
    x = torch.as_tensor(points, dtype=dtype, device=vrnn.device).unsqueeze(1)
    return vrnn.infer(x, generator=generator).p
