"""Where a model's latent variables work: their KL along held-out traces, their prior along a generated one."""

from __future__ import annotations

import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import Tensor

from vrnn import plots
from vrnn.data.windows import TraceSet
from vrnn.networks.vrnn import VRNN

STEPS = 300  # how much of a trace the figure shows
VARIABLES = 4  # of a categorical latent, how many it shows at most


@torch.no_grad()
def held_out_kl(vrnn: VRNN, held_out: TraceSet, seed: int) -> tuple[Tensor, Tensor]:
    """Return the KL (T, B, groups) of each step in nats, and where it is one of an observed point, (T, B)."""
    generator = torch.Generator(device=vrnn.device).manual_seed(seed)
    mask = held_out.mask.to(vrnn.device)
    run = vrnn.infer(held_out.x.to(vrnn.device), mask=mask, generator=generator)
    return vrnn.latent.kl(run.q, run.p), mask if run.mask is None else run.mask


@torch.no_grad()
def latent_figure(
    vrnn: VRNN, kl: Tensor, marks: plots.Marks, drawn: NDArray[np.float64], drawn_marks: plots.Marks, seed: int
) -> Figure:
    """Draw the KL (T, groups) of a held-out trace above the prior p(z_t | h_{t-1}) along a generated one, drawn (T, x_dim).

    h along the generated trace is what inference makes of its points. marks, drawn_marks: the laps that begin, by name.
    """
    generator = torch.Generator(device=vrnn.device).manual_seed(seed)
    x = torch.as_tensor(drawn[:STEPS], dtype=kl.dtype, device=vrnn.device).unsqueeze(1)
    prior = vrnn.infer(x, generator=generator).p
    return plots.latent_figure(kl[:STEPS].sum(-1).double().cpu().numpy(), marks, spreads(prior), drawn_marks)


def spreads(prior: tuple[Tensor, ...]) -> list[plots.Spread]:
    """Return how wide a prior, parts (T, 1, …), is: a Gaussian's standard deviations, categorical variables' probabilities."""
    found = []
    if (std := getattr(prior, "std", None)) is not None:
        found.append(plots.Spread("the prior's standard deviations", std[:, 0].double().cpu().numpy()))
    if (log_probs := getattr(prior, "log_probs", None)) is not None:
        probs = log_probs[:, 0, :VARIABLES].exp().double().cpu().numpy()
        title = "the prior's class probabilities"
        found += [
            plots.Spread(f"{title}, variable {i}" if i else title, probs[:, i], stacked=True)
            for i in range(probs.shape[1])
        ]
    return found
