"""The judge, on true traces of every automaton and on traces that no automaton draws."""

from itertools import pairwise

import numpy as np
import pytest

from tests.datasets import AUTOMATA, load
from tests.evaluation.judges import draw, judge_of
from vrnn.evaluation import INVALID, UNFINISHED, LapJudge, judge_the_judge, score
from vrnn.patterns import Automaton, AutomatonPattern, Circle, Infinity, Oval, Pen


@pytest.mark.parametrize("name", AUTOMATA)
def test_true_traces_are_judged_correctly(name):
    # Measured over six seeds per automaton: invalid <= 0.06 %, label errors <= 0.08 % (the lines of switch_circles_5).
    report = judge_the_judge(judge_of(name), load(name), steps=2048, seed=11, traces=24)
    assert report["laps"] > 700
    assert report["invalid_fraction"] < 0.005
    assert report["label_errors"] < 0.003


@pytest.mark.parametrize("name", AUTOMATA)
def test_every_true_lap_before_the_horizon_counts(name):
    judge, pattern = judge_of(name), load(name)
    for trace in pattern.draw("test", 4, 1500, np.random.default_rng(2)):
        begins = np.flatnonzero(np.diff(trace.lap, prepend=-1))
        horizon = judge.lap_horizon(1500)
        laps = judge.judge(trace.points)
        counted = sum(lap.start < horizon for lap in laps)
        assert (begins < horizon - 3).sum() <= counted <= (begins < horizon + 3).sum()
        for before, after in pairwise(laps):
            assert before.end == after.start
        assert laps[-1].end == 1499


def eye_traces(*changes: str) -> list[np.ndarray]:
    """Return traces of the eye, with changes to its settings."""
    return draw(load("eye", *changes), 8, 1500, 3)


OVAL = "automaton.states.{}.curve.half_axes=[{}, 1.1]"
BAD = {
    "shuffled points": lambda: [np.random.default_rng(0).permutation(p) for p in eye_traces()],
    "between wide and thin": lambda: eye_traces(OVAL.format("wide", 1.3), OVAL.format("thin", 1.3)),
    "drawn backwards": lambda: [p[::-1] for p in eye_traces()],
    "too fast": lambda: eye_traces("pen.speed=0.42"),
    "too slow": lambda: eye_traces("pen.speed=0.18"),
    "shaky": lambda: eye_traces("pen.white_noise=0.3"),
    "standing still at the junction": lambda: [np.tile([[0.0, 1.0]], (1500, 1))],
    "standing still elsewhere": lambda: [np.tile([[0.3, 0.1]], (1500, 1))],
    "running away": lambda: [np.exp(np.arange(1500.0).clip(max=690))[:, None] * [1.0, -1.0]],
    "NaN from the start": lambda: [np.full((1500, 2), np.nan)],
}


@pytest.mark.parametrize("name", BAD)
def test_what_no_automaton_draws_is_invalid(name):
    result = score(BAD[name](), judge_of("eye"))
    assert result["invalid_fraction"] > 0.97
    assert result["laps"] > 15 * result["traces"]  # about as many laps as fit into the traces


@pytest.mark.parametrize("tail", [0.0, np.nan, np.inf, 1e200])
def test_a_trace_that_stops_half_way_is_half_invalid(tail):
    traces = eye_traces()
    for points in traces:
        points[750:] = tail
    # Invalid are 708 of 1457 steps before the horizon; the tolerance is the rounding to laps of 31 steps.
    assert score(traces, judge_of("eye"))["invalid_fraction"] == pytest.approx(0.49, abs=0.03)


def test_an_invalid_stretch_is_where_the_points_are_wrong():
    (points,) = draw(load("eye"), 1, 1500, 3)
    points[700:760] += [0.0, 3.0]
    (bad,) = [lap for lap in judge_of("eye").judge(points) if lap.piece == INVALID]
    assert bad.start < 700
    assert 755 < bad.end < 850


