"""Closed curves parametrised by arc length. A new curve is one class that says its parametric form."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from vrnn.checks import Points, number, pair, positive


class Curve(ABC):
    """A closed curve in the plane, walked at unit speed.

    A subclass sets its own numbers, calls `super().__init__(start, reverse)` last, and defines `form`.

    start: where the pen begins, in degrees of the curve's own parameter (each class says where 0 is).
    reverse: walk the curve the other way round.

    Arc length is summed over `resolution` chords, which for a smooth curve is right to about 1e-7 of the length.

    Raises:
        ValueError: `start` is not finite, or the curve has no length.
    """

    resolution = 5040

    def __init__(self, start: float = 0.0, reverse: bool = False) -> None:
        start = number("start", start)
        self._turns = np.linspace(0.0, 1.0, self.resolution + 1)
        chords = np.linalg.norm(np.diff(self.form(self._turns), axis=0), axis=-1)
        self._arc = np.concatenate([[0.0], np.cumsum(chords)])
        self._sign = -1.0 if reverse else 1.0
        self._offset = float(np.interp((start / 360.0) % 1.0, self._turns, self._arc))
        if not self.length > 0.0:
            raise ValueError(f"{type(self).__name__}: expected a curve with a length, got a single point")

    @abstractmethod
    def form(self, turns: Points) -> Points:
        """Return the points (…, 2) at parameter values (…) in [0, 1], one turn; form(0) must equal form(1)."""

    @property
    def length(self) -> float:
        """The curve's perimeter, in the units of its coordinates."""
        return float(self._arc[-1])

    @property
    def start(self) -> Points:
        """The point (2,) where a lap begins and ends: at(0)."""
        return self.at(0.0)

    def at(self, s: ArrayLike) -> Points:
        """Return the points (…, 2) after walking the distances s (…) from the start; periodic in `length`."""
        walked = (self._offset + self._sign * np.asarray(s, dtype=float)) % self.length
        return self.form(np.interp(walked, self._arc, self._turns))


class Circle(Curve):
    """A circle, anticlockwise; 0 degrees is its rightmost point, 90 its top."""

    def __init__(
        self, radius: float, center: Sequence[float] = (0.0, 0.0), start: float = 0.0, reverse: bool = False
    ) -> None:
        self.radius = positive("Circle.radius", radius)
        self.center = pair("Circle.center", center)
        super().__init__(start, reverse)

    def form(self, turns: Points) -> Points:
        """Return center + radius (cos t, sin t)."""
        return self.center + self.radius * _unit(turns)


class Oval(Curve):
    """An ellipse with half-axes (horizontal, vertical), anticlockwise; 0 degrees is its rightmost point, 90 its top."""

    def __init__(
        self,
        half_axes: Sequence[float],
        center: Sequence[float] = (0.0, 0.0),
        start: float = 0.0,
        reverse: bool = False,
    ) -> None:
        self.half_axes = pair("Oval.half_axes", half_axes, above_zero=True)
        self.center = pair("Oval.center", center)
        super().__init__(start, reverse)

    def form(self, turns: Points) -> Points:
        """Return center + (a cos t, b sin t)."""
        return self.center + self.half_axes * _unit(turns)


class Polygon(Curve):
    """Straight edges between vertices, walked as they are listed (three vertices: a triangle).

    Each of the n edges takes 360 / n degrees; 0 degrees is the first vertex.

    Raises:
        ValueError: fewer than three vertices, or two neighbours that are the same point.
    """

    def __init__(self, vertices: Sequence[Sequence[float]], start: float = 0.0, reverse: bool = False) -> None:
        if len(vertices) < 3:
            raise ValueError(f"Polygon.vertices: expected three or more [x, y] points, got {len(vertices)}")
        corners = np.stack([pair(f"Polygon.vertices[{i}]", v) for i, v in enumerate(vertices)])
        self.vertices = np.concatenate([corners, corners[:1]])
        if not (np.linalg.norm(np.diff(self.vertices, axis=0), axis=1) > 0.0).all():
            raise ValueError("Polygon.vertices: expected neighbours that differ, got the same point twice in a row")
        self.resolution = 512 * len(corners)  # so that every corner is one of the summed points
        super().__init__(start, reverse)

    def form(self, turns: Points) -> Points:
        """Return the point on the edge that `turns` falls on."""
        edge = np.asarray(turns) * (len(self.vertices) - 1)
        knots = np.arange(len(self.vertices))
        return np.stack([np.interp(edge, knots, self.vertices[:, axis]) for axis in (0, 1)], axis=-1)


class Eight(Curve):
    """An upright 8: center + (-w sin 2t, h cos t), with half-sizes (w, h); 0 degrees is its top, left side first."""

    def __init__(
        self,
        half_sizes: Sequence[float],
        center: Sequence[float] = (0.0, 0.0),
        start: float = 0.0,
        reverse: bool = False,
    ) -> None:
        self.half_sizes = pair("Eight.half_sizes", half_sizes, above_zero=True)
        self.center = pair("Eight.center", center)
        super().__init__(start, reverse)

    def form(self, turns: Points) -> Points:
        """Return a Lissajous figure 2 : 1, upright."""
        t = 2.0 * np.pi * np.asarray(turns)
        return self.center + self.half_sizes * np.stack([-np.sin(2.0 * t), np.cos(t)], axis=-1)


class Infinity(Curve):
    """A lying 8: center + (w cos t, h sin 2t), with half-sizes (w, h); 0 degrees is its rightmost point, upwards."""

    def __init__(
        self,
        half_sizes: Sequence[float],
        center: Sequence[float] = (0.0, 0.0),
        start: float = 0.0,
        reverse: bool = False,
    ) -> None:
        self.half_sizes = pair("Infinity.half_sizes", half_sizes, above_zero=True)
        self.center = pair("Infinity.center", center)
        super().__init__(start, reverse)

    def form(self, turns: Points) -> Points:
        """Return a Lissajous figure 1 : 2, lying."""
        t = 2.0 * np.pi * np.asarray(turns)
        return self.center + self.half_sizes * np.stack([np.cos(t), np.sin(2.0 * t)], axis=-1)


def _unit(turns: Points) -> Points:
    t = 2.0 * np.pi * np.asarray(turns)
    return np.stack([np.cos(t), np.sin(t)], axis=-1)
