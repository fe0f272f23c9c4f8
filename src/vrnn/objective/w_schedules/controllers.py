"""Schemes that move w by what they see: the distortion, the KL, or both."""

from __future__ import annotations

import logging
from typing import Literal

import torch
from torch import Tensor

from vrnn.objective.reduction import mean_per_step, mean_per_trace
from vrnn.objective.w_schedules.base import Terms, Weighted, WSchedule

logger = logging.getLogger(__name__)


class MovingW(WSchedule):
    """A w between clamps w_min and w_max; the first time one binds, a warning says so."""

    w: Tensor

    def __init__(self, w_0: float, w_min: float, w_max: float):
        super().__init__()
        if not 0 <= w_min <= w_0 <= w_max:
            raise ValueError(f"w_schedule wants 0 <= w_min <= w_0 <= w_max, but got {w_min}, {w_0}, {w_max}.")
        self.w_min, self.w_max = w_min, w_max
        self.register_buffer("w", torch.tensor(float(w_0)))
        self.warned = False

    def move_to(self, free: Tensor) -> None:
        """Set w, clamped."""
        self.w.copy_(free.clamp(self.w_min, self.w_max))
        if not self.warned and not torch.equal(self.w, free.to(self.w)):
            self.warned = True
            logger.warning(
                "w = %.3g left [w_min, w_max] = [%g, %g] and is clamped there.", free, self.w_min, self.w_max
            )


class AdaptiveW(MovingW):
    """The blog's rule: loss = RE + w * DE, and after each step w += alpha * (r * RE - w * DE).

    RE is the mean distortion over steps; DE is the KL summed over time and z_dim, mean over traces (`reduction: sum`), or per
    step (`mean`: then w and alpha are T times those of `sum`). `kl_offset: blog` adds the blog's missing -1/2 a dimension to
    DE (q = p gives T z_dim / 2, not 0); `exact` leaves the KL as it is, and w runs away once the posterior collapses.
    With a log-likelihood as distortion RE is negative once the density exceeds 1, and w stays at w_min: the rule is for `mse`.
    The rule is positive feedback: where a fixed point w DE = r RE holds, its time constant is 1 / (alpha DE) steps.
    """

    def __init__(
        self,
        r: float = 10.0,
        alpha: float = 5e-7,
        w_0: float = 0.0,
        kl_offset: Literal["blog", "exact"] = "blog",
        reduction: Literal["sum", "mean"] = "sum",
        w_min: float = 0.0,
        w_max: float = 1e3,
    ):
        super().__init__(w_0, w_min, w_max)
        if kl_offset not in ("blog", "exact") or reduction not in ("sum", "mean"):
            raise ValueError(
                f"w_schedule.kl_offset is 'blog' or 'exact' and w_schedule.reduction 'sum' or 'mean', "
                f"but they are {kl_offset!r} and {reduction!r}."
            )
        check_positive(r=r, alpha=alpha)
        self.r, self.alpha = r, alpha
        self.offset = 0.5 if kl_offset == "blog" else 0.0
        self.reduction = reduction

    def forward(self, terms: Terms) -> Weighted:
        """Weigh with the present w; then, in training, move it."""
        reduce = mean_per_trace if self.reduction == "sum" else mean_per_step
        distortion, mask = terms.distortion, terms.mask
        re, de = mean_per_step(distortion, mask), reduce((terms.kl + self.offset).sum(-1), mask)
        w = self.w.clone()
        w_per_step = w * mean_per_trace(torch.ones_like(distortion), mask) if self.reduction == "sum" else w
        if self.training and terms.observed:
            self.move_to(self.w + self.alpha * (self.r * re - self.w * de).detach())
        return Weighted(re + w * de, w, w_per_step)


