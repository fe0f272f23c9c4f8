"""Strokes as offsets: (pen, dx, dy) per step, as in Chung et al. 2015 and Graves 2013 (arXiv 1308.0850).

Step t moves the pen by (dx, dy) to its next point. `pen` is 1 if the pen lifts there, so that step t + 1 draws no line.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def to_offsets(strokes: list[Array]) -> Array:
    """Turn strokes into steps.

    The result does not say whether the pen lifts at the very first point.

    Args:
        strokes: Each (n, 2), the points from pen down to pen up.

    Returns:
        (T, 3), the steps (pen, dx, dy), one fewer than there are points.
    """
    points = np.concatenate(strokes)
    last = np.zeros(len(points))
    last[np.cumsum([len(stroke) for stroke in strokes]) - 1] = 1.0
    return np.column_stack([last[1:], np.diff(points, axis=0)])


def to_plane(offsets: Array) -> tuple[Array, NDArray[np.bool_]]:
    """Turn steps into points of the plane, starting at the origin.

    Args:
        offsets: (T, 3), the steps (pen, dx, dy). A value of `pen` between 0 and 1 is a probability: the pen lifts above 1/2.
            A step with NaN does not move the pen, and the pen is lifted around it.

    Returns:
        The points, (T + 1, 2), and whether the pen is lifted after each of them, (T + 1,).
    """
    finite = np.asarray(np.isfinite(offsets).all(axis=-1))
    moves = np.where(finite[:, None], offsets[:, 1:], 0.0)
    points = np.concatenate([np.zeros((1, 2)), moves.cumsum(axis=0)])
    lifted = np.concatenate([[False], ~(offsets[:, 0] <= 0.5)])
    lifted[:-1] |= ~finite
    return points, lifted


def stroke_shares(counts: Sequence[int]) -> tuple[float, ...]:
    """Return the share of drawings with 0, 1, 2, … strokes.

    Args:
        counts: The number of strokes of each drawing.
    """
    shares = np.bincount(counts) / len(counts)
    return tuple(shares.tolist())


def end_drawings(traces: Array, strokes: Sequence[float], rng: np.random.Generator) -> tuple[Array, NDArray[np.bool_]]:
    """Return drawings with NaN after their end: the last lift of as many strokes as the drawings of the data have.

    How many is drawn for each from their distribution. A drawing with fewer lifts stays whole.

    Args:
        traces: (n, T, 3), the steps (pen, dx, dy).
        strokes: The shares of `stroke_shares`; () for data that are no drawings, which have no end.
        rng: Of the numbers of strokes.

    Returns:
        The drawings, (n, T, 3), and which of them have ended within T steps, (n,).
    """
    if not len(strokes):
        return traces, np.zeros(len(traces), dtype=bool)
    wanted = rng.choice(len(strokes), size=len(traces), p=np.asarray(strokes))
    lifts = (traces[..., 0] > 0.5).cumsum(axis=1)
    before = np.concatenate([np.zeros((len(traces), 1), dtype=lifts.dtype), lifts[:, :-1]], axis=1)
    return np.where((before >= wanted[:, None])[..., None], np.nan, traces), lifts[:, -1] >= wanted
