"""The tool that asks models for their odds where they continue true traces."""

from itertools import pairwise

import numpy as np
import pytest
from tools.odds import FIRST, LAST, REPEATS, continued, counted, odds_and_spread

from tests.datasets import load
from vrnn.evaluation.junctions import choices
from vrnn.evaluation.laps import LapJudge


@pytest.fixture(scope="module")
def eyes():
    pattern = load("eye")
    return pattern, pattern.draw("test", 60, LAST + 100, np.random.default_rng(0))


def test_the_future_itself_continues_a_trace(eyes):
    """Continued by its own points, a trace does what it does, in each repetition alike."""
    pattern, traces = eyes

    def go_on(own, begin, steps):
        return np.stack([trace.points[begin : begin + steps] for trace in own], axis=1).repeat(REPEATS, axis=1)

    true = [
        (int(trace.state[at - 1]), int(trace.state[at]), at)
        for trace in traces
        for at in choices(trace, pattern.automaton)
        if FIRST <= at < LAST
    ]
    found = continued(traces, LapJudge.calibrate(pattern), go_on)
    assert sorted(found) == [0, 1]
    for state, counts in found.items():
        following = [comes for after, comes, _ in sorted(true, key=lambda one: one[2]) if after == state]
        wrong = (counts[np.arange(len(counts)), following] != REPEATS).sum()
        assert len(counts) == len(following) > 100
        assert wrong <= 0.01 * len(counts)  # the judge names about one lap of a thousand wrongly


def test_choices_are_counted_by_the_laps_of_a_trace(eyes):
    """Against the order of laps, each of which is a visit of the eye."""
    pattern, traces = eyes
    expected = np.zeros((2, 2), dtype=int)
    for trace in traces:
        laps = [int(trace.state[trace.lap == lap][0]) for lap in np.unique(trace.lap)]
        for after, comes in pairwise(laps):
            expected[after, comes] += 1
    np.testing.assert_array_equal(counted(traces, pattern.automaton), expected)


@pytest.mark.parametrize("spread", [0.0, 0.1, 0.3])
def test_the_spread_is_that_of_each_trace_s_own_odds(spread):
    """Odds of 0.4 ± spread, seen in few draws; an estimate is 0.015 off in less than one case of a thousand."""
    rng = np.random.default_rng(0)
    own = 0.4 + spread * rng.choice([-1.0, 1.0], size=20000)
    ones = rng.binomial(REPEATS, own)
    odds, error, found = odds_and_spread(np.stack([REPEATS - ones, ones], axis=1), 1)
    assert found == pytest.approx(spread, abs=0.015)
    assert abs(odds - 0.4) < 4 * error < 0.02


def test_prefixes_without_a_valid_lap_say_nothing():
    odds, _, spread = odds_and_spread(np.array([[0, 0], [1, 3], [1, 3], [0, 1]]), 1)
    assert (odds, spread) == (0.75, 0.0)
