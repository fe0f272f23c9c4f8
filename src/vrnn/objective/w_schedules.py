"""How much the KL weighs: one class a scheme.

A schedule is given a training step's terms and yields the loss. Whatever it remembers (w, a step count) is a buffer, so it is
part of every checkpoint.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from vrnn.objective.reduction import mean_per_step, mean_per_trace

logger = logging.getLogger(__name__)


class Terms(NamedTuple):
    """What a training step amounts to before it is weighed.

    distortion: (T, B), what a likelihood makes of it: -log p(x | z) in nats, or a squared error.
    kl: (T, B, groups), the exact KL(q || p) of each group of latent variables, in nats; a Gaussian's groups are its dimensions.
    sides: makes the same KL twice, KL(sg q || p) and KL(q || sg p), sg being a stop of the gradient: one teaches the prior
        alone, the other the posterior alone.
    mask: (T, B), True where there is something to learn from; None: everywhere.
    """

    distortion: Tensor
    kl: Tensor
    sides: Callable[[], tuple[Tensor, Tensor]]
    mask: Tensor | None = None


class Weighted(NamedTuple):
    """loss: () to minimise; w: () the weight as the scheme defines it; w_per_step: () the same against KL per step.

    log: what else the scheme wants written down, by name, each ().
    """

    loss: Tensor
    w: Tensor
    w_per_step: Tensor
    log: Mapping[str, Tensor] = MappingProxyType({})


class WSchedule(nn.Module):
    """The interface: `weigh` gives the loss of a training step and, in training mode, moves the schedule one step on."""

    def weigh(self, terms: Terms) -> Weighted:
        """Make a loss of a step's terms."""
        raise NotImplementedError

    def plain_w(self) -> Tensor | None:
        """Return w, (), where the next loss is mean distortion + w * mean KL and w known before the step; None elsewhere.

        Such a w can stand in the log weights of particles.
        """
        return None


class LinearW(WSchedule):
    """loss = mean distortion + w * max(mean KL per step, free_nats), w from `start` to `end` in `steps` steps, then `end`.

    Bowman et al. 2016 (linear warm-up): w = min(1, n / steps) with start 0, end 1. n counts optimiser steps from 0.
    free_nats: nats per step that cost nothing (Hafner et al. 2021, after the mean), so that z cannot be given up altogether;
        reported figures hold the KL as it is, and w as it would weigh it.
    """

    n: Tensor

    def __init__(self, start: float = 0.0, end: float = 1.0, steps: int = 2500, free_nats: float = 0.0):
        super().__init__()
        if min(start, end) < 0:
            raise ValueError(f"w must not be negative, but w_schedule goes from {start} to {end}.")
        if steps < 0:
            raise ValueError(f"w_schedule.steps must be >= 0, but is {steps}.")
        if free_nats < 0:
            raise ValueError(f"w_schedule.free_nats must be >= 0, but is {free_nats}.")
        self.start, self.end, self.steps, self.free_nats = start, end, steps, free_nats
        self.register_buffer("n", torch.zeros((), dtype=torch.long))

    def weigh(self, terms: Terms) -> Weighted:
        """Mean over observed steps, both terms."""
        w = self.present_w().to(terms.kl.dtype)
        if self.training:
            self.n += 1
        rate = mean_per_step(terms.kl.sum(-1), terms.mask).clamp(min=self.free_nats)
        return Weighted(mean_per_step(terms.distortion, terms.mask) + w * rate, w, w)

    def present_w(self) -> Tensor:
        """The w of step n, ()."""
        share = (self.n / self.steps).clamp(max=1.0) if self.steps else torch.ones((), device=self.n.device)
        return self.start + (self.end - self.start) * share

    def plain_w(self) -> Tensor | None:
        """Unless some nats are free."""
        return None if self.free_nats else self.present_w()


class ConstantW(LinearW):
    """loss = mean distortion + w * mean KL per step: w = 1 is the ELBO, w > 1 a beta-VAE (Higgins et al. 2017)."""

    def __init__(self, w: float = 1.0):
        super().__init__(start=w, end=w, steps=0)


class AdaptiveW(WSchedule):
    """The blog's rule: loss = RE + w * DE, and after each step w += alpha * (r * RE - w * DE).

    RE is the mean distortion over steps; DE is the KL summed over time and z_dim, mean over traces (`reduction: sum`), or per
    step (`mean`: then w and alpha are T times those of `sum`). `kl_offset: blog` adds the blog's missing -1/2 a dimension to
    DE (q = p gives T z_dim / 2, not 0); `exact` leaves the KL as it is, and w runs away once the posterior collapses.
    With a log-likelihood as distortion RE is negative once the density exceeds 1, and w stays at w_min: the rule is for `mse`.
    The rule is positive feedback: where a fixed point w DE = r RE holds, its time constant is 1 / (alpha DE) steps.
    w_min, w_max: clamps; the first time one binds, a warning says so.
    """

    w: Tensor

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
        super().__init__()
        if kl_offset not in ("blog", "exact") or reduction not in ("sum", "mean"):
            raise ValueError(
                f"w_schedule.kl_offset is 'blog' or 'exact' and w_schedule.reduction 'sum' or 'mean', "
                f"but they are {kl_offset!r} and {reduction!r}."
            )
        if alpha <= 0 or r <= 0:
            raise ValueError(f"w_schedule.alpha and r must be positive, but are {alpha} and {r}.")
        if not 0 <= w_min <= w_0 <= w_max:
            raise ValueError(f"w_schedule wants 0 <= w_min <= w_0 <= w_max, but got {w_min}, {w_0}, {w_max}.")
        self.r, self.alpha, self.w_min, self.w_max = r, alpha, w_min, w_max
        self.offset = 0.5 if kl_offset == "blog" else 0.0
        self.reduction = reduction
        self.register_buffer("w", torch.tensor(float(w_0)))
        self.warned = False

    def weigh(self, terms: Terms) -> Weighted:
        """Weigh with the present w; then, in training, move it."""
        reduce = mean_per_trace if self.reduction == "sum" else mean_per_step
        distortion, mask = terms.distortion, terms.mask
        re, de = mean_per_step(distortion, mask), reduce((terms.kl + self.offset).sum(-1), mask)
        w = self.w.clone()
        w_per_step = w * mean_per_trace(torch.ones_like(distortion), mask) if self.reduction == "sum" else w
        if self.training:
            self.move(re.detach(), de.detach())
        return Weighted(re + w * de, w, w_per_step)

    def move(self, re: Tensor, de: Tensor) -> None:
        """w += alpha * (r * RE - w * DE), clamped."""
        free = self.w + self.alpha * (self.r * re - self.w * de)
        self.w.copy_(free.clamp(self.w_min, self.w_max))
        if not self.warned and not torch.equal(self.w, free):
            self.warned = True
            logger.warning(
                "w = %.3g left [w_min, w_max] = [%g, %g] and is clamped there.", free, self.w_min, self.w_max
            )
