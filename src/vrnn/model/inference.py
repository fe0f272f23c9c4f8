"""Inference: the posterior, the prior and the decoder along observed points."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor
from torch.nn.functional import linear

from vrnn.checks import require
from vrnn.engine import dispatch
from vrnn.engine.dispatch import ENGINES, EngineName
from vrnn.engine.interface import Filtered, Noise, Unrolled, Weighing
from vrnn.model.summary import summarise
from vrnn.networks.condition import beside
from vrnn.networks.six_networks import SixNetworks
from vrnn.networks.state import State
from vrnn.objective.bounds import Bound
from vrnn.objective.distributions import Gaussian
from vrnn.objective.latents import rebuild, where
from vrnn.objective.masking import has_gaps, where_observed
from vrnn.objective.wake import WakeTerms, sampled_wake_terms, summed_wake_terms
from vrnn.threads import map_over_batch


class First(NamedTuple):
    """What a model with a distribution of first points says of the first of T points.

    Attributes:
        is_start: Whether it is its trace's first, (B,).
        log_prob: log p(x_0), (B,) in nats.
        moments: See `Beginning.moments`, (B, x_dim) each.
    """

    is_start: Tensor
    log_prob: Tensor
    moments: Gaussian


class Inference(NamedTuple):
    """The result of inference along T steps of B traces.

    Attributes:
        q: Posterior of z_t, a distribution of parts (T, B, …).
        p: Prior of z_t, likewise.
        decoder: The likelihood's distribution given z_t and h_{t-1}, parts (T, B, …).
        z: The sample of q, (T, B, z_dim).
        h: h_{t-1}, (T, B, h_dim).
        mean_offset: What the decoder's means are relative to, (T, B, x_dim).
        x: The points that `decoder` is the distribution of, (T, B, x_dim): x_t, or x_{t+1} with predictive coordinates, and 0
            where there is none.
        mask: (T, B), False where `x` holds no point; None if it holds one everywhere.
        filled: The points as the networks saw them, observed or drawn from the model, (T, B, x_dim).
        state: After the last step.
        context: What all six networks saw in addition, (T, B, c_dim); None without a condition.
        first: None without a distribution of first points. With one, `decoder` is not that of a trace's first point:
            `InferenceModel.log_prob` and `moments` are.
    """

    q: tuple[Tensor, ...]
    p: tuple[Tensor, ...]
    decoder: tuple[Tensor, ...]
    z: Tensor
    h: Tensor
    mean_offset: Tensor
    x: Tensor
    mask: Tensor | None
    filled: Tensor
    state: State
    context: Tensor | None = None
    first: First | None = None


PER_STEP = ("q", "p", "decoder", "z", "h", "mean_offset", "x", "filled")  # fields of an Inference with a time axis


class InferenceModel(SixNetworks):
    """The six networks, run over time along observed points.

    Args:
        x_dim: Numbers per point.
        engine: "native" runs in compiled kernels, "reference" in plain torch operators, "auto" in the fastest that supports the
            model. All give the same numbers up to rounding.
        networks: All other arguments of `SixNetworks`.

    Raises:
        ValueError: An unknown engine, or what `SixNetworks` refuses.
    """

    def __init__(self, x_dim: int = 2, *, engine: EngineName = "auto", **networks: Any):
        super().__init__(x_dim, **networks)
        if engine not in ENGINES:
            raise ValueError(f"engine must be one of {', '.join(ENGINES)}, but is {engine!r}.")
        self.engine: EngineName = engine

    def infer(
        self,
        x: Tensor,
        state: State | None = None,
        mask: Tensor | None = None,
        generator: torch.Generator | None = None,
        fill: bool | None = None,
        seen: Tensor | None = None,
        condition: Tensor | None = None,
        summary: Tensor | None = None,
    ) -> Inference:
        """Run the networks along observed points, z drawn from the posterior.

        Args:
            x: (T, B, x_dim), in any precision: the weights' is computed in.
            state: Where to start from; None: before the first point.
            mask: (T, B), False where x holds no point. The values there are never read.
            generator: For the noise; None: torch's global generator.
            fill: Whether missing points are replaced by the model's own: z from the prior, x from the decoder, q = p, so that
                they cost no KL. None: only where an observed point follows, since what comes after a trace's last observed
                point is taken for padding. Use True if the trace continues in a later call.
            seen: The points as phi_x sees them, (T, B, x_dim), where no missing points are filled; None: x.
            condition: Each trace's label, (B,) int, or its exogenous series, (T, B, c); for a model that was made with a
                condition.
            summary: What `summarise` returns of a longer sequence, at these steps; None: a recurrent posterior sees no points
                but x.

        Raises:
            ValueError: x is not (T, B, x_dim) with T >= 1, the mask is not (T, B), there are gaps and the coordinates are
                predictive, missing points are filled and there is `seen`, or the condition is missing or of another kind.
        """
        if x.dim() != 3 or x.shape[-1] != self.x_dim or not len(x):
            raise ValueError(f"x must have shape (T >= 1, B, x_dim = {self.x_dim}), but has {tuple(x.shape)}.")
        if mask is not None and mask.shape != x.shape[:2]:
            raise ValueError(f"mask must have shape (T, B) = {tuple(x.shape[:2])}, but has {tuple(mask.shape)}.")
        mask = None if mask is None or mask.all() else mask
        state = state or self.initial_state(x.shape[1])
        x = where_observed(x.to(state.memory.dtype), mask)
        context = self.condition(condition, *x.shape[:2])
        if mask is not None and (fill or (fill is None and has_gaps(mask))):
            self.coordinates.check_gaps()
            require(seen is None, "seen", "None where missing points are filled", "given")
            noise = Noise.draw(len(x), x.shape[1], self.latent, self.x_dim, like=x, generator=generator)
            summary = self._summary(x, mask, context) if summary is None else summary
            x, known = self._with_first_points(x, mask, state, generator)
            run, x = dispatch.fill(self, self.engine, x, known, noise, state, context, summary)
            previous, previous2 = state.history(x)
        else:
            previous, previous2 = state.history(x)
            seen = x if seen is None else where_observed(seen, mask)
            features = self.coordinates.features(seen, previous if seen is x else state.history(seen)[0])
            summary = self._summary(seen, mask, context) if summary is None else summary
            z_noise = self.latent.noise(*x.shape[:2], like=x, generator=generator)
            run = dispatch.unroll(self, self.engine, features, z_noise, state.memory, context, summary)
        return self._inference(run, x, state, self.coordinates.mean_offset(previous, previous2), mask, context)

    def summarise(self, x: Tensor, mask: Tensor | None = None, condition: Tensor | None = None) -> Tensor | None:
        """Return what a recurrent posterior knows at each step of all points, (T, B, posterior.dim); None with a filtering one.

        Args:
            x: (T, B, x_dim).
            mask: As in `infer`.
            condition: As in `infer`.
        """
        if not self.posterior.dim:
            return None
        x = where_observed(x.to(self._like.dtype), mask)
        return self._summary(x, mask, self.condition(condition, *x.shape[:2]))

    def _summary(self, x: Tensor, mask: Tensor | None, context: Tensor | None) -> Tensor | None:
        return summarise(self, self.engine, x, mask, context)

    def filter(
        self,
        x: Tensor,
        bound: Bound,
        state: State,
        mask: Tensor | None = None,
        generator: torch.Generator | None = None,
        w: float = 1.0,
        condition: Tensor | None = None,
    ) -> tuple[Inference, Filtered]:
        """Run K particles of each trace along observed points, resampled after every step.

        Args:
            x: (T, B, x_dim).
            bound: Of K particles, and where they are resampled.
            state: Of K * B traces, with the same last points for all particles of a trace.
            mask: (T, B), False where x holds no point. The values there are never read.
            generator: For the noise, then for resampling; None: torch's global generator.
            w: Weight of log p(z) - log q(z).
            condition: As in `infer`.

        Returns:
            The inference of all K * B particles, and how they were weighed and resampled.
        """
        K, (steps, batch) = bound.particles, x.shape[:2]
        x = where_observed(x.to(state.memory.dtype), mask)
        shared = State(*(part[:batch] for part in state))
        previous, previous2 = shared.history(x)
        weighed = mask
        if self.beginning is not None:  # a first point weighs the same for all particles
            others = ~first_rows(shared.is_start, steps)
            weighed = others if mask is None else mask & others
        noise = self.latent.noise(steps, K * batch, like=x, generator=generator)
        weighing = Weighing(
            x=x,
            offset=self.coordinates.mean_offset(previous, previous2),
            mask=weighed,
            uniform=torch.rand(steps, batch, dtype=torch.float64, device=x.device, generator=generator),
            particles=K,
            resample_below=bound.resample_below,
            w=w,
        )
        context = self.condition(condition, steps, batch)
        features = self.coordinates.features(x, previous)
        summary = self._summary(x, mask, context)
        found = dispatch.filter_particles(self, self.engine, features, noise, state.memory, weighing, context, summary)
        copies, offset = (part.repeat(1, K, 1) for part in (x, weighing.offset))
        masks = None if mask is None else mask.repeat(1, K)
        contexts = None if context is None else context.repeat(1, K, 1)
        return self._inference(found.run, copies, state, offset, masks, contexts), found

    def _inference(
        self,
        run: Unrolled,
        x: Tensor,
        state: State,
        mean_offset: Tensor,
        mask: Tensor | None,
        context: Tensor | None,
    ) -> Inference:
        """Return what an engine's run along the points x after `state` amounts to."""
        target, known = self.coordinates.target(x, mask)
        first, p = None, run.p
        if self.beginning is not None:
            first = First(state.is_start, self.beginning.log_prob(x[0]), self.beginning.moments(x[0]))
            p = where(first_rows(state.is_start, len(x)), run.q, run.p)
        return Inference(
            q=run.q,
            p=p,
            decoder=self.likelihood.from_raw(run.raw, mean_offset, self.coordinates.scale),
            z=run.z,
            h=run.h,
            mean_offset=mean_offset,
            x=target,
            mask=known,
            filled=x,
            state=state.after(x, run.memory),
            context=context,
            first=first,
        )

    def _with_first_points(
        self, x: Tensor, mask: Tensor, state: State, generator: torch.Generator | None
    ) -> tuple[Tensor, Tensor]:
        """Return the points with the missing first ones drawn, and the mask with them observed."""
        if self.beginning is None:
            return x, mask
        missing = first_rows(state.is_start, len(x)) & ~mask
        drawn = self.beginning.sample(x.shape[1], generator)
        return torch.where(missing.unsqueeze(-1), drawn, x), mask | missing

    def log_prob(self, run: Inference) -> Tensor:
        """Return log p(x_t | z_t, h_{t-1}) in nats at each step of an inference, (T, B)."""
        return with_first_log_prob(self.likelihood.log_prob(run.decoder, run.x), run.first)

    def moments(self, run: Inference) -> Gaussian:
        """Return mean and standard deviation of each point given z and the points before, (T, B, x_dim) each."""
        moments = self.likelihood.moments(run.decoder)
        if run.first is None:
            return moments
        pairs = zip(moments, run.first.moments, strict=True)
        return Gaussian(*(with_first(part.expand_as(run.x), own, run.first.is_start) for part, own in pairs))

    def distortion(self, run: Inference, per_class: Tensor | None = None) -> Tensor:
        """Return the likelihood's term of the loss at each step, (T, B), in nats or as a squared error.

        With an "exact" latent it is the mean over the classes of z, weighted by the posterior's probabilities.

        Args:
            run: The inference.
            per_class: The result of `distortion_per_class`, if it is at hand.
        """
        if not self.sums_classes:
            return with_first_log_prob(self.likelihood.distortion(run.decoder, run.x, run.mask), run.first, sign=-1)
        per_class = self.distortion_per_class(run) if per_class is None else per_class
        return (self.latent.embedding(run.q).movedim(-1, 0) * per_class).sum(0)

    def distortion_per_class(self, run: Inference) -> Tensor:
        """Return the likelihood's term of the loss at each step for every class of z, (classes, T, B)."""
        inputs = [run.h] if run.context is None else [run.h, run.context]
        raw = map_over_batch(self._raw_per_class, [self.phi_z, self.decoder], *inputs)
        shape = raw.shape[:-1]
        decoder = self.likelihood.from_raw(raw, run.mean_offset.expand(*shape, -1), self.coordinates.scale)
        mask = None if run.mask is None else run.mask.expand(shape)
        distortion = self.likelihood.distortion(decoder, run.x.expand(*shape, -1), mask)
        return with_first_log_prob(distortion, run.first, sign=-1)

    def wake_terms(self, run: Inference, samples: int, per_class: Tensor | None = None) -> WakeTerms:
        """Return the terms of the wake loss at each step, (T, B) in nats: see `vrnn.objective.wake`.

        Args:
            run: The inference.
            samples: Samples of z per step; unused with an "exact" latent, whose classes are summed.
            per_class: The result of `distortion_per_class`, if it is at hand.
        """
        if self.sums_classes:
            per_class = self.distortion_per_class(run) if per_class is None else per_class
            log_p, log_q = (dist[0].squeeze(-2).movedim(-1, 0) for dist in (run.p, run.q))
            return summed_wake_terms(-per_class, log_p, log_q)
        shape = (samples, *run.x.shape[:2])
        noise = self.latent.noise(*shape, like=run.x)
        q, p = (rebuild(dist, (part.expand(samples, *part.shape) for part in dist)) for dist in (run.q, run.p))
        z = self.latent.sample(q, noise).detach()
        h = run.h.expand(samples, *run.h.shape)
        context = None if run.context is None else run.context.expand(samples, *run.context.shape)
        raw = self.raw_decoder(self.embed(z, context), h, context)
        decoder = self.likelihood.from_raw(raw, run.mean_offset.expand(*shape, -1), self.coordinates.scale)
        log_x = with_first_log_prob(self.likelihood.log_prob(decoder, run.x.expand(*shape, -1)), run.first)
        return sampled_wake_terms(log_x, self.latent.log_prob(p, z), self.latent.log_prob(q, z))

    def next_points(self, run: Inference, generator: torch.Generator | None = None) -> Tensor:
        """Return a draw of each next point, given the points before it: z from the prior, (T, B, x_dim).

        With a posterior that looks ahead, h_{t-1} has been drawn given later points, too.

        Args:
            run: The inference.
            generator: For the noise; None: torch's global generator.
        """
        noise = Noise.draw(len(run.x), run.x.shape[1], self.latent, self.x_dim, like=run.x, generator=generator)
        phi_z = self.embed(self.latent.sample(run.p, noise.z), run.context)
        raw = self.raw_decoder(phi_z, run.h, run.context)
        decoder = self.likelihood.from_raw(raw, run.mean_offset, self.coordinates.scale)
        points = self.likelihood.sample(decoder, noise.x, noise.uniform)
        if self.beginning is None or run.first is None:
            return points
        return with_first(points, self.beginning.sample(run.x.shape[1], generator), run.first.is_start)

    def _raw_per_class(self, h: Tensor, context: Tensor | None = None) -> Tensor:
        """Return the decoder's raw outputs for every class of z, (classes, T, B, n_outputs), given h and the context (T, B, …).

        The first layer's product with h, by far its larger part, is the same for all classes.
        """
        hidden, last = self.decoder
        first, *others = cast(Any, hidden)
        h = h if self.h_to_x else h[..., :0]
        z = torch.eye(self.z_dim, dtype=h.dtype, device=h.device)
        if context is None:
            phi_z = self.phi_z(z)
            for_z, for_h = first.weight.split([phi_z.shape[-1], h.shape[-1]], dim=-1)
            layer = linear(phi_z, for_z, first.bias)[:, None, None] + linear(h, for_h)
        else:
            contexts = context.expand(len(z), *context.shape)
            phi_z = self.embed(z[:, None, None].expand(*contexts.shape[:-1], -1), contexts)
            for_c_and_z, for_h = first.weight.split([first.in_features - h.shape[-1], h.shape[-1]], dim=-1)
            layer = linear(beside(contexts, phi_z), for_c_and_z, first.bias) + linear(h, for_h)
        for module in others:
            layer = module(layer)
        return last(layer)


