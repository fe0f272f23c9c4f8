"""Schedules that move w by the distortion, the KL, or both."""

from __future__ import annotations

import logging
from typing import Literal, get_args

import torch
from torch import Tensor
from typing_extensions import override

from vrnn.objective.reduction import mean_per_step, mean_per_trace
from vrnn.objective.w_schedules.base import Terms, Weighted, WSchedule

logger = logging.getLogger(__name__)

KLOffset = Literal["blog", "exact"]
Reduction = Literal["sum", "mean"]


class MovingW(WSchedule):
    """A w that moves between two limits. The first time that a limit is reached, it logs a warning.

    Args:
        w_0: The first w.
        w_min: The lower limit.
        w_max: The upper limit.

    Raises:
        ValueError: Not 0 <= w_min <= w_0 <= w_max.
    """

    w: Tensor

    def __init__(self, w_0: float, w_min: float, w_max: float):
        super().__init__()
        if not 0 <= w_min <= w_0 <= w_max:
            raise ValueError(
                f"w_schedule must have 0 <= w_min <= w_0 <= w_max, but w_min={w_min}, w_0={w_0} and w_max={w_max}."
            )
        self.w_min, self.w_max = w_min, w_max
        self.register_buffer("w", torch.tensor(float(w_0)))
        self.warned = False

    def move_to(self, unlimited: Tensor) -> None:
        """Set w to a value, (), or to the limit that it exceeds."""
        self.w.copy_(unlimited.clamp(self.w_min, self.w_max))
        if not self.warned and not torch.equal(self.w, unlimited.to(self.w)):
            self.warned = True
            logger.warning(
                "w = %.3g exceeds its limits [w_min, w_max] = [%g, %g] and is set to the nearer one.",
                unlimited,
                self.w_min,
                self.w_max,
            )


class AdaptiveW(MovingW):
    """The blog's rule: loss = RE + w * DE, and after each step w += alpha * (r * RE - w * DE).

    RE is the mean distortion per step, DE the KL summed over time and z_dim, as a mean over traces. The rule is positive
    feedback: where a fixed point w DE = r RE holds, its time constant is 1 / (alpha DE) steps. With a log-likelihood as
    distortion, RE is negative once the density exceeds 1, and w stays at w_min: the rule is for likelihood=mse.

    Args:
        r: The ratio w DE : RE at the fixed point.
        alpha: The step size.
        w_0: The first w.
        kl_offset: "blog" is the blog's KL, which lacks the -1/2 per dimension, so that q = p gives DE = T z_dim / 2 instead of
            0; "exact" is the exact KL, with which w grows without end once the posterior collapses.
        reduction: DE summed over time ("sum"), or per step ("mean", for which w and alpha are T times those of "sum").
        w_min: The lower limit of w.
        w_max: The upper limit of w.

    Raises:
        ValueError: An unknown choice, a number that is not positive, or limits out of order.
    """

    def __init__(
        self,
        r: float = 10.0,
        alpha: float = 5e-7,
        w_0: float = 0.0,
        kl_offset: KLOffset = "blog",
        reduction: Reduction = "sum",
        w_min: float = 0.0,
        w_max: float = 1e3,
    ):
        super().__init__(w_0, w_min, w_max)
        if kl_offset not in get_args(KLOffset):
            raise ValueError(f"w_schedule.kl_offset must be 'blog' or 'exact', but is {kl_offset!r}.")
        if reduction not in get_args(Reduction):
            raise ValueError(f"w_schedule.reduction must be 'sum' or 'mean', but is {reduction!r}.")
        check_positive(r=r, alpha=alpha)
        self.r, self.alpha = r, alpha
        self.offset = 0.5 if kl_offset == "blog" else 0.0
        self.reduction = reduction

    @override
    def forward(self, terms: Terms) -> Weighted:
        reduce = mean_per_trace if self.reduction == "sum" else mean_per_step
        distortion, mask = terms.distortion, terms.mask
        re, de = mean_per_step(distortion, mask), reduce((terms.kl + self.offset).sum(-1), mask)
        w = self.w.clone()
        w_per_step = w * mean_per_trace(torch.ones_like(distortion), mask) if self.reduction == "sum" else w
        if self.training and terms.observed:
            self.move_to(self.w + self.alpha * (self.r * re - self.w * de).detach())
        return Weighted(re + w * de, w, w_per_step)


