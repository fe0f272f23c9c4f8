"""Visits of given laps, and scores of traces from the judge's automaton and from other ones."""

import json
import math
import time

import numpy as np
import pytest

from tests.datasets import AUTOMATA, load
from tests.evaluation.judges import draw, judge_of
from vrnn.evaluation import INVALID, UNFINISHED, Lap, find_visits, score, truth
from vrnn.patterns import Automaton


def visits_of(automaton: Automaton, letters: str) -> list[tuple]:
    """Return the visits of a trace with the given pieces: their number, x for invalid, ? for unfinished."""
    laps = []
    for i, letter in enumerate(letters):
        if letter in "x?":
            laps.append(Lap(INVALID if letter == "x" else UNFINISHED, letter, -1, 0.0, i, i + 1))
        else:
            piece = automaton.pieces[int(letter)]
            laps.append(Lap(int(letter), piece.label, piece.state, piece.laps, i, i + 1))
    return [(v.state, v.start, v.laps, v.following, v.whole) for v in find_visits(laps, automaton)]


def test_visits_where_a_state_may_follow_itself():
    cte = load("circle_triangle_eight").automaton  # 0 circle, 1 triangle (may stay), 2 eight; two laps each
    assert visits_of(cte, "0011111200") == [
        (0, 0, 2, 1, True),
        (1, 2, 2, 1, True),
        (1, 4, 2, 1, True),
        (1, 6, 1, 2, True),  # five laps, two per visit: three visits, the last one short
        (2, 7, 1, 0, True),
        (0, 8, 2, None, True),
    ]
    assert visits_of(cte, "0000011") == [(0, 0, 5, 1, True), (1, 5, 2, None, True)]


def test_an_invalid_lap_breaks_the_sequence():
    cte = load("circle_triangle_eight").automaton
    assert visits_of(cte, "00x11112200") == [
        (0, 0, 2, None, False),
        (1, 3, 2, 1, False),
        (1, 5, 2, 2, True),
        (2, 7, 2, 0, True),
        (0, 9, 2, None, True),
    ]
    assert visits_of(cte, "x1100?") == [(1, 1, 2, 0, False), (0, 3, 2, None, True)]
    assert visits_of(cte, "xx") == []


def test_visits_with_a_crossing():
    halves, fives = load("switch_circles").automaton, load("switch_circles_5").automaton
    assert visits_of(halves, "0012301")[:3] == [
        (0, 0, 2.5, 1, True),
        (1, 3, 1.5, 0, True),
        (0, 5, 1.5, None, True),
    ]
    assert visits_of(fives, "0000012") == [(0, 0, 5, 1, True), (1, 6, 1, None, True)]


@pytest.mark.parametrize("name", AUTOMATA)
def test_true_traces_have_the_scores_of_the_truth(name):
    judge = judge_of(name)
    result = score(draw(load(name), 24, 2048, 9), judge)
    json.dumps(result, allow_nan=False)
    assert result["invalid_fraction"] < 0.005
    assert result["laps_right_fraction"] > 0.99
    for source, row in result["truth"]["transition_matrix"].items():
        for target, p in row.items():
            # 4.5 standard errors plus rounding: one seed in 10 000 fails by chance, over all automata together.
            error = result["transition_matrix_se"][source][target]
            assert abs(result["transition_matrix"][source][target] - p) <= 4.5 * error + 1e-9
    assert result["transition_tv"] <= 0.03
    # Traces begin with the start state: it may have one visit more than its share, of at least 30 laps.
    for state, share in result["truth"]["pattern_fractions"].items():
        slack = 4.5 * result["pattern_fractions_se"][state] + judge.automaton.laps.max() / 30
        assert abs(result["pattern_fractions"][state] - share) < slack


def test_transitions_and_laps_are_unbiased_on_short_traces():
    result = score(draw(load("circle_triangle_eight"), 600, 400, 4), judge_of("circle_triangle_eight"))
    for target, p in result["transition_matrix"]["triangle"].items():
        # ~1100 triangles; 4.5 standard errors: one seed in 50 000 fails by chance.
        assert abs(p - 1 / 3) < 4.5 * result["transition_matrix_se"]["triangle"][target]
    assert result["laps_right_fraction"] > 0.995


def test_scores_find_other_probabilities():
    other = load("eye", "automaton.transitions.wide={wide: 0.9, thin: 0.1}")
    result = score(draw(other, 24, 2048, 6), judge_of("eye"))
    for source, p in (("wide", 0.9), ("thin", 2 / 3)):
        error = result["transition_matrix_se"][source]["wide"]
        assert abs(result["transition_matrix"][source]["wide"] - p) < 4.5 * error
    # The share of wide is pi with pi = 0.9 pi + 2/3 (1 - pi).
    assert abs(result["pattern_fractions"]["wide"] - 20 / 23) < 4.5 * result["pattern_fractions_se"]["wide"] + 0.005
    assert result["transition_tv_rows"]["wide"] == pytest.approx(0.9 - 2 / 3, abs=0.05)
    assert result["transition_tv"] == pytest.approx(np.mean(list(result["transition_tv_rows"].values())))


