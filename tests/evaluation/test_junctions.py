"""The KL at junctions, from arrays with nats at known steps, and the automata's entropies in closed form."""

import math

import numpy as np
import pytest
import torch

from tests.datasets import load
from vrnn.evaluation import choice_entropy, choices, junction_scores, junctions
from vrnn.patterns import Trace

EYE, CTE = load("eye").automaton, load("circle_triangle_eight").automaton
LN_3 = math.log(3)


def laps(*drawn: tuple[int, int]) -> Trace:
    """A trace of laps (state, steps)."""
    state = np.concatenate([np.full(steps, s) for s, steps in drawn])
    lap = np.concatenate([np.full(steps, i) for i, (_, steps) in enumerate(drawn)])
    return Trace(np.zeros((len(state), 2)), state, lap)


def test_entropy_of_a_choice():
    coin = -(2 / 3 * math.log(2 / 3) + 1 / 3 * math.log(1 / 3))
    assert choice_entropy(EYE) == pytest.approx(coin, rel=1e-12)
    assert coin == pytest.approx(0.6365, abs=5e-5)
    assert choice_entropy(CTE) == pytest.approx(LN_3, rel=1e-12)  # only the triangle's row has any
    assert choice_entropy(load("circle").automaton) is None


def test_choices_have_the_weights_of_the_long_run():
    """After wide both have probability 1/2, after thin wide has 3/4: long-run shares 0.6 and 0.4."""
    automaton = load(
        "eye", "automaton.transitions={wide: {wide: 0.5, thin: 0.5}, thin: {wide: 0.75, thin: 0.25}}"
    ).automaton
    quarter = -(0.75 * math.log(0.75) + 0.25 * math.log(0.25))
    assert choice_entropy(automaton) == pytest.approx(0.6 * math.log(2) + 0.4 * quarter, rel=1e-9)


def test_junctions_and_choices_of_a_known_trace():
    circle, triangle, eight = range(3)
    visits = (circle, triangle, triangle, eight, circle)
    trace = laps(*[(state, 10) for state in visits for _ in range(2)])
    np.testing.assert_array_equal(junctions(trace), range(10, 100, 10))
    # After the first triangle (step 40) and the second (step 60), not after the circle or the eight.
    np.testing.assert_array_equal(choices(trace, CTE), [40, 60])
    eye = laps((0, 7), (0, 7), (1, 5), (0, 7))
    np.testing.assert_array_equal(choices(eye, EYE), [7, 14, 19])
    np.testing.assert_array_equal(choices(eye, EYE), junctions(eye))
    unknown = Trace(np.zeros((9, 2)), np.full(9, -1), np.full(9, -1))
    assert len(junctions(unknown)) == 0


@pytest.mark.parametrize("name", ["eye", "circle_triangle_eight"])
def test_successors_at_choices_have_the_matrix_frequencies(name):
    """In traces of the pen; within 5 standard errors: fewer than one seed in 10^5 fails by chance."""
    pattern = load(name)
    automaton = pattern.automaton
    entropic = [i for i, row in enumerate(automaton.matrix) if row.max() < 1]
    seen = np.zeros_like(automaton.matrix)
    for trace in pattern.draw("test", 40, 2048, np.random.default_rng(7)):
        for step in choices(trace, automaton):
            seen[trace.state[step - 1], trace.state[step]] += 1
    assert [i for i, row in enumerate(seen) if row.sum()] == entropic
    for i in entropic:
        n, p = seen[i].sum(), automaton.matrix[i]
        assert (np.abs(seen[i] / n - p) <= 5 * np.sqrt(p * (1 - p) / n)).all()


def test_with_a_crossing_no_junction_is_a_choice():
    pattern = load("switch_circles", "automaton.transitions.left={left: 0.5, right: 0.5}")
    (trace,) = pattern.draw("test", 1, 600, np.random.default_rng(0))
    assert len(junctions(trace)) > 5
    assert len(choices(trace, pattern.automaton)) == 0


def placed(trace: Trace, groups: int, **nats: float) -> torch.Tensor:
    """KL (T, 1, groups): `rest` nats at every step, and `choice` nats `late` steps after each step of `where`."""
    kl = torch.full((len(trace.lap), 1, groups), nats["rest"] / groups, dtype=torch.float64)
    for step in nats["where"]:
        kl[step + nats["late"]] += nats["choice"] / groups
    return kl


@pytest.mark.parametrize("groups", [1, 8])
@pytest.mark.parametrize("late", [0, 3])
def test_nats_at_choices_are_found(groups, late):
    trace = laps(*[(state, 20) for state in (0, 0, 1, 0, 1)])
    mask = torch.ones(100, 1, dtype=torch.bool)
    kl = placed(trace, groups, where=junctions(trace), late=late, choice=0.6, rest=0.0)
    scores = junction_scores(kl, mask, [trace], EYE)
    assert scores["kl_at_junctions_share"] == pytest.approx(1.0)
    assert scores["kl_per_choice_nats"] == pytest.approx(0.6)
    assert scores["steps_at_junctions_share"] == pytest.approx(16 / 100)
    # With 0.01 at every step: 4 * 0.6 + 16 * 0.01 of 4 * 0.6 + 100 * 0.01.
    scores = junction_scores(kl + 0.01 / groups, mask, [trace], EYE)
    assert scores["kl_at_junctions_share"] == pytest.approx(2.56 / 3.4)
    assert scores["kl_per_choice_nats"] == pytest.approx(0.64)


