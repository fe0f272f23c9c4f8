"""The interface of a schedule of w: the terms of a step, and the loss made of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Literal, NamedTuple

from torch import Tensor, nn
from typing_extensions import override

from vrnn.objective.reduction import any_observed, mean_per_step
from vrnn.objective.wake import WakeTerms


class Terms(NamedTuple):
    """The terms of a training step's loss before they are weighted.

    Attributes:
        distortion: The likelihood's term, (T, B): -log p(x | z) in nats, or a squared error.
        kl: The exact KL(q || p) of each group of latent variables, (T, B, groups), in nats. A Gaussian's groups are its
            dimensions.
        stop_gradient_kls: Returns the same KL twice, KL(sg q || p) and KL(q || sg p), where sg stops the gradient: the first
            trains the prior alone, the second the posterior alone.
        mask: (T, B), True at the steps that count; None: everywhere.
        wake: Returns the terms of the wake loss from so many samples of z per step; None where the caller has none.
    """

    distortion: Tensor
    kl: Tensor
    stop_gradient_kls: Callable[[], tuple[Tensor, Tensor]]
    mask: Tensor | None = None
    wake: Callable[[int], WakeTerms] | None = None

    @property
    def observed(self) -> bool:
        """Whether any step counts."""
        return any_observed(self.mask)

    @property
    def re(self) -> Tensor:
        """The mean distortion per step, ()."""
        return mean_per_step(self.distortion, self.mask)

    @property
    def mean_kl(self) -> Tensor:
        """The mean KL per step, summed over all groups, () in nats."""
        return mean_per_step(self.kl.sum(-1), self.mask)


class Weighted(NamedTuple):
    """The weighted terms.

    Attributes:
        loss: () to minimise.
        w: () the weight as the schedule defines it.
        w_per_step: () the weight of a nat of KL per step against the mean distortion per step. Times the nats that a unit of
            distortion is worth, it is the ELBO's beta.
        log: Further scalars, by name, each (). Where a threshold has changed the KL that enters the loss, that one is
            `charged_kl`; the KL itself is logged elsewhere.
    """

    loss: Tensor
    w: Tensor
    w_per_step: Tensor
    log: Mapping[str, Tensor] = MappingProxyType({})


class WSchedule(nn.Module):
    """The interface. A schedule is called with the `Terms` of a step; in training mode this advances it by one step.

    Attributes:
        balances: Whose classes the latent's penalty for unused ones counts.
        stops_gradients: Whether prior and posterior learn by terms of their own, each with the other's gradient stopped.
    """

    balances: Literal["posterior", "prior"] = "posterior"
    stops_gradients: bool = False

    @override
    def forward(self, terms: Terms) -> Weighted:
        """Return the loss of a step."""
        raise NotImplementedError

    def scalar_weight(self) -> Tensor | None:
        """Return w, (), if the next loss is mean distortion + w * mean KL with a w determined before the step; else None.

        Such a w can be part of the log weights of particles.
        """
        return None
