"""Schemes that let some of the KL pass for free, or divide it between prior and posterior. None of them has a state."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from vrnn.objective.reduction import mean_per_step
from vrnn.objective.w_schedules.base import Terms, Weighted, WSchedule

Clamp = Literal["before", "after"]


def charge(kl: Tensor, mask: Tensor | None, free_nats: float, clamp: Clamp) -> Tensor:
    """Return the mean of max(KL_tb, free_nats) over steps, or the max of the mean and free_nats: kl (T, B) -> ()."""
    if clamp == "before":
        return mean_per_step(kl.clamp(min=free_nats), mask)
    return mean_per_step(kl, mask).clamp(min=free_nats)


def check_threshold(free_nats: float, clamp: Clamp) -> None:
    """Refuse what `charge` does not know."""
    if free_nats < 0:
        raise ValueError(f"w_schedule.free_nats must be >= 0, but is {free_nats}.")
    if clamp not in ("before", "after"):
        raise ValueError(f"w_schedule.clamp is 'before' or 'after' the mean, but is {clamp!r}.")


class FreeNatsW(WSchedule):
    """loss = mean distortion + w * KL, where the first `free_nats` of a step cost nothing and teach nothing.

    clamp: `before` the mean, KL = mean max(KL_tb, free_nats), so that each step has its own allowance (Hafner et al. 2023,
    DreamerV3); or `after` it, KL = max(mean KL, free_nats), so that one step may use what others leave (DreamerV2).
    """

    def __init__(self, free_nats: float = 1.0, clamp: Clamp = "before", w: float = 1.0):
        super().__init__()
        check_threshold(free_nats, clamp)
        if w < 0:
            raise ValueError(f"w_schedule.w must be >= 0, but is {w}.")
        self.free_nats, self.clamp, self.w = free_nats, clamp, w

    def forward(self, terms: Terms) -> Weighted:
        """Charge what exceeds the allowance."""
        charged = charge(terms.kl.sum(-1), terms.mask, self.free_nats, self.clamp)
        w = charged.new_tensor(self.w)
        return Weighted(terms.re + w * charged, w, w, {"charged_kl": charged.detach()})


class FreeBitsW(WSchedule):
    """loss = mean distortion + w * sum over groups of max(free_nats, mean KL of the group) (Kingma et al. 2016).

    The mean over all observed steps and traces comes before the max, as in openai/iaf, whose one step is an image. A group is
    what the latent calls one: each dimension of a Gaussian, each categorical variable.
    """

    def __init__(self, free_nats: float = 0.25, w: float = 1.0):
        super().__init__()
        check_threshold(free_nats, "after")
        if w < 0:
            raise ValueError(f"w_schedule.w must be >= 0, but is {w}.")
        self.free_nats, self.w = free_nats, w

    def forward(self, terms: Terms) -> Weighted:
        """Charge each group what exceeds its allowance."""
        groups = [charge(kl, terms.mask, self.free_nats, "after") for kl in terms.kl.unbind(-1)]
        charged = torch.stack(groups).sum()
        w = charged.new_tensor(self.w)
        return Weighted(terms.re + w * charged, w, w, {"charged_kl": charged.detach()})


class KLBalancingW(WSchedule):
    """loss = mean distortion + prior * KL(sg q || p) + posterior * KL(q || sg p), each side beyond its free nats.

    The prior learns faster than the posterior is drawn to it. DreamerV2: prior = a, posterior = 1 - a, a = 0.8; DreamerV3:
    prior 1 (b_dyn), posterior 0.1 (b_rep), free_nats 1 before the mean. What a nat costs the posterior is the reported w: at
    the optimum the prior follows whatever its own weight is.
    """

    def __init__(self, prior: float = 0.8, posterior: float = 0.2, free_nats: float = 0.0, clamp: Clamp = "after"):
        super().__init__()
        check_threshold(free_nats, clamp)
        if prior <= 0 or posterior < 0:
            raise ValueError(f"w_schedule wants prior > 0 and posterior >= 0, but got {prior} and {posterior}.")
        self.prior, self.posterior, self.free_nats, self.clamp = prior, posterior, free_nats, clamp

    def forward(self, terms: Terms) -> Weighted:
        """Charge both sides; their values are the same KL, their gradients are not."""
        for_prior, for_posterior = (
            charge(side.sum(-1), terms.mask, self.free_nats, self.clamp) for side in terms.stop_gradient_kls()
        )
        w = for_prior.new_tensor(self.posterior)
        loss = terms.re + self.prior * for_prior + w * for_posterior
        return Weighted(loss, w, w, {"w_prior": w.new_tensor(self.prior), "charged_kl": for_posterior.detach()})
