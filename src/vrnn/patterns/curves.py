"""Closed curves, parametrised by arc length. A new curve is one class that gives its parametric form."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike
from typing_extensions import override

from vrnn.checks import Points, check_number, check_pair, check_positive, check_positive_pair, require


class Curve(ABC):
    """A closed curve in the plane, followed at unit speed.

    A subclass sets its own parameters, then calls `super().__init__(start, reverse)`, and implements `form`. The arc length
    is summed over `resolution` chords, which for a smooth curve is right to about 1e-7 of the length.

    Args:
        start: Where a lap begins, in degrees of the curve's parameter. Each class says where 0 is.
        reverse: Whether to follow the curve in the opposite direction.

    Raises:
        ValueError: `start` is not finite, or all points of the curve are the same.
    """

    resolution = 5040

    def __init__(self, start: float = 0.0, reverse: bool = False) -> None:
        start = check_number(f"{type(self).__name__}.start", start)
        self._turns = np.linspace(0.0, 1.0, self.resolution + 1)
        chords = np.linalg.norm(np.diff(self.form(self._turns), axis=0), axis=-1)
        self._arc = np.concatenate([[0.0], np.cumsum(chords)])
        self._sign = -1.0 if reverse else 1.0
        self._offset = float(np.interp((start / 360.0) % 1.0, self._turns, self._arc))
        require(self.length > 0.0, f"{type(self).__name__}.length", "> 0", self.length, "give the curve some extent")

    @abstractmethod
    def form(self, turns: Points) -> Points:
        """Return points of the curve from its parametric form.

        Args:
            turns: (…), parameter values in [0, 1], where 1 is one turn. form(0) must equal form(1).

        Returns:
            (…, 2), the points [x, y].
        """

    @property
    def length(self) -> float:
        """The perimeter, in the units of the coordinates."""
        return float(self._arc[-1])

    @property
    def start(self) -> Points:
        """The point (2,) where a lap begins and ends: at(0)."""
        return self.at(0.0)

    def at(self, s: ArrayLike) -> Points:
        """Return the points at given distances from the start, measured along the curve.

        Args:
            s: (…), distances in the units of the coordinates. The curve is periodic in `length`.

        Returns:
            (…, 2), the points [x, y].
        """
        distance = (self._offset + self._sign * np.asarray(s, dtype=float)) % self.length
        return self.form(np.interp(distance, self._arc, self._turns))


class Circle(Curve):
    """A circle, center + radius (cos t, sin t), anticlockwise; 0 degrees is its rightmost point, 90 its top.

    Args:
        radius: > 0.
        center: [x, y].
        start: See `Curve`.
        reverse: See `Curve`.
    """

    def __init__(
        self, radius: float, center: Sequence[float] = (0.0, 0.0), start: float = 0.0, reverse: bool = False
    ) -> None:
        self.radius = check_positive("Circle.radius", radius)
        self.center = check_pair("Circle.center", center)
        super().__init__(start, reverse)

    @override
    def form(self, turns: Points) -> Points:
        return self.center + self.radius * _unit_circle(turns)


class Oval(Curve):
    """An ellipse, center + (a cos t, b sin t), anticlockwise; 0 degrees is its rightmost point, 90 its top.

    Args:
        half_axes: [a, b], the horizontal and the vertical half-axis, both > 0.
        center: [x, y].
        start: See `Curve`.
        reverse: See `Curve`.
    """

    def __init__(
        self,
        half_axes: Sequence[float],
        center: Sequence[float] = (0.0, 0.0),
        start: float = 0.0,
        reverse: bool = False,
    ) -> None:
        self.half_axes = check_positive_pair("Oval.half_axes", half_axes)
        self.center = check_pair("Oval.center", center)
        super().__init__(start, reverse)

    @override
    def form(self, turns: Points) -> Points:
        return self.center + self.half_axes * _unit_circle(turns)


class Polygon(Curve):
    """Straight edges between vertices, in the order in which they are listed; three vertices make a triangle.

    Each of the n edges takes 360 / n degrees; 0 degrees is the first vertex.

    Args:
        vertices: Three or more points [x, y].
        start: See `Curve`.
        reverse: See `Curve`.

    Raises:
        ValueError: There are fewer than three vertices, or two neighbours are the same point.
    """

    def __init__(self, vertices: Sequence[Sequence[float]], start: float = 0.0, reverse: bool = False) -> None:
        require(len(vertices) >= 3, "Polygon.vertices", "three or more points [x, y]", vertices)
        corners = np.stack([check_pair(f"Polygon.vertices[{i}]", v) for i, v in enumerate(vertices)])
        self.vertices = np.concatenate([corners, corners[:1]])
        edges = np.linalg.norm(np.diff(self.vertices, axis=0), axis=1)
        require(
            bool((edges > 0.0).all()),
            "Polygon.vertices",
            "points that differ from their neighbours",
            vertices,
            "remove the repeated point (the last edge leads back to the first vertex by itself)",
        )
        self.resolution = 512 * len(corners)  # so that every corner is one of the summed points
        super().__init__(start, reverse)

    @override
    def form(self, turns: Points) -> Points:
        edge = np.asarray(turns) * (len(self.vertices) - 1)
        knots = np.arange(len(self.vertices))
        return np.stack([np.interp(edge, knots, self.vertices[:, axis]) for axis in (0, 1)], axis=-1)


class Eight(Curve):
    """An upright 8, center + (-w sin 2t, h cos t); 0 degrees is its top, from where it turns left.

    It is a Lissajous curve with frequencies 2 : 1.

    Args:
        half_sizes: [w, h], half the width and half the height, both > 0.
        center: [x, y].
        start: See `Curve`.
        reverse: See `Curve`.
    """

    def __init__(
        self,
        half_sizes: Sequence[float],
        center: Sequence[float] = (0.0, 0.0),
        start: float = 0.0,
        reverse: bool = False,
    ) -> None:
        self.half_sizes = check_positive_pair("Eight.half_sizes", half_sizes)
        self.center = check_pair("Eight.center", center)
        super().__init__(start, reverse)

    @override
    def form(self, turns: Points) -> Points:
        t = 2.0 * np.pi * np.asarray(turns)
        return self.center + self.half_sizes * np.stack([-np.sin(2.0 * t), np.cos(t)], axis=-1)


class Infinity(Curve):
    """A lying 8, center + (w cos t, h sin 2t); 0 degrees is its rightmost point, from where it turns upwards.

    It is a Lissajous curve with frequencies 1 : 2.

    Args:
        half_sizes: [w, h], half the width and half the height, both > 0.
        center: [x, y].
        start: See `Curve`.
        reverse: See `Curve`.
    """

    def __init__(
        self,
        half_sizes: Sequence[float],
        center: Sequence[float] = (0.0, 0.0),
        start: float = 0.0,
        reverse: bool = False,
    ) -> None:
        self.half_sizes = check_positive_pair("Infinity.half_sizes", half_sizes)
        self.center = check_pair("Infinity.center", center)
        super().__init__(start, reverse)

    @override
    def form(self, turns: Points) -> Points:
        t = 2.0 * np.pi * np.asarray(turns)
        return self.center + self.half_sizes * np.stack([np.cos(t), np.sin(2.0 * t)], axis=-1)


def _unit_circle(turns: Points) -> Points:
    t = 2.0 * np.pi * np.asarray(turns)
    return np.stack([np.cos(t), np.sin(t)], axis=-1)