class GecoW(MovingW):
    """GECO: minimises the KL under the constraint that the mean distortion per step is at most `tolerance`.

    With C = RE - tolerance and its moving average C_ma <- a C_ma + (1 - a) C, which starts at the first C, Rezende & Viola 2018
    (arXiv 1810.00597) minimise KL + lambda C, with the value of C_ma and the gradient of C, and update
    lambda <- lambda exp(step C_ma). Here loss = RE + w KL with w = 1 / lambda, which has the same gradient divided by lambda.
    So w <- w exp(-step C_ma) after each step: an RE above the tolerance lowers w. While the constraint holds, the exponent is
    `speedup` times as large (GENESIS, Engelcke et al. 2020, arXiv 1907.13052).

    Args:
        tolerance: In units of the distortion: for a log-likelihood -nats per step. The source's kappa^2 is a squared error.
        step: Step size of log w.
        a: Decay of the moving average.
        speedup: Factor of the exponent while the constraint holds.
        w_0: The first w.
        w_min: The lower limit of w.
        w_max: The upper limit of w.

    Raises:
        ValueError: A number that is not positive, an `a` outside [0, 1), or limits out of order.
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

    @override
    def forward(self, terms: Terms) -> Weighted:
        re, w = terms.re, self.w.clone()
        if self.training and terms.observed:
            self.move((re - self.tolerance).detach())
        return Weighted(re + w * terms.mean_kl, w, w, {"lambda": 1 / w, "C_ma": self.C_ma.clone()})

    def move(self, c: Tensor) -> None:
        """Move C_ma by C, (), and then w by C_ma."""
        self.C_ma.copy_(torch.where(self.n == 0, c, self.a * self.C_ma + (1 - self.a) * c))
        self.n += 1
        step = torch.where(self.C_ma < 0, self.step * self.speedup, self.step)
        self.move_to(self.w * torch.exp(-step * self.C_ma))


class RateW(MovingW):
    """Holds the KL at a target rate: log w <- log w + alpha * (KL - target) after each step.

    A sound form of the blog's rule. There w grows until w DE = r RE. With a calibrated decoder RE is half a nat per coordinate
    whatever its sigma, so the ratio r determines a rate, r x_dim / (2 beta) nats per step, but in the units of a squared error
    and by positive feedback. Here the rate is given directly, for any likelihood, and the feedback is negative: a larger KL
    raises w, and a larger w lowers the KL. The rule acts on log w because w may have to change by orders of magnitude, and must
    stay positive. A target above what z can transmit cannot be reached: w falls to w_min.

    Args:
        target: In nats per step.
        alpha: Change of log w per step, for each nat of difference.
        w_0: The first w.
        w_min: The lower limit of w.
        w_max: The upper limit of w.

    Raises:
        ValueError: A number that is not positive, or limits out of order.
    """

    def __init__(self, target: float, alpha: float = 0.2, w_0: float = 0.1, w_min: float = 1e-3, w_max: float = 10.0):
        super().__init__(w_0, w_min, w_max)
        check_positive(target=target, alpha=alpha, w_min=w_min)
        self.target, self.alpha = target, alpha

    @override
    def forward(self, terms: Terms) -> Weighted:
        mean_kl, w = terms.mean_kl, self.w.clone()
        error = (mean_kl - self.target).detach()
        if self.training and terms.observed:
            self.move_to(self.w * torch.exp(self.alpha * error))
        return Weighted(terms.re + w * mean_kl, w, w, {"kl_error": error})


class ControlVAEW(WSchedule):
    """A PI controller that holds the KL per step at `target` (ControlVAE, Shao et al. 2020, arXiv 2004.05988).

    e = target - KL; I <- I + Ki e (Ki < 0); w = clip(Kp sigmoid(-e) + I, w_min, w_max), used in the loss of the same step. A KL
    above the target raises w. The integral does not change while that would push a saturated w further beyond its limit; the
    source stops it in both directions, so that w may stay saturated for ever.

    Args:
        target: In nats per step.
        Kp: Gain of the proportional part.
        Ki: Gain of the integral, negative.
        w_min: The lower limit of w.
        w_max: The upper limit of w.

    Raises:
        ValueError: A target or Kp that is not positive, a Ki that is not negative, or limits out of order.
    """

    integral: Tensor

    def __init__(self, target: float, Kp: float = 0.01, Ki: float = -1e-4, w_min: float = 0.0, w_max: float = 1.0):
        super().__init__()
        check_positive(target=target, Kp=Kp)
        if Ki >= 0:
            raise ValueError(f"w_schedule.Ki must be negative, so that a KL above the target raises w, but is {Ki}.")
        if not 0 <= w_min < w_max:
            raise ValueError(f"w_schedule must have 0 <= w_min < w_max, but w_min={w_min} and w_max={w_max}.")
        self.target, self.Kp, self.Ki, self.w_min, self.w_max = target, Kp, Ki, w_min, w_max
        self.register_buffer("integral", torch.zeros(()))

    @override
    def forward(self, terms: Terms) -> Weighted:
        mean_kl = terms.mean_kl
        e = (self.target - mean_kl).detach()
        proportional = self.Kp * torch.sigmoid(-e)
        if self.training and terms.observed:
            self.integrate(proportional, self.Ki * e)
        w = (proportional + self.integral).clamp(self.w_min, self.w_max)
        return Weighted(terms.re + w * mean_kl, w, w, {"integral": self.integral.clone(), "kl_error": -e})

    def integrate(self, proportional: Tensor, step: Tensor) -> None:
        """Add a step to the integral, unless it would push w beyond a limit; all ()."""
        unlimited = proportional + self.integral + step
        winds_up = ((unlimited > self.w_max) & (step > 0)) | ((unlimited < self.w_min) & (step < 0))
        self.integral += torch.where(winds_up, torch.zeros_like(step), step)


def check_positive(**numbers: float) -> None:
    """Refuse numbers that are not positive.

    Raises:
        ValueError: One is not.
    """
    for name, number in numbers.items():
        if number <= 0:
            raise ValueError(f"w_schedule.{name} must be positive, but is {number}.")
