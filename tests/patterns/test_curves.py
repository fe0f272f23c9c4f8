"""Curves: arc length against closed forms, starts, directions, and errors."""

import math

import numpy as np
import pytest
from scipy.special import ellipe

from vrnn.patterns import Circle, Curve, Eight, Infinity, Oval, Polygon

CURVES: dict[str, Curve] = {
    "circle": Circle(1.3, center=[0.2, -1.0], start=70),
    "oval": Oval([1.9, 0.4], start=200, reverse=True),
    "triangle": Polygon([[0, 0], [1.8, 1.2], [1.9, -0.9]], start=60),
    "eight": Eight([0.4, 1.0], center=[0, -1]),
    "infinity": Infinity([2.0, 0.7], start=45),
}


def test_perimeters_equal_their_closed_forms():
    assert Circle(1.3).length == pytest.approx(2 * math.pi * 1.3, rel=1e-6)
    assert Oval([1.9, 0.4]).length == pytest.approx(4 * 1.9 * ellipe(1 - (0.4 / 1.9) ** 2), rel=1e-6)
    sides = math.hypot(1.8, 1.2) + math.hypot(0.1, 2.1) + math.hypot(1.9, 0.9)
    assert Polygon([[0, 0], [1.8, 1.2], [1.9, -0.9]]).length == pytest.approx(sides, rel=1e-12)


def test_circle_by_arc_length_is_the_angle():
    s = np.linspace(-3.0, 20.0, 50)
    circle = Circle(2.0, center=[1.0, 0.0], start=90, reverse=True)
    angle = math.pi / 2 - s / 2.0
    np.testing.assert_allclose(circle.at(s), np.stack([1 + 2 * np.cos(angle), 2 * np.sin(angle)], -1), atol=1e-5)


@pytest.mark.parametrize("name", CURVES)
def test_curves_have_unit_speed_and_close(name):
    curve = CURVES[name]
    s = np.linspace(0.0, curve.length, 20001)
    speed = np.linalg.norm(np.diff(curve.at(s), axis=0), axis=1) / np.diff(s)
    corners = 3 if name == "triangle" else 0  # a chord across a corner is shorter than the way round it
    assert (np.abs(speed - 1.0) > 1e-3).sum() <= corners
    np.testing.assert_allclose(curve.at(curve.length), curve.start, atol=1e-9)
    np.testing.assert_allclose(curve.at(s - curve.length), curve.at(s), atol=1e-9)


def test_starts_are_those_of_the_docstrings():
    np.testing.assert_allclose(Circle(1.0, start=90).start, [0, 1], atol=1e-9)
    np.testing.assert_allclose(Polygon([[0, 0], [2, 0], [1, 1]], start=60).start, [1, 0], atol=1e-9)
    eight, infinity = Eight([0.4, 1.0]), Infinity([2.0, 0.7])
    np.testing.assert_allclose(eight.start, [0, 1], atol=1e-9)
    assert eight.at(0.1)[0] < 0
    np.testing.assert_allclose(infinity.start, [2, 0], atol=1e-9)
    assert infinity.at(0.1)[1] > 0


def test_reverse_has_the_same_points_backwards():
    forth, back = Eight([0.4, 1.0], start=30), Eight([0.4, 1.0], start=30, reverse=True)
    s = np.linspace(0, 3, 7)
    np.testing.assert_allclose(forth.at(s), back.at(-s), atol=1e-9)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Circle(0.0), "Circle.radius must be a number > 0, but is 0"),
        (lambda: Circle(1.0, center=[1]), "Circle.center must be two finite numbers"),
        (lambda: Circle(1.0, start=math.nan), "Circle.start must be a finite number, but is nan"),
        (lambda: Oval([1.0, -1.0]), r"Oval.half_axes must be two numbers \[x, y\], both > 0, but is \[1.0, -1.0\]"),
        (lambda: Oval("wide"), "Oval.half_axes must be two numbers"),
        (lambda: Polygon([[0, 0], [1, 1]]), "Polygon.vertices must be three or more points"),
        (
            lambda: Polygon([[0, 0], [0, 0], [1, 1]]),
            "Polygon.vertices must be points that differ from their neighbours",
        ),
        (lambda: Polygon([[0, 0], [0, math.inf], [1, 1]]), r"Polygon.vertices\[1\] must be two finite numbers"),
        (lambda: Eight([0.0, 1.0]), "Eight.half_sizes"),
        (lambda: Infinity([1.0, True]), "Infinity.half_sizes"),
    ],
)
def test_errors_name_the_setting(build, message):
    with pytest.raises(ValueError, match=message):
        build()
