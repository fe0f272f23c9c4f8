"""Gaps: how many points are hidden, where, and never all."""

import numpy as np
import pytest

from vrnn.data.gaps import Gaps
from vrnn.patterns import Trace


def hidden(gaps, steps, seed=0):
    trace = Trace.of_unknown_origin(np.ones((steps, 2)))
    gapped = gaps.hide(trace, np.random.default_rng(seed))
    assert gapped.points is trace.points
    assert trace.observed.all()
    return ~gapped.observed


def runs(mask):
    """The lengths of the stretches where a mask is True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], mask.astype(int), [0]])))
    return (edges[1::2] - edges[::2]).tolist()


@pytest.mark.parametrize(
    ("share", "length", "expected"), [(0.2, 10, [10] * 20), (0.5, 100, [100] * 5), (0.3, 7, [7] * 37)]
)
def test_number_and_length_of_gaps(share, length, expected):
    for seed in range(5):
        found = runs(hidden(Gaps(share, length), 1000, seed))
        assert len(found) == round(1000 * share / length)
        assert sum(found) == 1000 * share
        assert np.abs(np.array(found) - expected[0]).max() <= 1


@pytest.mark.parametrize("steps", [1, 2, 3, 8, 50])
@pytest.mark.parametrize("share", [0.01, 0.5, 0.9, 0.999])
@pytest.mark.parametrize("length", [1, 3, 1000])
def test_never_all_of_a_trace(steps, share, length):
    for seed in range(20):
        assert not hidden(Gaps(share, length), steps, seed).all()


def test_the_expected_share_is_exact_in_short_traces():
    """7 % of 8 points are 0.56 points. The mean of 4000 traces is off by 5 standard errors (0.04) once in two million."""
    counts = [hidden(Gaps(0.07, 10), 8, seed).sum() for seed in range(4000)]
    assert set(counts) == {0, 1}
    assert np.mean(counts) == pytest.approx(0.56, abs=0.04)


def test_all_places_of_a_gap_are_equally_likely():
    """A gap of 3 in 10 points has 8 places. Each share of 5000 draws is within 5 standard errors (0.023) of 1/8.

    A correct program fails once in 200 000 seeds.
    """
    places = [int(np.argmax(hidden(Gaps(0.3, 3), 10, seed))) for seed in range(5000)]
    shares = np.bincount(places) / len(places)
    assert len(shares) == 8
    assert np.abs(shares - 1 / 8).max() < 0.0234


def test_gaps_are_a_function_of_the_generator():
    assert np.array_equal(hidden(Gaps(0.3), 200, 1), hidden(Gaps(0.3), 200, 1))
    assert not np.array_equal(hidden(Gaps(0.3), 200, 1), hidden(Gaps(0.3), 200, 2))


@pytest.mark.parametrize("share", [-0.1, 1.0, 2.0, float("nan")])
def test_a_share_out_of_range(share):
    with pytest.raises(ValueError, match=r"data\.gaps\.share must be a number in \[0, 1\), but is"):
        Gaps(share)


def test_a_length_out_of_range():
    with pytest.raises(ValueError, match=r"data\.gaps\.length must be at least 1, but is 0"):
        Gaps(0.1, 0)
