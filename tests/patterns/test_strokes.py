"""Strokes as steps (pen, dx, dy), and back."""

import numpy as np

from vrnn.patterns.strokes import to_offsets, to_plane

STROKES = [np.array([[1.0, 2.0], [2.0, 4.0], [3.0, 3.0]]), np.array([[5.0, 5.0]]), np.array([[6.0, 5.0], [6.0, 7.0]])]


def test_steps_of_three_strokes():
    expected = [[0, 1, 2], [1, 1, -1], [1, 2, 2], [0, 1, 0], [1, 0, 2]]
    np.testing.assert_array_equal(to_offsets(STROKES), expected)


def test_added_up_the_steps_are_the_strokes():
    points, lifted = to_plane(to_offsets(STROKES))
    np.testing.assert_allclose(points + STROKES[0][0], np.concatenate(STROKES))
    np.testing.assert_array_equal(lifted, [False, False, True, True, False, True])


def test_the_pen_lifts_above_a_probability_of_one_half():
    _, lifted = to_plane(np.array([[0.4, 1, 0], [0.6, 1, 0], [0.5, 1, 0]]))
    assert lifted.tolist() == [False, False, True, False]


def test_a_step_of_nan_moves_nothing_and_draws_no_line():
    offsets = np.array([[0.0, 1, 1], [np.nan] * 3, [0, 1, 1]])
    points, lifted = to_plane(offsets)
    np.testing.assert_array_equal(points, [[0, 0], [1, 1], [1, 1], [2, 2]])
    assert lifted.tolist() == [False, True, True, False]
