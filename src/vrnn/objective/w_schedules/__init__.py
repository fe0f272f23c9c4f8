"""How much the KL weighs: one class a scheme.

A schedule is given a training step's terms and yields the loss. Whatever it remembers (w, a step count) is a buffer, so it is
part of every checkpoint.
"""

from vrnn.objective.w_schedules.base import Terms, Weighted, WSchedule
from vrnn.objective.w_schedules.controllers import AdaptiveW, ControlVAEW, GecoW, RateW
from vrnn.objective.w_schedules.thresholds import FreeBitsW, FreeNatsW, KLBalancingW
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
    "WarmUp",
    "Weighted",
]
