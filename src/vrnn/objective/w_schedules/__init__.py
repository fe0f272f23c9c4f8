"""Schedules of w, the weight of the KL: one class per schedule.

A schedule makes the loss of a training step from its terms. All of its state (w, a step count) is in buffers, so that every
checkpoint contains it.
"""

from vrnn.objective.w_schedules.base import Terms, Weighted, WSchedule
from vrnn.objective.w_schedules.controllers import AdaptiveW, ControlVAEW, GecoW, RateW
from vrnn.objective.w_schedules.thresholds import FreeBitsW, FreeNatsW, KLBalancingW
from vrnn.objective.w_schedules.wake import WakeW
from vrnn.objective.w_schedules.warm_ups import (
    ConstantW,
    CosineW,
    CyclicalW,
    ExponentialW,
    LinearW,
    LogisticW,
    WarmUp,
)

__all__ = [
    "AdaptiveW",
    "ConstantW",
    "ControlVAEW",
    "CosineW",
    "CyclicalW",
    "ExponentialW",
    "FreeBitsW",
    "FreeNatsW",
    "GecoW",
    "KLBalancingW",
    "LinearW",
    "LogisticW",
    "RateW",
    "Terms",
    "WSchedule",
    "WakeW",
    "WarmUp",
    "Weighted",
]
