"""Intervals of a mean over seeds, and how two settings differ."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

FEWEST = 5  # seeds for a verdict: intervals of two seeds each miss each other by chance once in three times


class Difference(NamedTuple):
    """How much the mean of one group exceeds another's.

    Attributes:
        mean: The difference of the means.
        low: Lower end of its 95 % interval.
        high: Upper end.
        effect: Hedges' g: the difference in units of the seeds' common standard deviation, corrected for few seeds (Hedges
            1981).
    """

    mean: float
    low: float
    high: float
    effect: float


def mean_interval(values: Array) -> tuple[float, float]:
    """Return the 95 % interval of a mean by Student's t; NaN for fewer than two values."""
    if len(values) < 2:
        return math.nan, math.nan
    from scipy import stats  # a second, which lists of runs do not need

    half = float(stats.t.ppf(0.975, len(values) - 1) * stats.sem(values))
    return float(values.mean()) - half, float(values.mean()) + half


def difference(a: Array, b: Array) -> Difference:
    """Compare the means of two groups of seeds by Welch's t test, which allows for unequal variances (Welch 1947).

    Args:
        a: One group's scores, at least two.
        b: The other's.
    """
    from scipy import stats

    mean, degrees = float(a.mean() - b.mean()), len(a) + len(b) - 2
    deviation = math.sqrt(((len(a) - 1) * a.var(ddof=1) + (len(b) - 1) * b.var(ddof=1)) / degrees)
    if not np.ptp(a) and not np.ptp(b):
        return Difference(mean, mean, mean, math.copysign(math.inf, mean) if mean else 0.0)
    errors = np.array([stats.sem(a), stats.sem(b)]) ** 2
    welch = errors.sum() ** 2 / (errors**2 / [len(a) - 1, len(b) - 1]).sum()
    half = float(stats.t.ppf(0.975, welch) * math.sqrt(errors.sum()))
    return Difference(mean, mean - half, mean + half, mean / deviation * (1 - 3 / (4 * degrees - 1)))
