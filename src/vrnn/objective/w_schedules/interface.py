"""What a training step is made of, and what a schedule makes of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from torch import Tensor, nn

from vrnn.objective.reduction import any_observed, mean_per_step


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

    @property
    def observed(self) -> bool:
        """Whether there is any step to learn from."""
        return any_observed(self.mask)

    @property
    def re(self) -> Tensor:
        """The mean distortion per step, ()."""
        return mean_per_step(self.distortion, self.mask)

    @property
    def rate(self) -> Tensor:
        """The mean KL per step over all groups, () in nats."""
        return mean_per_step(self.kl.sum(-1), self.mask)


class Weighted(NamedTuple):
    """loss: () to minimise; w: () the weight as the scheme defines it; w_per_step: () what a nat of KL per step costs q.

    w_per_step is against the mean distortion per step: times the nats a unit of distortion is worth it is the ELBO's beta.
    log: what else the scheme wants written down, by name, each (). The KL that enters the loss, where a threshold has
    changed it, is `charged_kl`; the KL itself is reported elsewhere, untouched.
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
