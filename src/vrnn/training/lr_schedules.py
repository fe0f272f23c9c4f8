"""The learning rate over the training, as a share of its peak; the warm-up comes on top."""

from __future__ import annotations

import math
from typing import Any

from typing_extensions import override

from vrnn.checks import check_at_least, require


class LRSchedule:
    """The learning rate's course: the interface.

    Attributes:
        uses_total: Whether the rate at a step depends on how many steps the whole training has. A training of such a schedule
            cannot be made longer as if it had been so from the start.
    """

    uses_total: bool = False

    def factor(self, progress: float, final: float) -> float:
        """Return the learning rate as a share of its peak.

        Args:
            progress: The share of the training's steps that are done, in [0, 1].
            final: `optim.final_fraction`, the smallest share.
        """
        raise NotImplementedError

    def observe(self, score: float) -> None:
        """Take note of a validation's `val/elbo`, in nats per step."""

    def state_dict(self) -> dict[str, Any]:
        """Return all that `factor` depends on beside its arguments."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Undo `state_dict`."""


class Constant(LRSchedule):
    """The peak throughout."""

    @override
    def factor(self, progress: float, final: float) -> float:
        return 1.0


class Cosine(LRSchedule):
    """Half a cosine wave from the peak to its final share (Loshchilov & Hutter 2017, without restarts)."""

    uses_total = True

    @override
    def factor(self, progress: float, final: float) -> float:
        return final + (1 - final) * 0.5 * (1 + math.cos(math.pi * progress))


class OneCycle(LRSchedule):
    """Up along half a cosine wave, then down along another (Smith & Topin 2019).

    Args:
        rise: The share of the training in which the rate rises, in (0, 1).
        begin: The share of the peak at the beginning, in (0, 1].

    Raises:
        ValueError: A number is out of its range.
    """

    uses_total = True

    def __init__(self, rise: float = 0.3, begin: float = 0.04) -> None:
        require(0.0 < rise < 1.0, "lr_schedule.rise", "in (0, 1)", rise)
        require(0.0 < begin <= 1.0, "lr_schedule.begin", "in (0, 1]", begin)
        self.rise, self.begin = rise, begin

    @override
    def factor(self, progress: float, final: float) -> float:
        if progress < self.rise:
            return 1.0 + (self.begin - 1.0) * 0.5 * (1 + math.cos(math.pi * progress / self.rise))
        return final + (1 - final) * 0.5 * (1 + math.cos(math.pi * (progress - self.rise) / (1.0 - self.rise)))


class Plateau(LRSchedule):
    """Lower the rate when the ELBO on validation data has not become better for some validations.

    Args:
        decay: What the rate is multiplied by, in (0, 1).
        patience: Validations without a better ELBO that are waited for, >= 0.
        min_delta: How much better counts, in nats per step, >= 0.

    Raises:
        ValueError: A number is out of its range.
    """

    def __init__(self, decay: float = 0.5, patience: int = 2, min_delta: float = 0.0) -> None:
        require(0.0 < decay < 1.0, "lr_schedule.decay", "in (0, 1)", decay)
        self.decay, self.patience = decay, int(check_at_least("lr_schedule.patience", patience, 0))
        self.min_delta = check_at_least("lr_schedule.min_delta", min_delta, 0)
        self.best, self.waited, self.share = -math.inf, 0, 1.0

    @override
    def factor(self, progress: float, final: float) -> float:
        return max(self.share, final)

    @override
    def observe(self, score: float) -> None:
        if score > self.best + self.min_delta:
            self.best, self.waited = score, 0
            return
        self.waited += 1
        if self.waited > self.patience:
            self.share, self.waited = self.share * self.decay, 0

    @override
    def state_dict(self) -> dict[str, Any]:
        return {"best": self.best, "waited": self.waited, "share": self.share}

    @override
    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.best, self.waited, self.share = state["best"], state["waited"], state["share"]
