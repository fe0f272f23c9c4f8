"""Missing points: stretches of a trace that are hidden from the model."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from vrnn.patterns.trace import Trace


@dataclass(frozen=True)
class Gaps:
    """Hides `share` of a trace's points in stretches of about `length` steps, never all of them.

    Raises:
        ValueError: a share outside [0, 1), or a length below 1.
    """

    share: float = 0.0
    length: int = 10

    def __post_init__(self) -> None:
        if not 0.0 <= self.share < 1.0:
            raise ValueError(f"data.gaps.share must be in [0, 1), so that some points are left, but is {self.share}.")
        if self.length < 1:
            raise ValueError(f"data.gaps.length must be at least 1, but is {self.length}.")

    def hide(self, trace: Trace, rng: np.random.Generator) -> Trace:
        """Return the trace with gaps; its points stay as they are.

        So many points are hidden that their expected share is exact, in as many gaps of equal length as fit it best, each at
        a random place with at least one point between it and the next; in a short trace they are shorter.
        """
        steps = len(trace.points)
        hidden = min(int(self.share * steps + rng.random()), steps - 1)
        visible = steps - hidden
        count = min(max(1, round(hidden / self.length)), visible + 1)
        widths = np.full(count, hidden // count) + (np.arange(count) < hidden % count)
        before = np.sort(rng.choice(visible + 1, count, replace=False))  # visible points that precede each gap
        starts = before + np.cumsum(widths) - widths
        observed = trace.observed.copy()
        for start, width in zip(starts, widths, strict=True):
            observed[start : start + width] = False
        return replace(trace, observed=observed)