def concatenate(runs: Sequence[Inference]) -> Inference:
    """Return the inferences of successive windows as one."""

    def over_time(*parts: Any) -> Any:
        if isinstance(parts[0], Tensor):
            return torch.cat(parts)
        return rebuild(parts[0], (torch.cat(each) for each in zip(*parts, strict=True)))

    if len(runs) == 1:
        return runs[0]
    masks = None if all(run.mask is None for run in runs) else torch.cat([observed(run) for run in runs])
    parts = {name: over_time(*(getattr(run, name) for run in runs)) for name in PER_STEP}
    context = None if runs[0].context is None else over_time(*(run.context for run in runs))
    return Inference(**parts, mask=masks, state=runs[-1].state, context=context, first=runs[0].first)


def first_rows(is_start: Tensor, steps: int) -> Tensor:
    """Return which of `steps` points after a state are first ones of their traces, (T, B), for is_start (B,)."""
    return torch.cat([is_start.unsqueeze(0), is_start.new_zeros(steps - 1, len(is_start))])


def with_first_log_prob(log_x: Tensor, first: First | None, sign: int = 1) -> Tensor:
    """Return log p(x) of each step, (…, T, B), with that of first points in place; sign -1: all with the other sign."""
    if first is None:
        return log_x
    return torch.cat([torch.where(first.is_start, sign * first.log_prob, log_x[..., :1, :]), log_x[..., 1:, :]], dim=-2)


def with_first(points: Tensor, first: Tensor, is_start: Tensor) -> Tensor:
    """Return points (T, B, x_dim), the first ones replaced by `first`, (B, x_dim), where `is_start`, (B,)."""
    return torch.cat([torch.where(is_start.unsqueeze(-1), first, points[:1]), points[1:]])


def observed(run: Inference) -> Tensor:
    """Return an inference's mask, (T, B); all True where it has none."""
    return torch.ones_like(run.x[..., 0], dtype=torch.bool) if run.mask is None else run.mask
