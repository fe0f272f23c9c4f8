"""States that share a curve are told apart by the visit before."""

import numpy as np
import pytest

from tests.datasets import load
from tests.evaluation.judges import judge_of
from vrnn.evaluation import INVALID, LapJudge, score
from vrnn.evaluation.laps import judge_the_judge
from vrnn.evaluation.scores import find_visits
from vrnn.evaluation.twins import find_twins, tell_apart

CIRCLE, AFTER_CIRCLE, AFTER_EIGHT, EIGHT = range(4)
BROKEN = -1


def told(*states: int) -> tuple[list[int], list[bool]]:
    automaton = load("second_order").automaton
    found, certain = tell_apart(np.array(states), automaton, find_twins(automaton))
    return found.tolist(), certain.tolist()


def test_twins_are_found_by_their_curve() -> None:
    assert find_twins(load("second_order").automaton).tolist() == [0, 1, 1, 3]
    assert find_twins(load("five_states").automaton).tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("named", [AFTER_CIRCLE, AFTER_EIGHT])
def test_visit_before_tells_twins_apart(named: int) -> None:
    states, certain = told(CIRCLE, CIRCLE, named, named, EIGHT, EIGHT, named, named)
    assert states == [0, 0, AFTER_CIRCLE, AFTER_CIRCLE, 3, 3, AFTER_EIGHT, AFTER_EIGHT]
    assert all(certain)


def test_twin_after_an_invalid_lap_is_uncertain() -> None:
    states, certain = told(EIGHT, BROKEN, AFTER_EIGHT, AFTER_CIRCLE, EIGHT, AFTER_CIRCLE)
    assert states == [EIGHT, BROKEN, AFTER_CIRCLE, AFTER_CIRCLE, EIGHT, AFTER_EIGHT]
    assert certain == [True, True, False, False, True, True]


def test_twin_at_the_beginning_is_uncertain_unless_it_starts() -> None:
    assert told(AFTER_EIGHT, EIGHT) == ([AFTER_CIRCLE, EIGHT], [False, True])
    automaton = load("second_order", "automaton.start=triangle_after_eight").automaton
    states, certain = tell_apart(np.array([AFTER_CIRCLE, EIGHT]), automaton, find_twins(automaton))
    assert (states.tolist(), certain.tolist()) == ([AFTER_EIGHT, EIGHT], [True, True])


def test_judge_names_the_twins_of_true_traces() -> None:
    found = judge_the_judge(judge_of("second_order"), load("second_order"), 2048, seed=1, traces=16)
    assert found["laps"] > 900
    assert found["label_errors"] == 0.0


def test_uncertain_visit_does_not_count_as_a_source() -> None:
    judge = judge_of("second_order")
    trace = load("second_order").draw("test", 1, 1024, np.random.default_rng(3))[0]
    begins = np.flatnonzero(np.diff(trace.state, prepend=-1))
    broken = trace.points.copy()
    visit = next(n for n in begins if trace.state[n] in (AFTER_CIRCLE, AFTER_EIGHT))
    broken[visit - 12 : visit - 8] += 3.0  # the circle before is no circle any more
    laps = judge.judge(broken)
    assert any(lap.piece == INVALID for lap in laps)
    whole, cut = (find_visits(found, judge.automaton) for found in (judge.judge(trace.points), laps))
    first = next(v for v in cut if v.start > visit - 4)
    assert first.following is None
    assert next(v for v in whole if v.start > visit - 4).following is not None


def test_second_order_odds_of_another_process_are_seen() -> None:
    # Of 64 traces about 1000 visits to each state leave: 0.05 is more than three standard errors.
    other = load("second_order", "automaton.transitions.triangle_after_eight={eight: 0.8, circle: 0.2}")
    points = [trace.points for trace in other.draw("test", 64, 2048, np.random.default_rng(4))]
    matrix = score(points, judge_of("second_order"))["transition_matrix"]
    assert abs(matrix["triangle_after_eight"]["eight"] - 0.8) < 0.05
    assert abs(matrix["triangle_after_circle"]["eight"] - 0.8) < 0.05


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ("automaton.transitions.circle={triangle_after_circle: 0.5, triangle_after_eight: 0.5}", "transitions.circle"),
        ("automaton.transitions.triangle_after_eight={triangle_after_circle: 1}", "states.triangle_after_eight.curve"),
    ],
)
def test_twins_that_nothing_tells_apart_are_refused(change: str, part: str) -> None:
    with pytest.raises(ValueError, match=f"dataset.automaton.{part} must be .* but is"):
        LapJudge.calibrate(load("second_order", change))
