"""Signs that a run's scores do not mean what they seem to: one sentence each, what is seen and what to do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vrnn.model.particles import infer_particles
from vrnn.model.vrnn import VRNN
from vrnn.networks.condition import of_traces
from vrnn.objective.bounds import IWAE
from vrnn.objective.likelihoods import GaussianLikelihood
from vrnn.objective.w_schedules import WSchedule
from vrnn.objective.w_schedules.controllers import MovingW

Array = NDArray[np.float64]

LOOKED_AT = 8  # held-out traces: these signs are shares over all their steps
COLLAPSED = 1e-3  # nats per step: over a lap of 30 steps z then carries 1/20 of one binary choice
MEMORISED = 1.0  # nats per step and coordinate: what is predicted is off by as many factors of e
FEW_LAPS = 100  # a share of 1/2 then has a standard error of 0.05
OUTSIDE = 0.01  # share of the generated points: single ones are noise
MARGIN = 0.25  # of half the extent: what noise may add to the data that are looked at
AT_LIMIT = 0.05  # relative distance at which a deviation counts as being on its limit
MOST = 0.5  # share of the steps from which "sits on" is said
LONE = 1.5  # particles that survive, of four or more: below it mostly one of them makes the bound


def find_warnings(
    vrnn: VRNN,
    w_schedule: WSchedule,
    scores: dict[str, Any],
    x: Tensor,
    mask: Tensor,
    drawn: Array,
    seed: int,
    condition: Tensor | None = None,
) -> list[str]:
    """Return the warnings about a model and its scores, [] if there is nothing to warn about.

    Args:
        vrnn: The model.
        w_schedule: As training left it.
        scores: Of the model.
        x: (T, B, x_dim), held-out traces.
        mask: (T, B), False where there is no point.
        drawn: (n, T, x_dim), what the model generated.
        seed: Of the noise.
        condition: Of the held-out traces, as in `VRNN.infer`.
    """
    generator = torch.Generator(device=vrnn.device).manual_seed(seed)
    x, mask = x[:, :LOOKED_AT], mask[:, :LOOKED_AT]
    condition = of_traces(condition, slice(LOOKED_AT))
    return [
        *_collapse(vrnn, scores),
        *_memorised(scores, x.shape[-1]),
        *_binding_limit(w_schedule),
        *_deviations(vrnn, x, mask, generator, condition),
        *_generated_range(vrnn, x, mask, drawn),
        *_few_laps(scores),
        *_lone_particle(vrnn, scores, x, mask, generator, condition),
    ]


def _collapse(vrnn: VRNN, scores: dict[str, Any]) -> Iterator[str]:
    kl = scores["kl_nats_per_step"]
    if vrnn.latent.groups and kl is not None and kl < COLLAPSED:
        yield (
            f"The posterior has collapsed: the KL is {kl:.2g} nats per step, so z carries nothing. Try w_schedule=free_nats, a "
            "slower schedule, or likelihood.ceiling."
        )


def _memorised(scores: dict[str, Any], x_dim: int) -> Iterator[str]:
    train, held_out = (scores.get(name) for name in ("train_elbo_nats_per_step", "elbo_nats_per_step"))
    if train is not None and held_out is not None and train - held_out > MEMORISED * x_dim:
        yield (
            f"The model has memorised its training data: there the ELBO is {train:.4g} nats per step, on held-out sequences "
            f"{held_out:.4g}. Take the weights that were best on validation (evaluation.checkpoint=best; "
            "callbacks=early_stopping ends the training there), train for fewer steps, or choose a smaller model."
        )


def _binding_limit(w_schedule: WSchedule) -> Iterator[str]:
    if isinstance(w_schedule, MovingW) and float(w_schedule.w) in (w_schedule.w_min, w_schedule.w_max):
        name = "w_min" if float(w_schedule.w) == w_schedule.w_min else "w_max"
        yield (
            f"The weight of the KL has ended on its limit: w = {name} = {float(w_schedule.w):g}. The rule would have moved it "
            f"further: change w_schedule.{name} or the rule's target."
        )


@torch.no_grad()
def _deviations(
    vrnn: VRNN, x: Tensor, mask: Tensor, generator: torch.Generator, condition: Tensor | None
) -> Iterator[str]:
    """Compare the decoder's standard deviations with their limits; those of a mixture may exceed those of its parts."""
    likelihood = vrnn.likelihood
    floor = getattr(likelihood, "floor", None)
    ceiling = likelihood.ceiling if isinstance(likelihood, GaussianLikelihood) else None
    if floor is None:
        return
    run = vrnn.infer(x, mask=mask, generator=generator, condition=condition)
    deviations = vrnn.moments(run).std.expand_as(run.x)[mask if run.mask is None else run.mask]
    on_floor = float((deviations <= floor * (1 + AT_LIMIT)).double().mean())
    on_ceiling = float((deviations >= ceiling * (1 - AT_LIMIT)).double().mean()) if ceiling else 0.0
    for share, name, value in ((on_floor, "floor", floor), (on_ceiling, "ceiling", ceiling)):
        if share > MOST:
            yield (
                f"The decoder's sigma sits on its {name}, likelihood.{name} = {value:g}, at {share:.0%} of the points: the "
                f"ELBO is set by the {name}, and runs with another one cannot be compared."
            )


def _generated_range(vrnn: VRNN, x: Tensor, mask: Tensor, drawn: Array) -> Iterator[str]:
    if vrnn.likelihood.binary:  # 0 or 1, also where the traces looked at are never 1
        return
    given = x[mask]
    low, high = given.min(0).values.double().cpu().numpy(), given.max(0).values.double().cpu().numpy()
    middle, reach = (low + high) / 2, (high - low) / 2 * (1 + MARGIN)
    inside = (np.abs(drawn - middle) <= reach).all(axis=-1)  # False for NaN
    if (share := 1 - float(inside.mean())) > OUTSIDE:
        yield (
            f"Generated points leave the range of the data: {share:.1%} of them. The model has not learned to stay on the "
            "pattern: train longer, or lower likelihood.ceiling."
        )


def _few_laps(scores: dict[str, Any]) -> Iterator[str]:
    if "generated" in scores and (laps := scores["generated"]["laps"]) < FEW_LAPS:
        yield (
            f"The scores of laps are from {laps} generated laps, and fewer than {FEW_LAPS} say little: raise "
            "evaluation.traces or evaluation.steps."
        )


@torch.no_grad()
def _lone_particle(
    vrnn: VRNN,
    scores: dict[str, Any],
    x: Tensor,
    mask: Tensor,
    generator: torch.Generator,
    condition: Tensor | None,
) -> Iterator[str]:
    """Count the particles of IWAE that its final resampling leaves: about as many as the effective sample size."""
    particles = scores.get("particles") or 0
    if particles < 4 or not vrnn.latent.groups:
        return
    result = infer_particles(vrnn, x, IWAE(particles), mask=mask, generator=generator, condition=condition)
    survivors = result.ancestors[-1]
    left = float(np.mean([len(each.unique()) for each in survivors.T]))
    if left < LONE:
        yield (
            f"IWAE rests on {left:.1f} of its {particles} particles, the others weigh nothing: over whole traces it is hardly "
            "better than the ELBO. Compare runs by FIVO."
        )
