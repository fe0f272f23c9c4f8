"""Scores of generated drawings with lifts: do they end, and are their strokes as long as the data's?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Steps = NDArray[np.int64]

ABOUT = 0.1  # relative difference in length up to which two strokes are alike


def drawing_scores(
    drawn: Sequence[Array], ended: Sequence[bool], true: Sequence[Array], shares: Sequence[float]
) -> dict[str, Any]:
    """Compare generated drawings with those of the data, by the number and the lengths of their strokes.

    Args:
        drawn: Each (T, 3), steps (pen, dx, dy), NaN after the drawing's end; see `end_drawings`.
        ended: Which of them have ended.
        true: Likewise, of the data.
        shares: The shares of the data's drawings with 0, 1, 2, … strokes.

    Returns:
        A dictionary that is ready for JSON:

        - stroke_fractions: {number of strokes: share of the generated drawings that end with so many}. A drawing that has not
          ended after T steps counts as none of these.
        - strokes_right_fraction: The share of the generated drawings that have the strokes of one of the data's: as many, in
          the same order, and each as long up to a tenth, counted in steps. It tells early and late lifts where the data are
          few drawings; of sketches that all differ it says little.
        - truth: {stroke_fractions: those of the data}.
    """
    found = [_strokes(one) for one, has_ended in zip(drawn, ended, strict=True) if has_ended]
    known = {tuple(strokes.tolist()): strokes for strokes in map(_strokes, true)}
    counts = Counter(map(len, found))
    right = sum(any(_alike(strokes, other) for other in known.values()) for strokes in found)
    return {
        "stroke_fractions": {str(k): counts[k] / len(drawn) for k in sorted(counts)},
        "strokes_right_fraction": right / len(drawn),
        "truth": {"stroke_fractions": {str(k): share for k, share in enumerate(shares) if share}},
    }


def _strokes(drawing: Array) -> Steps:
    """Return the steps of each stroke of a drawing, from one lift to the next, (n,)."""
    return np.diff(np.flatnonzero(drawing[:, 0] > 0.5), prepend=-1)


def _alike(strokes: Steps, others: Steps) -> bool:
    return len(strokes) == len(others) and bool((np.abs(strokes - others) <= ABOUT * others).all())
