"""Schedules whose w depends only on the number of optimiser steps."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from typing_extensions import override

from vrnn.objective.reduction import mean_per_step
from vrnn.objective.w_schedules.base import Terms, Weighted, WSchedule


class WarmUp(WSchedule):
    """loss = mean distortion + w_n * max(mean KL per step, free_nats), w_n = start + (end - start) * progress(n).

    n counts optimiser steps from 0.

    Args:
        start: The first w.
        end: The last w.
        free_nats: Nats per step that add no gradient (Hafner et al. 2021, arXiv 2010.02193, after the mean), so that the model
            does not stop using z. The logged KL does not include the threshold.
        prior_at_once: Whether the prior learns with weight 1 from the start, while w weighs only the KL that trains the
            posterior: w KL + (1 - w) KL(sg q || p), where sg stops the gradient. At w = 1 this is the ELBO's KL.

    Raises:
        ValueError: A negative number.
    """

    n: Tensor

    def __init__(self, start: float = 0.0, end: float = 1.0, free_nats: float = 0.0, prior_at_once: bool = False):
        super().__init__()
        if min(start, end) < 0:
            raise ValueError(f"w_schedule.start and end must be at least 0, but are {start} and {end}.")
        if free_nats < 0:
            raise ValueError(f"w_schedule.free_nats must be at least 0, but is {free_nats}.")
        self.start, self.end, self.free_nats, self.prior_at_once = start, end, free_nats, prior_at_once
        self.stops_gradients = prior_at_once
        self.register_buffer("n", torch.zeros((), dtype=torch.long))

    def progress(self, n: Tensor) -> Tensor:
        """Return the progress from start (0) to end (1) after n steps, ()."""
        raise NotImplementedError

    @override
    def forward(self, terms: Terms) -> Weighted:
        w = self.present_w().to(terms.kl.dtype)
        if self.training:
            self.n += 1
        charged = terms.mean_kl.clamp(min=self.free_nats)
        cost = w * charged
        if self.prior_at_once:
            for_prior, _ = terms.stop_gradient_kls()
            cost = cost + (1 - w) * mean_per_step(for_prior.sum(-1), terms.mask).clamp(min=self.free_nats)
        log = {"charged_kl": charged.detach()} if self.free_nats else {}
        return Weighted(terms.re + cost, w, w, log)

    def present_w(self) -> Tensor:
        """Return w at step n, ()."""
        return self.start + (self.end - self.start) * self.progress(self.n)

    @override
    def scalar_weight(self) -> Tensor | None:
        return None if self.free_nats or self.prior_at_once else self.present_w()


def elapsed(n: Tensor, steps: int) -> Tensor:
    """Return n / steps; infinite if steps is 0, so that the warm-up is over from the start."""
    return n / steps if steps else torch.full_like(n, math.inf, dtype=torch.get_default_dtype())


def check_steps(name: str, steps: int) -> None:
    """Refuse a negative number of steps.

    Raises:
        ValueError: It is negative.
    """
    if steps < 0:
        raise ValueError(f"w_schedule.{name} must be at least 0, but is {steps}.")


class ConstantW(WarmUp):
    """loss = mean distortion + w * mean KL per step: w = 1 is the ELBO, w > 1 a beta-VAE (Higgins et al. 2017).

    Args:
        w: The weight.

    Raises:
        ValueError: A negative weight.
    """

    def __init__(self, w: float = 1.0):
        if w < 0:
            raise ValueError(f"w_schedule.w must be at least 0, but is {w}.")
        super().__init__(start=w, end=w)

    @override
    def progress(self, n: Tensor) -> Tensor:
        return torch.ones_like(n)


class LinearW(WarmUp):
    """progress = min(1, n / steps) (Bowman et al. 2016, arXiv 1511.06349).

    Args:
        start: See `WarmUp`.
        end: See `WarmUp`.
        steps: Optimiser steps until w reaches `end`.
        free_nats: See `WarmUp`.
        prior_at_once: See `WarmUp`.

    Raises:
        ValueError: A negative number.
    """

    def __init__(
        self,
        start: float = 0.0,
        end: float = 1.0,
        steps: int = 2500,
        free_nats: float = 0.0,
        prior_at_once: bool = False,
    ):
        super().__init__(start, end, free_nats, prior_at_once)
        check_steps("steps", steps)
        self.steps = steps

    @override
    def progress(self, n: Tensor) -> Tensor:
        return elapsed(n, self.steps).clamp(max=1.0)


class LogisticW(WarmUp):
    """progress = 1 / (1 + exp(-k (n - midpoint))), k = sharpness / midpoint (Bowman et al. 2016, arXiv 1511.06349).

    Args:
        start: See `WarmUp`.
        end: See `WarmUp`.
        midpoint: The optimiser step at which w is half-way.
        sharpness: k times midpoint.
        free_nats: See `WarmUp`.
        prior_at_once: See `WarmUp`.

    Raises:
        ValueError: A negative number, or a sharpness that is not positive.
    """

    def __init__(
        self,
        start: float = 0.0,
        end: float = 1.0,
        midpoint: int = 2500,
        sharpness: float = 6.25,
        free_nats: float = 0.0,
        prior_at_once: bool = False,
    ):
        super().__init__(start, end, free_nats, prior_at_once)
        check_steps("midpoint", midpoint)
        if sharpness <= 0:
            raise ValueError(f"w_schedule.sharpness must be positive, but is {sharpness}.")
        self.midpoint, self.sharpness = midpoint, sharpness

    @override
    def progress(self, n: Tensor) -> Tensor:
        return torch.sigmoid(self.sharpness * (elapsed(n, self.midpoint) - 1))


class CosineW(WarmUp):
    """progress = (1 - cos(pi (n - hold) / steps)) / 2: 0 during the first `hold` steps, 1 from step hold + steps on.

    Args:
        start: See `WarmUp`.
        end: See `WarmUp`.
        steps: Optimiser steps of the rise.
        hold: Optimiser steps at `start` before it.
        free_nats: See `WarmUp`.
        prior_at_once: See `WarmUp`.

    Raises:
        ValueError: A negative number.
    """

    def __init__(
        self,
        start: float = 0.0,
        end: float = 1.0,
        steps: int = 2500,
        hold: int = 0,
        free_nats: float = 0.0,
        prior_at_once: bool = False,
    ):
        super().__init__(start, end, free_nats, prior_at_once)
        check_steps("steps", steps)
        check_steps("hold", hold)
        self.steps, self.hold = steps, hold

    @override
    def progress(self, n: Tensor) -> Tensor:
        begun = torch.where(n < self.hold, 0.0, elapsed(n - self.hold, self.steps))
        return 0.5 - 0.5 * torch.cos(math.pi * begun.clamp(max=1.0))


class ExponentialW(WarmUp):
    """progress = 1 - rho^n, rho = exp(-1 / steps), as in sketch-rnn (Ha & Eck 2017, arXiv 1704.03477).

    Args:
        start: See `WarmUp`.
        end: See `WarmUp`.
        steps: Optimiser steps in which the distance to `end` falls by a factor e.
        free_nats: See `WarmUp`.
        prior_at_once: See `WarmUp`.

    Raises:
        ValueError: A negative number.
    """

    def __init__(
        self,
        start: float = 0.01,
        end: float = 0.5,
        steps: int = 20_000,
        free_nats: float = 0.2,
        prior_at_once: bool = False,
    ):
        super().__init__(start, end, free_nats, prior_at_once)
        check_steps("steps", steps)
        self.steps = steps

    @override
    def progress(self, n: Tensor) -> Tensor:
        return 1 - torch.exp(-elapsed(n, self.steps))


class CyclicalW(WarmUp):
    """progress = min(tau / ramp, 1), where tau = (n mod steps / cycles) / (steps / cycles) (Fu et al. 2019, arXiv 1903.10145).

    After `steps` the cycles continue.

    Args:
        start: See `WarmUp`.
        end: See `WarmUp`.
        steps: Optimiser steps of all cycles.
        cycles: How many.
        ramp: The fraction of a cycle in which w rises, in (0, 1]; then it stays at `end`.
        free_nats: See `WarmUp`.
        prior_at_once: See `WarmUp`.

    Raises:
        ValueError: A number out of its range.
    """

    def __init__(
        self,
        start: float = 0.0,
        end: float = 1.0,
        steps: int = 10_000,
        cycles: int = 4,
        ramp: float = 0.5,
        free_nats: float = 0.0,
        prior_at_once: bool = False,
    ):
        super().__init__(start, end, free_nats, prior_at_once)
        if steps < 1 or cycles < 1:
            raise ValueError(f"w_schedule.steps and cycles must be at least 1, but are {steps} and {cycles}.")
        if not 0 < ramp <= 1:
            raise ValueError(f"w_schedule.ramp must be in (0, 1], but is {ramp}.")
        self.steps, self.cycles, self.ramp = steps, cycles, ramp

    @override
    def progress(self, n: Tensor) -> Tensor:
        tau = (n * self.cycles % self.steps) / self.steps
        return (tau / self.ramp).clamp(max=1.0)
