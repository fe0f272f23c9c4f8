"""Strokes as offsets: (pen, dx, dy) a step, as in Chung et al. 2015 and Graves 2013 (arXiv 1308.0850).

Step t leads the pen by (dx, dy) to its next point; pen is 1 if it lifts there, so that step t + 1 leaves no line.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def to_offsets(strokes: list[Array]) -> Array:
    """Return the strokes' points, each stroke (n, 2), as steps (T, 3), one fewer than there are points.

    That the very first point is a stroke of its own, if it is, is lost.
    """
    points = np.concatenate(strokes)
    last = np.zeros(len(points))
    last[np.cumsum([len(stroke) for stroke in strokes]) - 1] = 1.0
    return np.column_stack([last[1:], np.diff(points, axis=0)])


def to_plane(offsets: Array) -> tuple[Array, NDArray[np.bool_]]:
    """Return where steps (T, 3) lead from the origin, (T + 1, 2), and after which points the pen is lifted, (T + 1,).

    A pen between 0 and 1, a probability, lifts above 1/2. A step of NaN is taken as no move, with the pen lifted.
    """
    known = np.asarray(np.isfinite(offsets).all(axis=-1))
    moves = np.where(known[:, None], offsets[:, 1:], 0.0)
    points = np.concatenate([np.zeros((1, 2)), moves.cumsum(axis=0)])
    lifted = np.concatenate([[False], ~(offsets[:, 0] <= 0.5)])
    lifted[:-1] |= ~known
    return points, lifted
