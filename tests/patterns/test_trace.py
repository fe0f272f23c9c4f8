"""Traces: what is observed, and beginnings of a trace."""

import numpy as np

from vrnn.patterns import Trace


def test_all_points_are_observed_by_default():
    trace = Trace.of_unknown_origin(np.ones((4, 3)))
    assert trace.observed.tolist() == [True] * 4
    assert trace.state.tolist() == trace.lap.tolist() == [-1] * 4


def test_until_keeps_the_first_steps():
    hidden = np.array([True, False, True])
    trace = Trace(np.arange(6.0).reshape(3, 2), np.array([0, 1, 1]), np.array([0, 0, 1]), hidden)
    begun = trace.until(2)
    assert begun.points.tolist() == [[0, 1], [2, 3]]
    assert (begun.state.tolist(), begun.lap.tolist(), begun.observed.tolist()) == ([0, 1], [0, 0], [True, False])
    assert len(trace.until(9).points) == 3
