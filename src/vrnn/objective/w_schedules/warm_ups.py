"""Schemes whose w depends on nothing but the count of optimiser steps."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from vrnn.objective.reduction import mean_per_step
from vrnn.objective.w_schedules.base import Terms, Weighted, WSchedule


class WarmUp(WSchedule):
    """loss = mean distortion + w_n * max(mean KL per step, free_nats), w_n = start + (end - start) * progress(n).

    n counts optimiser steps from 0.
    free_nats: nats per step that cost nothing (Hafner et al. 2021, after the mean), so that z cannot be given up altogether;
        reported figures hold the KL as it is, and w as it would weigh it.
    prior_at_once: the prior learns at weight 1 from the start, and w weighs the posterior's side of the KL alone:
        w KL + (1 - w) KL(sg q || p), whose value at w = 1 is again the ELBO's.
    """

    n: Tensor

    def __init__(self, start: float = 0.0, end: float = 1.0, free_nats: float = 0.0, prior_at_once: bool = False):
        super().__init__()
        if min(start, end) < 0:
            raise ValueError(f"w must not be negative, but w_schedule goes from {start} to {end}.")
        if free_nats < 0:
            raise ValueError(f"w_schedule.free_nats must be >= 0, but is {free_nats}.")
        self.start, self.end, self.free_nats, self.prior_at_once = start, end, free_nats, prior_at_once
        self.register_buffer("n", torch.zeros((), dtype=torch.long))

    def progress(self, n: Tensor) -> Tensor:
        """How much of the way from start to end is done after n steps: ()."""
        raise NotImplementedError

    def forward(self, terms: Terms) -> Weighted:
        """Mean over observed steps, both terms."""
        w = self.present_w().to(terms.kl.dtype)
        if self.training:
            self.n += 1
        charged = terms.mean_kl.clamp(min=self.free_nats)
        cost = w * charged
        if self.prior_at_once:
            prior_side, _ = terms.stop_gradient_kls()
            cost = cost + (1 - w) * mean_per_step(prior_side.sum(-1), terms.mask).clamp(min=self.free_nats)
        log = {"charged_kl": charged.detach()} if self.free_nats else {}
        return Weighted(terms.re + cost, w, w, log)

    def present_w(self) -> Tensor:
        """The w of step n, ()."""
        return self.start + (self.end - self.start) * self.progress(self.n)

    def scalar_weight(self) -> Tensor | None:
        """Unless some nats are free, or the prior has a weight of its own."""
        return None if self.free_nats or self.prior_at_once else self.present_w()


def elapsed(n: Tensor, steps: int) -> Tensor:
    """Return n / steps; infinite if there are no steps to wait for."""
    return n / steps if steps else torch.full_like(n, math.inf, dtype=torch.get_default_dtype())


def check_steps(name: str, steps: int) -> None:
    """Refuse a negative number of steps."""
    if steps < 0:
        raise ValueError(f"w_schedule.{name} must be >= 0, but is {steps}.")


class ConstantW(WarmUp):
    """loss = mean distortion + w * mean KL per step: w = 1 is the ELBO, w > 1 a beta-VAE (Higgins et al. 2017)."""

    def __init__(self, w: float = 1.0):
        super().__init__(start=w, end=w)

    def progress(self, n: Tensor) -> Tensor:
        """Done from the start."""
        return torch.ones_like(n)


class LinearW(WarmUp):
    """w goes linearly from `start` to `end` in `steps` steps: min(1, n / steps) with start 0, end 1 (Bowman et al. 2016)."""

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

    def progress(self, n: Tensor) -> Tensor:
        """min(1, n / steps)."""
        return elapsed(n, self.steps).clamp(max=1.0)


class LogisticW(WarmUp):
    """w rises along 1 / (1 + exp(-k (n - midpoint))), k = sharpness / midpoint (Bowman et al. 2016)."""

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

    def progress(self, n: Tensor) -> Tensor:
        """The logistic function of (n / midpoint - 1) * sharpness."""
        return torch.sigmoid(self.sharpness * (elapsed(n, self.midpoint) - 1))


class CosineW(WarmUp):
    """w = start for `hold` steps, then goes to `end` along half a cosine in `steps` steps."""

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

    def progress(self, n: Tensor) -> Tensor:
        """(1 - cos(pi (n - hold) / steps)) / 2, flat on both sides."""
        begun = torch.where(n < self.hold, 0.0, elapsed(n - self.hold, self.steps))
        return 0.5 - 0.5 * torch.cos(math.pi * begun.clamp(max=1.0))


class ExponentialW(WarmUp):
    """w = end - (end - start) * rho^n, rho = exp(-1 / steps): what is left to go falls by e every `steps` (sketch-rnn)."""

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

    def progress(self, n: Tensor) -> Tensor:
        """1 - rho^n."""
        return 1 - torch.exp(-elapsed(n, self.steps))


class CyclicalW(WarmUp):
    """`cycles` times in `steps` steps w climbs linearly from `start` to `end` in the first `ramp` of the cycle, and stays.

    tau = (n mod steps / cycles) / (steps / cycles), w = min(tau / ramp, 1) with start 0, end 1 (Fu et al. 2019, arXiv
    1903.10145). After `steps` the cycles go on.
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

    def progress(self, n: Tensor) -> Tensor:
        """min(tau / ramp, 1): tau is the fraction of the present cycle that is over."""
        tau = (n * self.cycles % self.steps) / self.steps
        return (tau / self.ramp).clamp(max=1.0)
