"""Schedules without a state: some nats of KL are free, or the KL is divided between prior and posterior."""

from __future__ import annotations

from typing import Literal, get_args

import torch
from torch import Tensor
from typing_extensions import override

from vrnn.objective.reduction import mean_per_step
from vrnn.objective.w_schedules.base import Terms, Weighted, WSchedule

Clamp = Literal["before", "after"]


def charge(kl: Tensor, mask: Tensor | None, free_nats: float, clamp: Clamp) -> Tensor:
    """Return the mean KL per step after a threshold, () in nats.

    Args:
        kl: KL_tb, (T, B).
        mask: (T, B), True at observed steps; None: everywhere.
        free_nats: The threshold, in nats per step.
        clamp: "before" the mean: mean of max(KL_tb, free_nats); "after" it: max(mean of KL_tb, free_nats).
    """
    if clamp == "before":
        return mean_per_step(kl.clamp(min=free_nats), mask)
    return mean_per_step(kl, mask).clamp(min=free_nats)


def check_threshold(free_nats: float, clamp: Clamp) -> None:
    """Refuse arguments that `charge` cannot use.

    Raises:
        ValueError: A negative threshold, or an unknown place of the clamp.
    """
    if free_nats < 0:
        raise ValueError(f"w_schedule.free_nats must be at least 0, but is {free_nats}.")
    if clamp not in get_args(Clamp):
        raise ValueError(f"w_schedule.clamp must be 'before' or 'after' (the mean), but is {clamp!r}.")


def check_weight(name: str, weight: float) -> None:
    """Refuse a negative weight.

    Raises:
        ValueError: It is negative.
    """
    if weight < 0:
        raise ValueError(f"w_schedule.{name} must be at least 0, but is {weight}.")


class FreeNatsW(WSchedule):
    """loss = mean distortion + w * KL, where the first `free_nats` of each step add no gradient.

    Args:
        free_nats: In nats per step.
        clamp: "before" the mean, KL = mean max(KL_tb, free_nats), so that each step has its own allowance (Hafner et al. 2023,
            DreamerV3, arXiv 2301.04104); or "after" it, KL = max(mean KL, free_nats), so that one step may use what the others
            do not (DreamerV2, arXiv 2010.02193).
        w: The weight.

    Raises:
        ValueError: A negative number, or an unknown clamp.
    """

    def __init__(self, free_nats: float = 1.0, clamp: Clamp = "before", w: float = 1.0):
        super().__init__()
        check_threshold(free_nats, clamp)
        check_weight("w", w)
        self.free_nats, self.clamp, self.w = free_nats, clamp, w

    @override
    def forward(self, terms: Terms) -> Weighted:
        charged = charge(terms.kl.sum(-1), terms.mask, self.free_nats, self.clamp)
        w = charged.new_tensor(self.w)
        return Weighted(terms.re + w * charged, w, w, {"charged_kl": charged.detach()})


class FreeBitsW(WSchedule):
    """loss = mean distortion + w * sum over groups of max(free_nats, mean KL of the group).

    Free bits (Kingma et al. 2016, arXiv 1606.04934).
    The mean over all observed steps and traces comes before the max, as in openai/iaf, where a sequence is one image. The
    latent defines the groups: each dimension of a Gaussian, each categorical variable.

    Args:
        free_nats: In nats per step and group.
        w: The weight.

    Raises:
        ValueError: A negative number.
    """

    def __init__(self, free_nats: float = 0.25, w: float = 1.0):
        super().__init__()
        check_threshold(free_nats, "after")
        check_weight("w", w)
        self.free_nats, self.w = free_nats, w

    @override
    def forward(self, terms: Terms) -> Weighted:
        groups = [charge(kl, terms.mask, self.free_nats, "after") for kl in terms.kl.unbind(-1)]
        charged = torch.stack(groups).sum()
        w = charged.new_tensor(self.w)
        return Weighted(terms.re + w * charged, w, w, {"charged_kl": charged.detach()})


class KLBalancingW(WSchedule):
    """loss = mean distortion + prior * KL(sg q || p) + posterior * KL(q || sg p), where sg stops the gradient.

    With prior > posterior the prior moves faster towards the posterior than the posterior towards the prior. DreamerV2
    (arXiv 2010.02193): prior = a, posterior = 1 - a, a = 0.8. DreamerV3 (arXiv 2301.04104): prior 1 (b_dyn), posterior 0.1
    (b_rep), free_nats 1 before the mean. The reported w is the posterior's weight: at the optimum the prior fits the posterior
    whatever its own weight is.

    Args:
        prior: Weight of the KL that trains the prior.
        posterior: Weight of the KL that trains the posterior.
        free_nats: Threshold of both, in nats per step.
        clamp: Whether the threshold is applied "before" or "after" the mean.

    Raises:
        ValueError: A prior that is not positive, a negative number, or an unknown clamp.
    """

    stops_gradients = True

    def __init__(self, prior: float = 0.8, posterior: float = 0.2, free_nats: float = 0.0, clamp: Clamp = "after"):
        super().__init__()
        check_threshold(free_nats, clamp)
        if prior <= 0:
            raise ValueError(f"w_schedule.prior must be positive, but is {prior}.")
        check_weight("posterior", posterior)
        self.prior, self.posterior, self.free_nats, self.clamp = prior, posterior, free_nats, clamp

    @override
    def forward(self, terms: Terms) -> Weighted:
        # Both have the same value, the KL, but different gradients.
        for_prior, for_posterior = (
            charge(kl.sum(-1), terms.mask, self.free_nats, self.clamp) for kl in terms.stop_gradient_kls()
        )
        w = for_prior.new_tensor(self.posterior)
        loss = terms.re + self.prior * for_prior + w * for_posterior
        return Weighted(loss, w, w, {"w_prior": w.new_tensor(self.prior), "charged_kl": for_posterior.detach()})
