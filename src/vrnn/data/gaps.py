"""Missing points: stretches of a trace that are hidden from the model."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from vrnn.checks import check_at_least, check_share
from vrnn.patterns.trace import Trace


@dataclass(frozen=True)
class Gaps:
    """Hides points of a trace in stretches of about equal length, never all of them.

    Args:
        share: The expected share of a trace's points that is hidden, in [0, 1).
        length: The length of a gap in steps, >= 1.

    Raises:
        ValueError: A number is out of its range.
    """

    share: float = 0.0
    length: int = 10

    def __post_init__(self) -> None:
        check_share("data.gaps.share", self.share)
        check_at_least("data.gaps.length", self.length, 1)

    def hide(self, trace: Trace, rng: np.random.Generator) -> Trace:
        """Return the trace with gaps in `observed`; its points stay as they are.

        The number of hidden points is random, such that the expected share is exact in short traces too. They form the number
        of gaps that brings their length closest to `length`. The gaps are at random places, with at least one visible point
        between two of them, and in a short trace they are shorter.
        """
        steps = len(trace.points)
        hidden = min(int(self.share * steps + rng.random()), steps - 1)
        visible = steps - hidden
        count = min(max(1, round(hidden / self.length)), visible + 1)
        widths = np.full(count, hidden // count) + (np.arange(count) < hidden % count)
        before = np.sort(rng.choice(visible + 1, count, replace=False))  # visible points before each gap
        starts = before + np.cumsum(widths) - widths
        observed = trace.observed.copy()
        for start, width in zip(starts, widths, strict=True):
            observed[start : start + width] = False
        return replace(trace, observed=observed)
