"""How well a model predicts traces it has never seen: the bound and its parts."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from vrnn.model.particles import log_evidence
from vrnn.objective.bounds import FIVO, IWAE
from vrnn.objective.reduction import mean_per_step

if TYPE_CHECKING:
    from vrnn.model.vrnn import VRNN

Scores = dict[str, float | int | None]

ACTIVE_NATS = 0.01  # a latent dimension whose KL exceeds this, in nats per step, counts as active


@torch.no_grad()
def held_out_scores(vrnn: VRNN, x: Tensor, mask: Tensor, generator: torch.Generator) -> Scores:
    """Return the ELBO, the log-likelihood log p(x | z) and the KL on traces x (T, B, x_dim), mask (T, B).

    In nats per step and, summed over a trace, per sequence, each with its standard error over traces (None for one trace);
    `active_dims`: latent dimensions with more than 0.01 nats per step; `reconstruction_rmse`: root mean square distance of a
    point from the decoder's mean, z drawn from the posterior, a coordinate, in units of x. One sample of z a step, from
    `generator`.
    """
    run = vrnn.infer(x, mask=mask, generator=generator)
    mask = mask if run.mask is None else run.mask
    kl_dims = vrnn.latent.kl(run.q, run.p).masked_fill(~mask.unsqueeze(-1), 0.0)
    log_likelihood = torch.where(mask, vrnn.likelihood.log_prob(run.decoder, run.x), 0.0).sum(0).double()
    kl = kl_dims.sum((0, 2)).double()
    steps = mask.sum(0)
    scores: Scores = {}
    for name, total in (("elbo", log_likelihood - kl), ("kl", kl), ("log_likelihood", log_likelihood)):
        scores |= in_nats(name, total, steps)
    scores["active_dims"] = int((kl_dims.sum((0, 1)) / steps.sum() > ACTIVE_NATS).sum())
    error = (run.x - vrnn.likelihood.moments(run.decoder).mean).square().mean(-1)
    scores["reconstruction_rmse"] = float(mean_per_step(error, mask).sqrt())
    return scores


@torch.no_grad()
def particle_scores(vrnn: VRNN, x: Tensor, mask: Tensor, particles: int, generator: torch.Generator) -> Scores:
    """Return `particles` and the bounds `iwae` and `fivo` on log p(x) by so many, on traces x (T, B, x_dim), mask (T, B).

    In nats per step and per sequence, each with its standard error over traces.

    Raises:
        ValueError: particles < 1, or a VRNN whose frame predicts the next point.
    """
    scores: Scores = {"particles": particles}
    for name, bound in (("iwae", IWAE(particles)), ("fivo", FIVO(particles))):
        scores |= in_nats(name, log_evidence(vrnn, x, bound, mask, generator), mask.sum(0))
    return scores


def in_nats(name: str, total: Tensor, steps: Tensor) -> Scores:
    """Return a figure of each trace, (B,) in nats, per step and per sequence, with standard errors. steps: (B,) observed."""
    a_step, error = ratio(total, steps)
    return {
        f"{name}_nats_per_step": a_step,
        f"{name}_nats_per_step_se": error,
        f"{name}_nats_per_sequence": float(total.mean()),
        f"{name}_nats_per_sequence_se": standard_error(total),
    }


def ratio(part: Tensor, whole: Tensor) -> tuple[float | None, float | None]:
    """Return sum(part) / sum(whole) over independent traces (n,), None for 0 / 0, and its standard error (linearised)."""
    if not whole.sum() > 0:
        return None, None
    value = part.double().sum() / whole.sum()
    return float(value), standard_error((part - value * whole) / whole.double().mean())


def standard_error(values: Tensor) -> float | None:
    """Standard error of the mean of independent values (n,)."""
    return float(values.std()) / math.sqrt(len(values)) if len(values) > 1 else None
