"""The learning rate's courses against their formulas, and what of them a checkpoint keeps."""

import math

import pytest

from vrnn.training.lr_schedules import Constant, Cosine, OneCycle, Plateau


def test_cosine_against_its_formula():
    for progress in (0.0, 0.25, 0.5, 1.0):
        expected = 0.02 + 0.98 * math.cos(math.pi * progress / 2) ** 2
        assert Cosine().factor(progress, 0.02) == pytest.approx(expected)


def test_constant_stays_at_the_peak():
    assert {Constant().factor(progress, 0.02) for progress in (0.0, 0.5, 1.0)} == {1.0}


def test_one_cycle_rises_to_the_peak_and_falls():
    schedule = OneCycle(rise=0.3, begin=0.04)
    rates = [schedule.factor(step / 100, 0.02) for step in range(101)]
    assert rates[0] == pytest.approx(0.04)
    assert rates[30] == pytest.approx(1.0)
    assert rates[100] == pytest.approx(0.02)
    assert rates[:31] == sorted(rates[:31])
    assert rates[30:] == sorted(rates[30:], reverse=True)
    assert rates[15] == pytest.approx((1.0 + 0.04) / 2)  # half-way up


def test_plateau_lowers_the_rate_after_patience_runs_out():
    schedule = Plateau(decay=0.5, patience=1, min_delta=0.1)
    seen = []
    for score in (1.0, 1.05, 1.09, 1.2, 1.0, 1.1, 1.0, 1.0):
        schedule.observe(score)
        seen.append(schedule.factor(0.0, 0.1))
    assert seen == [1.0, 1.0, 0.5, 0.5, 0.5, 0.25, 0.25, 0.125]
    for _ in range(9):
        schedule.observe(0.0)
    assert schedule.factor(0.0, 0.1) == 0.1  # not below the smallest share


def test_plateau_goes_on_from_its_state():
    whole, first, second = Plateau(), Plateau(), Plateau()
    scores = [1.0, 0.9, 1.1, 1.0, 1.0, 1.0, 1.2, 1.0, 1.0, 1.0]
    for score in scores:
        whole.observe(score)
    for score in scores[:5]:
        first.observe(score)
    second.load_state_dict(first.state_dict())
    for score in scores[5:]:
        second.observe(score)
    assert second.state_dict() == whole.state_dict()


@pytest.mark.parametrize(
    ("kind", "options"), [(Plateau, {"decay": 1.0}), (OneCycle, {"rise": 0.0}), (OneCycle, {"begin": 2.0})]
)
def test_wrong_numbers_are_refused(kind, options):
    with pytest.raises(ValueError, match=f"lr_schedule.{next(iter(options))} must be in"):
        kind(**options)
