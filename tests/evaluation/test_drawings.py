"""Drawings with lifts, counted by hand."""

import numpy as np
import pytest

from vrnn.evaluation.drawings import drawing_scores


def drawing(*strokes, steps=50, ends=True):
    """Strokes of so many steps each, and NaN, or a pen that goes on, after them."""
    points = np.full((steps, 3), np.nan if ends else 0.0)
    points[: sum(strokes)] = 0.0
    points[np.cumsum(strokes) - 1, 0] = 1.0
    return points


def test_drawings_by_the_number_and_lengths_of_their_strokes():
    true = [drawing(20, 10), drawing(5, 5, 5)]
    drawn = [
        drawing(22, 9),  # right: a tenth longer and shorter
        drawing(20, 12),  # the second a fifth too long
        drawing(10, 20),  # in another order
        drawing(5, 5, 5),  # right
        drawing(30),
        drawing(20, 10, ends=False),
    ]
    scores = drawing_scores(drawn, [True] * 5 + [False], true, (0.0, 0.0, 0.75, 0.25))
    assert scores["stroke_fractions"] == pytest.approx({"1": 1 / 6, "2": 3 / 6, "3": 1 / 6})
    assert scores["strokes_right_fraction"] == pytest.approx(2 / 6)
    assert scores["truth"] == {"stroke_fractions": {"2": 0.75, "3": 0.25}}


def test_a_drawing_that_ends_with_the_last_step_counts():
    exact = drawing(3, 1, steps=4)
    scores = drawing_scores([exact], [True], [exact], (0.0, 0.0, 1.0))
    assert scores["stroke_fractions"] == {"2": 1.0}
    assert scores["strokes_right_fraction"] == 1.0
