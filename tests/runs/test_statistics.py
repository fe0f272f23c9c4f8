"""Intervals over seeds: their coverage, and their values by hand."""

import math

import numpy as np
import pytest
from scipy import stats

from vrnn.runs.statistics import difference, mean_interval


@pytest.mark.parametrize("n", [2, 5, 20])
def test_intervals_cover_the_mean(n):
    """95 % of 2000 intervals of normal values do; outside 93 to 97 % less than once in 10 000 tests."""
    draws = np.random.default_rng(n).normal(size=(2000, n))
    ends = [mean_interval(values) for values in draws]
    assert 0.93 < np.mean([low < 0.0 < high for low, high in ends]) < 0.97


def test_an_interval_by_hand():
    """Of 1, 2, 3: mean 2, standard error 1 / sqrt(3), t with two degrees 4.3027."""
    half = 4.30265 / math.sqrt(3)
    assert mean_interval(np.array([1.0, 2.0, 3.0])) == pytest.approx((2 - half, 2 + half), abs=1e-4)


def test_few_or_equal_values():
    assert all(map(math.isnan, mean_interval(np.array([1.0]))))
    assert mean_interval(np.array([1.0, 1.0])) == (1.0, 1.0)
    assert difference(np.array([1.0, 1.0]), np.array([2.0, 2.0])) == (-1.0, -1.0, -1.0, -math.inf)


def test_a_difference_by_hand():
    """Welch: errors 1/3 and 4/3, degrees (5/3)^2 / ((1/3)^2/2 + (4/3)^2/2) = 50/17, t 3.2188; g: 3 / sqrt(2.5) * (1 - 3/15)."""
    found = difference(np.array([4.0, 5.0, 6.0]), np.array([0.0, 2.0, 4.0]))
    assert found.mean == 3.0
    assert found.effect == pytest.approx(3 / math.sqrt(2.5) * 0.8)
    assert found.high - found.mean == pytest.approx(3.2188 * math.sqrt(5 / 3), rel=1e-3)
    assert found.mean - found.low == pytest.approx(found.high - found.mean)


def test_differences_cover_zero():
    """95 % of 1000 intervals of two equal groups, 5 and 8 values of unequal spread; outside 92 to 98 % once in 10 000."""
    rng = np.random.default_rng(0)
    groups = [(rng.normal(size=5), rng.normal(scale=3.0, size=8)) for _ in range(1000)]
    found = [difference(*pair) for pair in groups]
    interval = stats.ttest_ind(*groups[0], equal_var=False).confidence_interval(0.95)
    assert (found[0].low, found[0].high) == pytest.approx((interval.low, interval.high))
    assert 0.92 < np.mean([one.low < 0.0 < one.high for one in found]) < 0.98
