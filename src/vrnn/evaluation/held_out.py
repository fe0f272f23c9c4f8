"""How well a model predicts held-out traces: the bound on log p(x) and its parts."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from vrnn.model.particles import log_evidence, traces_at_once
from vrnn.networks.condition import of_steps, of_traces
from vrnn.objective.bounds import FIVO, IWAE
from vrnn.objective.reduction import mean_per_step

if TYPE_CHECKING:
    from vrnn.model.vrnn import VRNN

Scores = dict[str, Any]

ACTIVE_NATS = 0.01  # per step: a latent dimension with a larger mean KL counts as active


@torch.no_grad()
def held_out_scores(
    vrnn: VRNN,
    x: Tensor,
    mask: Tensor,
    generator: torch.Generator,
    condition: Tensor | None = None,
    classes: Mapping[str, list[int]] | None = None,
) -> Scores:
    """Return the ELBO and its parts on held-out traces, from one sample of z per step.

    Args:
        vrnn: The model.
        x: (T, B, x_dim), the traces.
        mask: (T, B), False where there is no point.
        generator: The source of the noise.
        condition: As in `VRNN.infer`.
        classes: The indices of the traces of each class, by its label; None where traces have no classes.

    Returns:
        For `elbo`, `log_likelihood` (log p(x | z)) and `kl` (KL(q‖p)), with ELBO = log-likelihood - KL: the mean in nats per
        step and in nats per sequence, and its standard error over traces (None for one trace), see `in_nats`.
        `classes`: the same of the traces of each class, by its label, with their number, `held_out_traces`.
        `active_dims`: the number of latent dimensions with a KL of more than 0.01 nats per step.
        `reconstruction_rmse`: root mean square of x minus the decoder's mean, over steps and coordinates, in the units of x,
        with z from the posterior.
    """
    run = vrnn.infer(x, mask=mask, generator=generator, condition=condition)
    mask = mask if run.mask is None else run.mask
    kl_dims = vrnn.latent.kl(run.q, run.p).masked_fill(~mask.unsqueeze(-1), 0.0)
    log_likelihood = torch.where(mask, vrnn.log_prob(run), 0.0).sum(0).double()
    kl = kl_dims.sum((0, 2)).double()
    steps = mask.sum(0)
    totals = {"elbo": log_likelihood - kl, "kl": kl, "log_likelihood": log_likelihood}
    scores = _all_in_nats(totals, steps)
    scores["active_dims"] = int((kl_dims.sum((0, 1)) / steps.sum() > ACTIVE_NATS).sum())
    error = (run.x - vrnn.moments(run).mean).square().mean(-1)
    scores["reconstruction_rmse"] = float(mean_per_step(error, mask).sqrt())
    if classes is not None:
        scores["classes"] = {
            label: {"held_out_traces": len(own)}
            | _all_in_nats({name: total[own] for name, total in totals.items()}, steps[own])
            for label, own in classes.items()
        }
    return scores


@torch.no_grad()
def particle_scores(
    vrnn: VRNN,
    x: Tensor,
    mask: Tensor,
    particles: int,
    generator: torch.Generator,
    condition: Tensor | None = None,
) -> Scores:
    """Return tighter lower bounds on log p(x) of held-out traces, by particles: IWAE and FIVO.

    Traces of similar lengths are run together, and only as far as they reach: of music, the longest piece has ten times the
    steps of most. Fewer traces are run together where they are long, so that memory is bounded whatever their number.

    Args:
        vrnn: The model.
        x: (T, B, x_dim), the traces.
        mask: (T, B), False where there is no point.
        particles: How many, >= 1.
        generator: The source of the noise.
        condition: As in `VRNN.infer`.

    Returns:
        `particles`; and for `iwae` and `fivo` the mean in nats per step and in nats per sequence, and its standard error over
        traces, see `in_nats`.

    Raises:
        ValueError: particles < 1, or the VRNN's coordinates predict the next point.
    """
    scores: Scores = {"particles": particles}
    for name, bound in (("iwae", IWAE(particles)), ("fivo", FIVO(particles))):
        total = torch.zeros(x.shape[1], dtype=torch.float64, device=x.device)
        for some, steps in _by_length(mask, particles):
            own = of_traces(of_steps(condition, 0, steps), some)
            total[some] = log_evidence(vrnn, x[:steps, some], bound, mask[:steps, some], generator, own)
        scores |= in_nats(name, total, mask.sum(0))
    return scores


def _by_length(mask: Tensor, particles: int) -> Iterator[tuple[Tensor, int]]:
    """Yield the indices of some traces at a time, the longest first, and the steps up to the last observed one of these.

    Args:
        mask: (T, B), False where there is no point.
        particles: Copies of each trace, which say how many traces fit.
    """
    lengths = (mask * torch.arange(1, len(mask) + 1, device=mask.device)[:, None]).amax(0)
    order = lengths.argsort(descending=True, stable=True)
    while len(order):
        steps = int(lengths[order[0]])
        n = traces_at_once(particles, steps)
        yield order[:n], steps
        order = order[n:]


def _all_in_nats(totals: Mapping[str, Tensor], steps: Tensor) -> Scores:
    """Return `in_nats` of several quantities."""
    scores: Scores = {}
    for name, total in totals.items():
        scores |= in_nats(name, total, steps)
    return scores


def in_nats(name: str, total: Tensor, steps: Tensor) -> Scores:
    """Return the means of a quantity in nats per step and in nats per sequence, with standard errors over traces.

    Args:
        name: The quantity's name.
        total: (B,), its sum over each trace, in nats.
        steps: (B,), the observed steps of each trace.

    Returns:
        <name>_nats_per_step = sum(total) / sum(steps); <name>_nats_per_sequence = sum(total) / B; and <key>_se, the standard
        error of each.
    """
    per_step, error = ratio(total, steps)
    return {
        f"{name}_nats_per_step": per_step,
        f"{name}_nats_per_step_se": error,
        f"{name}_nats_per_sequence": float(total.mean()),
        f"{name}_nats_per_sequence_se": standard_error(total),
    }


def ratio(part: Tensor, whole: Tensor) -> tuple[float | None, float | None]:
    """Return sum(part) / sum(whole) over independent traces, and its standard error; None where it is 0 / 0.

    The standard error is that of the linearised ratio (delta method): of the mean of (part - ratio * whole) / mean(whole).

    Args:
        part: (n,), of each trace.
        whole: (n,), of each trace.
    """
    if not whole.sum() > 0:
        return None, None
    value = part.double().sum() / whole.sum()
    return float(value), standard_error((part - value * whole) / whole.double().mean())


def standard_error(values: Tensor) -> float | None:
    """Return the standard error of the mean of independent values (n,), None for a single value."""
    return float(values.std()) / math.sqrt(len(values)) if len(values) > 1 else None