def test_scores_find_other_laps_and_transitions():
    transitions = "automaton.transitions.triangle={circle: 0.6, triangle: 0.1, eight: 0.3}"
    other = load(
        "circle_triangle_eight", "automaton.states.circle.laps=3", "automaton.states.eight.laps=1", transitions
    )
    result = score(draw(other, 24, 2048, 6), judge_of("circle_triangle_eight"))
    for target, p in (("circle", 0.6), ("triangle", 0.1), ("eight", 0.3)):
        error = result["transition_matrix_se"]["triangle"][target]
        assert abs(result["transition_matrix"]["triangle"][target] - p) < 4.5 * error
    assert result["transition_tv_rows"]["circle"] == pytest.approx(0.0, abs=1e-9)
    # Only the triangle has the right laps. Its share of the visits may be off by one in thirty because of the start.
    right = other.automaton.stationary[1]
    assert abs(result["laps_right_fraction"] - right) < 4.5 * result["laps_right_fraction_se"] + 1 / 30


def test_a_state_that_never_occurs_has_distance_1():
    only = load("eye", "automaton.transitions.wide={wide: 0.9999, thin: 0.0001}")
    traces = [t for t in draw(only, 6, 1000, 0)]
    result = score(traces, judge_of("eye"))
    assert result["pattern_fractions"]["thin"] == 0
    assert result["transition_tv_rows"] == pytest.approx({"wide": 1 / 3, "thin": 1.0})
    assert result["transition_matrix"]["thin"] == {"wide": None, "thin": None}


def test_standard_errors_are_those_of_repetitions():
    judge, pattern = judge_of("eye"), load("eye")
    results = [score(draw(pattern, 12, 500, seed), judge) for seed in range(60)]
    for key in ("pattern_fractions", "transition_matrix"):
        pick = (
            (lambda r, k=key: r[k]["wide"]) if key == "pattern_fractions" else (lambda r, k=key: r[k]["wide"]["thin"])
        )
        spread = np.std([pick(r) for r in results], ddof=1)
        estimated = np.mean([pick({key: r[f"{key}_se"]}) for r in results])
        # The standard deviation of 60 repetitions has an error of 9 %: 40 % is more than four of that.
        assert estimated == pytest.approx(spread, rel=0.4)


def test_one_trace_has_no_standard_error():
    judge = judge_of("eye")
    result = score(draw(load("eye"), 1, 500, 0), judge)
    assert result["invalid_fraction_se"] is None
    assert result["pattern_fractions_se"] == {"wide": None, "thin": None}
    with pytest.raises(ValueError, match="needs at least one trace"):
        score([], judge)


def test_scores_are_deterministic():
    judge, traces = judge_of("eye"), draw(load("eye"), 4, 500, 0)
    assert score(traces, judge) == score(traces, judge)


def test_truth_is_the_automaton():
    facts = truth(load("circle_triangle_eight").automaton)
    assert facts["laps_per_visit"] == {"circle": 2.0, "triangle": 2.0, "eight": 2.0}
    assert facts["transition_matrix"]["triangle"] == pytest.approx({"circle": 1 / 3, "triangle": 1 / 3, "eight": 1 / 3})
    assert facts["pattern_fractions"] == pytest.approx({"circle": 1 / 3, "triangle": 1 / 2, "eight": 1 / 6})
    assert math.isclose(sum(facts["pattern_fractions"].values()), 1.0)


def test_64_traces_of_2048_steps_take_seconds():
    judge, traces = judge_of("eye"), draw(load("eye"), 64, 2048, 0)
    begin = time.process_time()
    score(traces, judge)
    assert time.process_time() - begin < 3.0  # measured: 0.4 s


@pytest.mark.parametrize("where", ["at one point", "on a line"])
def test_a_model_that_draws_no_visit_has_the_worst_scores(where):
    points = np.zeros((400, 2)) if where == "at one point" else np.linspace([0.0, 0.0], [40.0, 30.0], 400)
    result = score([points] * 3, judge_of("eye"))
    assert result["laps"] > 0
    assert result["visits"] == result["laps_right_fraction"] == 0
    assert result["invalid_fraction"] == result["transition_tv"] == 1
    assert result["transition_tv_rows"] == {"wide": 1, "thin": 1}