def test_nats_one_step_outside_a_junction_are_not_found():
    trace = laps((0, 20), (1, 20), (0, 20))
    for late in (-1, 4):
        kl = placed(trace, 1, where=[20, 40], late=late, choice=0.6, rest=0.0)
        scores = junction_scores(kl, torch.ones(60, 1, dtype=torch.bool), [trace], EYE)
        assert scores["kl_at_junctions_share"] == scores["kl_per_choice_nats"] == 0.0


def test_only_laps_after_which_the_automaton_chooses_count():
    trace = laps(*[(state, 15) for state in (0, 0, 1, 1, 2, 2)])
    kl = placed(trace, 2, where=[60], late=1, choice=LN_3, rest=0.0)  # after the triangle's second lap
    scores = junction_scores(kl, torch.ones(90, 1, dtype=torch.bool), [trace], CTE)
    assert scores["kl_per_choice_nats"] == pytest.approx(scores["choice_entropy_nats"])


def test_a_constant_kl_has_the_share_of_the_steps():
    trace = laps(*[(state, 15) for state in (0, 0, 1, 1, 2, 2)])
    even = junction_scores(torch.ones(90, 1, 2), torch.ones(90, 1, dtype=torch.bool), [trace], CTE)
    assert even["kl_at_junctions_share"] == even["steps_at_junctions_share"] == pytest.approx(20 / 90)


def test_hidden_and_incomplete_choices_do_not_count():
    trace = laps((0, 20), (1, 20), (0, 20), (1, 2))
    kl = placed(trace, 1, where=[20, 40, 60], late=0, choice=0.6, rest=0.0)
    mask = torch.ones(62, 1, dtype=torch.bool)
    mask[21] = False
    kl[21] = torch.nan
    kl[41] = 0.2
    scores = junction_scores(kl, mask, [trace], EYE)
    assert scores["kl_per_choice_nats"] == pytest.approx(0.8)  # of the choice at 40 alone
    assert scores["kl_at_junctions_share"] == pytest.approx(1.0)


def test_standard_errors_are_those_of_independent_traces():
    """The jackknife over traces is equal to first order: within a tenth for 60 traces."""
    rng = np.random.default_rng(0)
    traces = [laps(*[(0, 10)] * int(n)) for n in rng.integers(3, 10, 60)]
    steps = max(len(trace.lap) for trace in traces)
    mask = torch.stack([torch.arange(steps) < len(trace.lap) for trace in traces], dim=1)
    kl = torch.full((steps, 60, 1), 0.02)
    for b, trace in enumerate(traces):
        kl[junctions(trace), b] += float(rng.gamma(2.0, 0.3))
    scores = junction_scores(kl, mask, traces, EYE)
    alone = [np.array([len(junctions(trace)) for trace in traces]), kl[:, :, 0].masked_fill(~mask, 0.0).sum(0).numpy()]
    at = np.array([float(sum(kl[s : s + 4, b].sum() for s in junctions(t))) for b, t in enumerate(traces)])
    for key, whole in zip(("kl_per_choice_nats", "kl_at_junctions_share"), alone, strict=True):
        left_out = (at.sum() - at) / (whole.sum() - whole)
        jackknife = math.sqrt(59 / 60 * np.square(left_out - left_out.mean()).sum())
        assert scores[key] == pytest.approx(at.sum() / whole.sum(), rel=1e-5)
        assert scores[f"{key}_se"] == pytest.approx(jackknife, rel=0.1)


def test_undefined_scores_are_none():
    trace = laps((0, 20), (1, 20))
    mask = torch.ones(40, 1, dtype=torch.bool)
    assert set(junction_scores(torch.ones(40, 1, 1), mask, [trace], None).values()) == {None}
    without = junction_scores(torch.ones(40, 1, 0), mask, [trace], EYE)
    assert {key for key, value in without.items() if value is not None} == {
        "steps_at_junctions_share",
        "choice_entropy_nats",
        "choice_nats_per_step",
    }
    circle = junction_scores(torch.ones(40, 1, 1), mask, [laps((0, 20), (0, 20))], load("circle").automaton)
    assert circle["kl_at_junctions_share"] == pytest.approx(0.1)
    assert circle["kl_per_choice_nats"] is None
    assert circle["choice_entropy_nats"] is None
    assert without.keys() == circle.keys()


def test_rate_at_which_the_process_makes_choices():
    circle, triangle, eight = range(3)
    trace = laps(*[(state, 10) for state in (circle, triangle, triangle, eight, circle) for _ in range(2)])
    mask = torch.ones(100, 1, dtype=torch.bool)
    nothing = torch.zeros(100, 1, 0)
    assert junction_scores(nothing, mask, [trace], CTE)["choice_nats_per_step"] == pytest.approx(2 * LN_3 / 100)
    mask[40] = False
    assert junction_scores(nothing, mask, [trace], CTE)["choice_nats_per_step"] == pytest.approx(LN_3 / 99)


def test_rate_of_true_traces_is_that_of_the_automaton():
    """A choice per lap, whose mean duration is the mean length / speed; the first lap is chosen by nobody: 1 in 70."""
    pattern = load("eye", "pen={_target_: vrnn.patterns.Pen, speed: 0.27, speed_jitter: 0, scale_jitter: 0}")
    traces = pattern.draw("test", 16, 2048, np.random.default_rng(0))
    mask = torch.ones(2048, 16, dtype=torch.bool)
    found = junction_scores(torch.zeros(2048, 16, 0), mask, traces, EYE)["choice_nats_per_step"]
    steps = EYE.stationary @ [piece.length for piece in EYE.pieces] / 0.27
    assert found == pytest.approx(choice_entropy(EYE) / steps, rel=0.04)
