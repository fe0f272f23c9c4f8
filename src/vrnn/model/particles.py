"""Bounds on log p(x) by particles, and gaps filled in consistently with what comes after them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import repeat
from typing import Any

import torch
from torch import Tensor

from vrnn.engine import dispatch
from vrnn.model.inference import Inference, InferenceModel
from vrnn.networks.condition import of_steps, repeat_traces
from vrnn.networks.six_networks import SixNetworks
from vrnn.networks.state import State
from vrnn.objective import bounds
from vrnn.objective.bounds import FIVO, Bound, ParticleResult, trace_ancestors
from vrnn.objective.latents import CategoricalLatent, GaussianCategoricalLatent, Latent
from vrnn.objective.likelihoods import Likelihood
from vrnn.objective.masking import has_gaps

COPIES_AT_ONCE = 2**11  # copies of traces run side by side, so that the engine's working set stays in the cache
ROWS_AT_ONCE = 2**17  # steps times copies whose distributions are in memory at once
FILTERED_AT_ONCE = 2**20  # the same where particles are resampled: all steps in one call, some 3 KB for each


def traces_at_once(particles: int, steps: int) -> int:
    """Return how many traces of so many steps are run side by side: at least one, and as few as memory asks for."""
    return max(1, min(COPIES_AT_ONCE, FILTERED_AT_ONCE // max(1, steps)) // particles)


def log_evidence(
    model: InferenceModel,
    x: Tensor,
    bound: Bound,
    mask: Tensor | None = None,
    generator: torch.Generator | None = None,
    condition: Tensor | None = None,
) -> Tensor:
    """Return a lower bound on log p(x) of each trace, (B,), in nats per sequence.

    Args:
        model: The VRNN.
        x: (T, B, x_dim).
        bound: IWAE(K) or FIVO(K). Its log weights are sampled, the KL too. Without z all bounds are the log-likelihood itself.
        mask: (T, B), as in `infer`.
        generator: For the noise; None: torch's global generator.
        condition: As in `infer`.

    Raises:
        ValueError: The loss is no bound, since the coordinates are predictive.
    """
    return torch.cat([part.bound for part in _in_parts(model, x, bound, mask, generator, condition)])


@torch.no_grad()
def log_evidence_per_step(
    model: InferenceModel,
    x: Tensor,
    particles: int,
    mask: Tensor | None = None,
    generator: torch.Generator | None = None,
    condition: Tensor | None = None,
) -> Tensor:
    """Return an estimate of log p(x_t | x_<t) at each step, (T, B), in nats, by a particle filter.

    It is what a step adds to FIVO (Maddison et al. 2017), so the sum over the steps is that lower bound on log p(x). A single
    term is no bound. Missing points add 0.

    Args:
        model: The VRNN.
        x: (T, B, x_dim).
        particles: How many, >= 1.
        mask: (T, B), as in `infer`.
        generator: For the noise; None: torch's global generator.
        condition: As in `infer`.

    Raises:
        ValueError: The loss is no bound, since the coordinates are predictive.
    """
    parts = _in_parts(model, x, FIVO(particles), mask, generator, condition)
    return torch.cat([part.running.diff(dim=0, prepend=torch.zeros_like(part.running[:1])) for part in parts], dim=1)


def _in_parts(
    model: InferenceModel,
    x: Tensor,
    bound: Bound,
    mask: Tensor | None,
    generator: torch.Generator | None,
    condition: Tensor | None,
) -> Iterator[ParticleResult[State]]:
    """Run the particles of a few traces after the other."""
    traces = traces_at_once(bound.particles, len(x))
    none = repeat(None)
    masks = none if mask is None else mask.split(traces, dim=1)
    conditions = none if condition is None else condition.split(traces, dim=0 if condition.dim() == 1 else 1)
    for part, part_mask, part_condition in zip(x.split(traces, dim=1), masks, conditions, strict=False):
        yield infer_particles(model, part, bound, mask=part_mask, generator=generator, condition=part_condition)


def infer_particles(
    model: InferenceModel,
    x: Tensor,
    bound: Bound,
    *,
    mask: Tensor | None = None,
    state: State | None = None,
    fill: bool | None = None,
    w: Tensor | float = 1.0,
    generator: torch.Generator | None = None,
    condition: Tensor | None = None,
    keep: Callable[[Inference, Tensor], Any] | None = None,
) -> ParticleResult[State]:
    """Run K copies of each trace through the model: see `vrnn.objective.bounds.run_particles`.

    Args:
        model: The VRNN.
        x: (T, B, x_dim).
        bound: Which bound, of K particles.
        mask: (T, B), as in `infer`.
        state: Of K * B traces; None: before the first point.
        fill: As in `infer`.
        w: Weight of log p(z) - log q(z).
        generator: For the noise; None: torch's global generator.
        condition: As in `infer`, of the B traces.
        keep: What to keep in `outputs` of each window's inference (t, K * B, …), before particles are resampled, and of its
            log p(x | z), (t, K * B). None: nothing.

    Raises:
        ValueError: The loss is no bound, since the coordinates are predictive.
    """
    check_bound(model)
    steps, batch = x.shape[:2]
    K = bound.particles
    mask = None if mask is None or mask.all() else mask
    fill = fill or (fill is None and mask is not None and has_gaps(mask))

    state = state or model.initial_state(K * batch)
    if bound.resample_below and not fill and points_agree(state, K):
        return _filter(model, x, bound, mask, state, w, generator, condition, keep)
    if bound.resample_below:
        dispatch.log_once(
            "Particles that fill in missing points run step by step, which is slow: each one's points are its own."
        )
    conditions = repeat_traces(condition, K)
    summary = model.summarise(x, mask, condition)
    summaries = None if summary is None else summary.repeat(1, K, 1)

    def step_fn(begin: int, end: int, state: State) -> tuple[Tensor, State, Any]:
        part = None if mask is None else mask[begin:end].repeat(1, K)
        given = of_steps(conditions, begin, end)
        seen = None if summaries is None else summaries[begin:end]
        copies = x[begin:end].repeat(1, K, 1)
        run = model.infer(copies, state, part, generator, fill, condition=given, summary=seen)
        log_x = model.log_prob(run)
        log_p, log_q = (model.latent.log_prob(dist, run.z) for dist in (run.p, run.q))
        gained = bounds.increments(log_x, log_p, log_q, run.mask, w).unflatten(1, (K, batch))
        return gained, run.state, keep(run, log_x) if keep else None

    window = 1 if bound.resample_below else max(1, ROWS_AT_ONCE // (K * batch))
    return bounds.run_particles(step_fn, state, steps, bound, window, generator)


def _filter(
    model: InferenceModel,
    x: Tensor,
    bound: Bound,
    mask: Tensor | None,
    state: State,
    w: Tensor | float,
    generator: torch.Generator | None,
    condition: Tensor | None,
    keep: Callable[[Inference, Tensor], Any] | None,
) -> ParticleResult[State]:
    """Resample the particles after every step within one call of the engine."""
    run, found = model.filter(x, bound, state, mask, generator, float(w), condition)
    log_x = model.log_prob(run)
    log_p, log_q = (model.latent.log_prob(dist, run.z) for dist in (run.p, run.q))
    gained = bounds.increments(log_x, log_p, log_q, run.mask, w).unflatten(1, (bound.particles, -1))
    running = bounds.running_bound(found.log_weights, found.due)
    if run.first is not None:  # the engine left first points out, which weigh the same for all particles
        running = running + run.first.is_start[: x.shape[1]] * gained[0, 0].detach()
    return ParticleResult(
        bound=bounds.filtered_bound(gained, found.due),
        state=run.state,
        ancestors=found.ancestors,
        running=running,
        outputs=[keep(run, log_x) if keep else None],
    )


def points_agree(state: State, particles: int) -> bool:
    """Return whether all particles of each trace have seen the same last points.

    Args:
        state: Of K * B traces: all first particles, then all second ones, …
        particles: K.
    """
    parts = (part.unflatten(0, (particles, -1)) for part in (state.previous, state.previous2, state.is_start))
    return all(torch.equal(part, part[:1].expand_as(part)) for part in parts)


@torch.no_grad()
def impute(
    model: InferenceModel,
    x: Tensor,
    mask: Tensor,
    particles: int,
    generator: torch.Generator | None = None,
    condition: Tensor | None = None,
) -> Tensor:
    """Return x with its missing points drawn given all observed ones, after the gap as well as before it.

    Particles cross a gap by the model alone; the likelihood of the points after it selects those that arrive where the trace
    continues (a particle filter; Gordon et al. 1993). One particle that is left at the end is returned.

    Args:
        model: The VRNN.
        x: (T, B, x_dim).
        mask: (T, B), False where a point is missing.
        particles: K.
        generator: For the noise; None: torch's global generator.
        condition: As in `infer`.
    """
    result = infer_particles(
        model,
        x,
        FIVO(particles),
        mask=mask,
        fill=True,
        generator=generator,
        condition=condition,
        keep=lambda run, _: run.filled,
    )
    chosen = torch.randint(particles, x.shape[1:2], device=x.device, generator=generator)
    line = trace_ancestors(result.ancestors, chosen)[:, None, :, None].expand(-1, 1, -1, x.shape[2])
    return torch.cat(result.outputs).unflatten(1, (particles, -1)).gather(1, line).squeeze(1)


def check_bound(networks: SixNetworks) -> None:
    """Refuse a model that has no bound on log p(x).

    Raises:
        ValueError: The coordinates are predictive.
    """
    if networks.coordinates.predicts == "next":
        raise ValueError(
            "frame.predicts=next has no bound on log p(x), since its posterior has not seen the predicted point: "
            "choose frame.predicts=this, or bound=elbo and evaluation.particles=null."
        )


def check_trainable(networks: SixNetworks) -> None:
    """Refuse a model that cannot be trained on a bound of several particles.

    Raises:
        ValueError: Predictive coordinates, a likelihood that trains on something else than log p(x | z), or soft samples of z.
    """
    check_bound(networks)
    likelihood = type(networks.likelihood)
    if likelihood.nats_per_distortion is not Likelihood.nats_per_distortion:
        raise ValueError(
            f"A bound by particles needs a likelihood that trains on log p(x | z), but {likelihood.__name__} trains on "
            "something else: choose another likelihood, or bound=elbo."
        )
    if samples_softly(networks.latent):
        raise ValueError(
            "A bound by particles needs samples of z that have a probability, but latent.estimator=gumbel_softmax trains on "
            "soft ones: choose straight_through, or bound=elbo."
        )


def check_wake(networks: SixNetworks) -> None:
    """Refuse a model that cannot be trained on the wake loss.

    Raises:
        ValueError: A likelihood that trains on something else than log p(x | z), or soft draws of z.
    """
    likelihood = type(networks.likelihood)
    if likelihood.nats_per_distortion is not Likelihood.nats_per_distortion or networks.likelihood.follows_batches:
        raise ValueError(
            f"w_schedule=wake needs log p(x | z) of each step, but {likelihood.__name__} trains on something else: "
            "choose another likelihood, or another w_schedule."
        )
    if samples_softly(networks.latent):
        raise ValueError(
            "w_schedule=wake weighs draws of z, and those of latent.estimator=gumbel_softmax are soft: choose exact or "
            "straight_through."
        )


def samples_softly(latent: Latent) -> bool:
    """Return whether samples in training mode are softened, so that they have no log-probability."""
    categorical = latent.categorical if isinstance(latent, GaussianCategoricalLatent) else latent
    return isinstance(categorical, CategoricalLatent) and categorical.estimator == "gumbel_softmax"