class GecoW(MovingW):
    """A bound on the distortion instead of a weight: the least KL for which the mean distortion per step is `tolerance`.

    With C = RE - tolerance and its moving average C_ma <- a C_ma + (1 - a) C (the first C at first), Rezende & Viola 2018
    (arXiv 1810.00597) minimise KL + lambda C, value from C_ma and gradient from C, and let lambda <- lambda exp(step C_ma).
    Here loss = RE + w KL with w = 1 / lambda: the same gradient, over lambda. So w <- w exp(-step C_ma) after each step, times
    `speedup` in the exponent while the bound holds (GENESIS, Engelcke et al. 2020). RE above the tolerance lowers w.
    tolerance: in units of the distortion; the source's kappa^2 is a squared error, for a log-likelihood it is -nats per step.
    """

    C_ma: Tensor
    n: Tensor

    def __init__(
        self,
        tolerance: float,
        step: float = 1e-2,
        a: float = 0.99,
        speedup: float = 1.0,
        w_0: float = 1.0,
        w_min: float = 1e-10,
        w_max: float = 1e10,
    ):
        super().__init__(w_0, w_min, w_max)
        check_positive(step=step, speedup=speedup, w_min=w_min)
        if not 0 <= a < 1:
            raise ValueError(f"w_schedule.a must be in [0, 1), but is {a}.")
        self.tolerance, self.step, self.a, self.speedup = tolerance, step, a, speedup
        self.register_buffer("C_ma", torch.zeros(()))
        self.register_buffer("n", torch.zeros((), dtype=torch.long))

    def forward(self, terms: Terms) -> Weighted:
        """Weigh with the present w; then, in training, move it."""
        re, w = terms.re, self.w.clone()
        if self.training and terms.observed:
            self.move((re - self.tolerance).detach())
        return Weighted(re + w * terms.mean_kl, w, w, {"lambda": 1 / w, "C_ma": self.C_ma.clone()})

    def move(self, c: Tensor) -> None:
        """C_ma, then w."""
        self.C_ma.copy_(torch.where(self.n == 0, c, self.a * self.C_ma + (1 - self.a) * c))
        self.n += 1
        step = torch.where(self.C_ma < 0, self.step * self.speedup, self.step)
        self.move_to(self.w * torch.exp(-step * self.C_ma))


class RateW(MovingW):
    """Hold the KL at a target rate: log w <- log w + alpha * (KL - target) after each step, KL and target in nats per step.

    The blog's rule made sound. There w grows until w DE = r RE; with a calibrated decoder RE is half a nat a coordinate
    whatever its sigma, so the ratio r is just a rate, r x_dim / (2 beta) nats per step, but named in the units of a squared
    error and sought by positive feedback. Here the rate is named outright, for any likelihood, and the feedback is negative:
    more KL, more w, less KL. In w's logarithm, because w may have to change by orders of magnitude, and stays positive.
    A target above what z can tell cannot be reached: w falls to w_min.
    """

    def __init__(self, target: float, alpha: float = 0.2, w_0: float = 0.1, w_min: float = 1e-3, w_max: float = 10.0):
        super().__init__(w_0, w_min, w_max)
        check_positive(target=target, alpha=alpha, w_min=w_min)
        self.target, self.alpha = target, alpha

    def forward(self, terms: Terms) -> Weighted:
        """Weigh with the present w; then, in training, move it."""
        rate, w = terms.mean_kl, self.w.clone()
        error = (rate - self.target).detach()
        if self.training and terms.observed:
            self.move_to(self.w * torch.exp(self.alpha * error))
        return Weighted(terms.re + w * rate, w, w, {"kl_error": error})


class ControlVAEW(WSchedule):
    """A PI controller holds the KL per step at `target` (Shao et al. 2020).

    e = target - KL; I <- I + Ki e (Ki < 0); w = clip(Kp sigmoid(-e) + I, w_min, w_max), in the loss of the same step. The
    integral stands still while it would push a saturated w further out; the source stops it in both directions, from
    which it may not come back. KL above the target raises w.
    """

    integral: Tensor

    def __init__(self, target: float, Kp: float = 0.01, Ki: float = -1e-4, w_min: float = 0.0, w_max: float = 1.0):
        super().__init__()
        check_positive(target=target, Kp=Kp)
        if Ki >= 0:
            raise ValueError(f"w_schedule.Ki must be negative (KL above target raises w), but is {Ki}.")
        if not 0 <= w_min < w_max:
            raise ValueError(f"w_schedule wants 0 <= w_min < w_max, but got {w_min} and {w_max}.")
        self.target, self.Kp, self.Ki, self.w_min, self.w_max = target, Kp, Ki, w_min, w_max
        self.register_buffer("integral", torch.zeros(()))

    def forward(self, terms: Terms) -> Weighted:
        """Move the integral, in training, and weigh with what comes out."""
        rate = terms.mean_kl
        e = (self.target - rate).detach()
        proportional = self.Kp * torch.sigmoid(-e)
        if self.training and terms.observed:
            self.integrate(proportional, self.Ki * e)
        w = (proportional + self.integral).clamp(self.w_min, self.w_max)
        return Weighted(terms.re + w * rate, w, w, {"integral": self.integral.clone(), "kl_error": -e})

    def integrate(self, proportional: Tensor, step: Tensor) -> None:
        """I += step, unless that saturates w."""
        free = proportional + self.integral + step
        winds_up = ((free > self.w_max) & (step > 0)) | ((free < self.w_min) & (step < 0))
        self.integral += torch.where(winds_up, torch.zeros_like(step), step)


def check_positive(**numbers: float) -> None:
    """Refuse what is not above 0."""
    for name, number in numbers.items():
        if number <= 0:
            raise ValueError(f"w_schedule.{name} must be positive, but is {number}.")
