"""Closest approaches and arc length against closed forms."""

import numpy as np

from vrnn.patterns.cuts import SAMPLES, approach, find_cuts, resample, rms

ORIGIN = np.zeros((1, 2))


def test_approach_finds_the_closest_point_of_each_segment():
    points = np.array([[-1.0, 0.5], [1.0, 0.5], [5.0, 0.5], [5.0, 0.5]])
    distance, time = approach(points, np.array([0.5, 0.0]))
    np.testing.assert_allclose(distance, [0.5, np.hypot(0.5, 0.5), np.hypot(4.5, 0.5)])
    np.testing.assert_allclose(time, [0.75, 1.0, 2.0])  # a segment without length counts with its beginning


def test_a_passage_is_one_cut_at_its_closest_approach():
    t = np.arange(101) * 2 * np.pi / 25.3  # a circle through the origin
    circle = np.stack([np.cos(t) - 1, np.sin(t)], axis=1)
    cuts, begins = find_cuts(circle, ORIGIN, radius=0.4, gap=10)
    np.testing.assert_allclose(cuts, [0, 25.3, 50.6, 75.9], atol=0.05)  # the one at 101.2 comes after the end
    assert begins
    cuts, begins = find_cuts(circle[5:], ORIGIN, radius=0.4, gap=10)
    np.testing.assert_allclose(cuts, [20.3, 45.6, 70.9], atol=0.05)
    assert not begins


def test_a_passage_with_noise_is_one_cut():
    x = np.array([-2, -1, -0.2, 0.6, 0.7, 0.1, 1, 2])
    line = np.stack([x, np.full(8, 0.01)], axis=1)
    assert len(find_cuts(line, ORIGIN, radius=0.3, gap=0)[0]) == 2
    (cut,), _ = find_cuts(line, ORIGIN, radius=0.3, gap=4)
    assert np.isclose(cut, 2.25)  # a quarter of the way from -0.2 to 0.6


def test_traces_without_a_passage():
    for points in (np.zeros((0, 2)), np.zeros((1, 2)), np.full((30, 2), 7.0)):
        cuts, begins = find_cuts(points, ORIGIN, radius=0.3, gap=3)
        assert len(cuts) == 0
        assert not begins


def test_resample_is_even_in_arc_length():
    points = np.array([[0.0, 0], [1, 0], [1, 3], [1, 10]])
    even = resample(points, 0.5, 2.5)
    np.testing.assert_allclose(even[[0, -1]], [[0.5, 0], [1, 6.5]])
    s = np.linspace(0, 7, SAMPLES)
    expected = np.stack([np.minimum(0.5 + s, 1.0), np.maximum(s - 0.5, 0.0)], axis=1)
    np.testing.assert_allclose(even, expected, atol=1e-12)
    np.testing.assert_allclose(resample(np.ones((5, 2)), 1.0, 3.0), 1.0)  # a pen that does not move


def test_rms_equals_its_definition():
    rng = np.random.default_rng(0)
    shapes, templates = rng.normal(size=(3, SAMPLES, 2)), rng.normal(size=(2, SAMPLES, 2))
    for i, j in np.ndindex(3, 2):
        square = [np.sum((shapes[i, k] - templates[j, k]) ** 2) for k in range(SAMPLES)]
        np.testing.assert_allclose(rms(shapes, templates)[i, j], np.sqrt(np.mean(square)))
