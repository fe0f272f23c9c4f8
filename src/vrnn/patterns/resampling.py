"""Brings drawings to one size, and to one speed along a smooth curve through their points."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]

FINE = 16  # pieces in which each stretch between two drawn points is measured


def normalise(points: Points) -> Points:
    """Return (T, 2) points with zero mean and one scale for both axes, such that std_x + std_y = 2. Rows of NaN stay.

    The aspect is kept. This is how the blog's traces were prepared (S. Verduzco, "VRNN: not your regular RNN", 2023).
    """
    mean, factor = normalisation(points)
    scaled: Points = (points - mean) * factor
    return scaled


def normalisation(points: Points) -> tuple[Points, float]:
    """Return the mean (2,) that `normalise` subtracts from points (T, 2), and the factor by which it then multiplies."""
    known = points[np.isfinite(points).all(axis=1)]
    mean: Points = known.mean(axis=0)
    return mean, float(2.0 / (known - mean).std(axis=0).sum())


class SmoothStroke:
    """A smooth curve through drawn points, asked by arc length.

    A cubic spline in the chord length through points (T, 2); a point that repeats its predecessor (a resting pen) is
    passed once. `length` is the curve's arc length in the points' units, measured on 16 chords between two points.
    """

    def __init__(self, points: Points) -> None:
        from scipy.interpolate import CubicSpline  # a fifth of a second, which answers without a drawing do not need

        moved = np.concatenate([[True], np.any(np.diff(points, axis=0) != 0.0, axis=1)])
        points = points[moved]
        chord = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(points, axis=0).T))])
        self._curve = CubicSpline(chord, points)
        knots = np.arange(len(chord))
        self._parameter = np.interp(np.arange((len(chord) - 1) * FINE + 1) / FINE, knots, chord)
        pieces = np.hypot(*np.diff(self._curve(self._parameter), axis=0).T)
        self._arc = np.concatenate([[0.0], np.cumsum(pieces)])
        self.length = float(self._arc[-1])

    def at(self, arc: Points) -> Points:
        """Return the points (n, 2) at n arc lengths in [0, length]."""
        points: Points = self._curve(np.interp(arc, self._arc, self._parameter))
        return points


def at_constant_speed(points: Points, speed: float) -> Points:
    """Return points at one distance along the smooth curve through a drawing (T, 2), up to its end.

    Args:
        points: (T, 2), without lost points.
        speed: The arc length between two points, in their units.
    """
    stroke = SmoothStroke(points)
    back = np.arange(int(stroke.length / speed) + 1, dtype=np.float64)[::-1]
    return stroke.at(stroke.length - speed * back)
