"""One size, and one speed along a smooth curve."""

import numpy as np
import pytest

from vrnn.patterns.resampling import SmoothStroke, normalise


def lissajous(steps=400, turns=3.0):
    t = np.linspace(0, 2 * np.pi * turns, steps)
    t = t + 0.4 * np.sin(t)  # an uneven pen
    return np.stack([2 * np.cos(t), np.sin(2 * t) + 0.1 * t], axis=1)


def test_normalise_keeps_the_aspect_and_sets_mean_and_scale():
    points = lissajous() * 37.0 + [1000.0, -3.0]
    result = normalise(points)
    np.testing.assert_allclose(result.mean(axis=0), 0.0, atol=1e-12)
    assert result.std(axis=0).sum() == pytest.approx(2.0)
    factor = 2.0 / points.std(axis=0).sum()  # one for both axes
    np.testing.assert_allclose(np.diff(result, axis=0), factor * np.diff(points, axis=0), atol=1e-12)
    np.testing.assert_allclose(normalise(result), result, atol=1e-12)


def test_arc_length_of_a_circle():
    """A cubic through 100 points of a circle of radius 3 is as long as the circle, to a few parts in a million."""
    t = np.linspace(0, 2 * np.pi, 101)
    stroke = SmoothStroke(3 * np.stack([np.cos(t), np.sin(t)], axis=1))
    assert stroke.length == pytest.approx(6 * np.pi, rel=1e-5)
    np.testing.assert_allclose(stroke.at(np.array([1.5 * np.pi, 3 * np.pi])), [[0, 3], [-3, 0]], atol=1e-4)


def test_speed_is_constant_where_the_pens_was_not():
    points = lissajous()
    drawn = np.hypot(*np.diff(points, axis=0).T)
    stroke = SmoothStroke(points)
    chords = np.hypot(*np.diff(stroke.at(np.arange(0, stroke.length, 0.02)), axis=0).T)
    assert drawn.std() / drawn.mean() > 0.3
    np.testing.assert_allclose(chords, 0.02, rtol=2e-3)


def test_curve_meets_drawn_points_even_where_the_pen_rests():
    points = lissajous()
    stroke, rested = SmoothStroke(points), SmoothStroke(np.repeat(points, 3, axis=0))
    assert rested.length == stroke.length
    np.testing.assert_array_equal(rested.at(np.array([0.0, 1.0, 2.0])), stroke.at(np.array([0.0, 1.0, 2.0])))
    np.testing.assert_allclose(stroke.at(np.array([0.0, stroke.length])), points[[0, -1]], atol=1e-12)
    curve = stroke.at(np.linspace(0, stroke.length, 40000))
    assert max(np.hypot(*(curve - point).T).min() for point in points[::10]) < 1e-3