@pytest.mark.parametrize("name", AUTOMATA)
def test_true_traces_begin_at_a_cut_point(name):
    for points in draw(load(name), 200, 120, 8):
        first = judge_of(name).judge(points)[0]
        assert (first.start, first.piece == INVALID) == (pytest.approx(0.0, abs=4.0), False)


def test_a_trace_is_invalid_until_its_first_junction():
    judge = judge_of("eye")
    for points in eye_traces():
        late = points[10:]  # the first lap is wide, 35 steps: a third of it is missing
        first, *others = judge.judge(late)
        assert first.piece == INVALID
        assert (first.start, first.end) == (0.0, pytest.approx(25, abs=7))
        assert all(lap.piece >= 0 for lap in others[:-1])
    # One of about 33 laps before the horizon, in each trace.
    result = score([points[10:] for points in eye_traces()], judge)
    assert result["invalid_fraction"] == pytest.approx(result["traces"] / result["laps"])


def test_calibration_does_not_use_the_training_traces():
    pattern, seen = load("eye"), []

    class Spy(AutomatonPattern):
        def draw(self, *arguments):
            seen.extend(super().draw(*arguments))
            return seen

    LapJudge.calibrate(Spy(pattern.automaton, pattern.pen), seed=3)
    for split in range(3):
        (trace,) = pattern.draw("train", 1, 2048, np.random.default_rng([3, split]))
        assert not any(np.array_equal(trace.points[:9], other.points[:9]) for other in seen)


def test_a_trace_shorter_than_a_lap_has_no_scores():
    judge = judge_of("eye")
    for steps in (1, 2, 20):
        assert all(lap.piece == UNFINISHED for lap in judge.judge(eye_traces()[0][:steps]))
        result = score([eye_traces()[0][:steps]], judge)
        assert (result["laps"], result["visits"]) == (0, 0)
        assert result["invalid_fraction"] is None
        assert result["transition_tv"] is None


@pytest.mark.parametrize("points", [np.zeros(5), np.zeros((5, 3))])
def test_points_of_another_shape_are_an_error(points):
    with pytest.raises(ValueError, match=r"points must have the shape \(T, 2\), but have"):
        judge_of("eye").judge(points)


def test_scores_do_not_favour_short_laps():
    judge, pattern = judge_of("eye"), load("eye")
    traces = draw(pattern, 4000, 120, 5)
    result = score(traces, judge)
    error = result["pattern_fractions_se"]["wide"]
    # ~6000 laps; 4.5 standard errors: one seed in 150 000 fails by chance.
    assert abs(result["pattern_fractions"]["wide"] - 2 / 3) < 4.5 * error
    # The share of all complete laps but the first, which is not chosen, is too small by more than that.
    states = [lap.state for points in traces for lap in judge.judge(points)[1:] if lap.piece >= 0]
    assert np.mean(np.array(states) == 0) < 2 / 3 - 4.5 * error


def test_a_curve_that_passes_its_start_twice_is_an_error():
    middle = Automaton({"lying": {"curve": Infinity([2, 0.8], start=90), "laps": 1}}, {"lying": {"lying": 1}}, "lying")
    with pytest.raises(ValueError, match="must find 99 % of the true laps, but finds"):
        LapJudge.calibrate(AutomatonPattern(middle, Pen()), traces=8)


def test_too_few_laps_for_a_template_are_an_error():
    rare = Automaton(
        {"ring": {"curve": Circle(1.0), "laps": 1}, "oval": {"curve": Oval([0.5, 1.0], [0.5, 0]), "laps": 1}},
        {"ring": {"ring": 0.999, "oval": 0.001}, "oval": {"ring": 1}},
        start="ring",
    )
    with pytest.raises(ValueError, match="must find at least 20 laps of 'oval' in 2 traces of 500 steps, but finds"):
        LapJudge.calibrate(AutomatonPattern(rare, Pen()), steps=500, traces=2)
