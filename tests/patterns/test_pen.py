"""The pen: its traces of every automaton in conf/dataset, its jitters, and errors."""

import time
from itertools import pairwise

import numpy as np
import pytest

from tests.datasets import AUTOMATA, load
from vrnn.patterns import Automaton, AutomatonPattern, Circle, Pen

LAPS = {
    "switch_circles": [2, 1],  # pieces per visit: whole laps, and the piece that crosses
    "switch_circle_triangle": [2, 1],
    "switch_circles_5": [5, 1],
    "switch_circle_triangle_5": [5, 1],
}
NO_JITTER = {
    "speed_jitter": 0,
    "scale_jitter": 0,
    "axis_jitter": 0,
    "center_jitter": 0,
    "smooth_noise": 0,
    "white_noise": 0,
}
RING = Automaton({"ring": {"curve": Circle(1.0), "laps": 1}}, {"ring": {"ring": 1}}, start="ring")


@pytest.mark.parametrize("name", AUTOMATA)
def test_traces_are_continuous_and_obey_the_automaton(name):
    pattern = load(name)
    (trace,) = pattern.draw("train", 1, 3000, np.random.default_rng(3))
    assert trace.points.shape == (3000, 2)
    assert np.isfinite(trace.points).all()
    # Distances per step vary by ~7 %: twice the speed is more than ten standard deviations away.
    assert np.linalg.norm(np.diff(trace.points, axis=0), axis=1).max() < 2 * pattern.pen.speed

    assert set(np.diff(trace.lap)) == {0, 1}
    assert trace.lap[0] == 0
    first = np.flatnonzero(np.diff(trace.lap, prepend=-1))
    states = trace.state[first]
    assert (trace.state == states[trace.lap]).all()

    automaton = pattern.automaton
    runs = np.split(states, np.flatnonzero(np.diff(states)) + 1)[:-1]
    assert states[0] == automaton.start
    for run, following in pairwise(runs):
        assert automaton.matrix[run[0], following[0]] > 0
        visit = sum(LAPS.get(name, [int(automaton.laps[run[0]])]))
        assert len(run) == visit or (automaton.matrix[run[0], run[0]] > 0 and len(run) % visit == 0)


def test_same_generator_same_trace():
    pen = Pen()
    one, two, other = (pen.draw(RING, 500, np.random.default_rng(seed)) for seed in (5, 5, 6))
    np.testing.assert_array_equal(one.points, two.points)
    assert not np.allclose(one.points, other.points)


def test_without_jitter_and_noise_the_trace_is_the_curve():
    trace = Pen(speed=0.1, **NO_JITTER).draw(RING, 200, np.random.default_rng(0))
    np.testing.assert_allclose(trace.points, Circle(1.0).at(0.1 * np.arange(200)), atol=1e-3)
    np.testing.assert_array_equal(trace.lap, np.floor(0.1 * np.arange(200) / (2 * np.pi)))


def test_each_jitter_has_its_size():
    # 12 000 steps: the standard errors are ~2 %, the tolerance is 10 %. Less than one seed in 10^5 fails by chance.
    rng = np.random.default_rng(0)
    plain = Pen(speed=0.1, **NO_JITTER).draw(RING, 12_000, rng).points

    white = Pen(speed=0.1, **NO_JITTER | {"white_noise": 0.02}).draw(RING, 12_000, rng).points - plain
    assert white.std() == pytest.approx(0.02, rel=0.1)
    smooth = Pen(speed=0.1, **NO_JITTER | {"smooth_noise": 0.02}).draw(RING, 12_000, rng).points - plain
    assert smooth.std() == pytest.approx(0.02, rel=0.1)
    # Smoothed by a Gaussian of width w, neighbours have the correlation exp(-1 / (4 w^2)).
    assert (smooth[1:] * smooth[:-1]).mean() / smooth.var() == pytest.approx(np.exp(-1 / 36), rel=0.02)
    varying = Pen(speed=0.1, **NO_JITTER | {"speed_jitter": 0.06}).draw(RING, 12_000, rng).points
    steps = np.linalg.norm(np.diff(varying, axis=0), axis=1)
    assert steps.std() / steps.mean() == pytest.approx(0.06, rel=0.1)
    assert steps.mean() == pytest.approx(0.1, rel=0.01)


def test_sizes_change_during_laps_and_not_at_the_junction():
    trace = Pen(speed=0.05, **NO_JITTER | {"scale_jitter": 0.05}).draw(RING, 40_000, np.random.default_rng(0))
    reach = [trace.points[trace.lap == lap, 0].min() for lap in range(trace.lap[-1])]
    # The far side is half-way between two knots: its standard deviation is 2 * 0.05 / sqrt(2). Over 318 laps, of which
    # neighbours are alike, the standard error is ~5 %: less than one seed in 10 000 fails by chance.
    assert np.std(reach) == pytest.approx(2 * 0.05 / np.sqrt(2), rel=0.2)
    begin = trace.points[np.flatnonzero(np.diff(trace.lap, prepend=-1))]
    assert np.linalg.norm(begin - [1, 0], axis=1).max() < 0.06  # one step of 0.05


def test_one_side_varies_on_the_right_only():
    pattern = load("one_side")
    (trace,) = pattern.draw("train", 1, 20_000, np.random.default_rng(0))
    laps = [trace.points[trace.lap == lap, 0] for lap in range(trace.lap[-1])]
    right, left = np.std([x.max() for x in laps]), np.std([x.min() for x in laps])
    assert right == pytest.approx(2.0 * 0.6 / np.sqrt(12), rel=0.15)  # a uniform factor in [0.45, 1.05]
    assert left < right / 3


def test_256_traces_of_2048_steps_take_seconds():
    pattern = load("one_side")
    begin = time.process_time()
    pattern.draw("train", 256, 2048, np.random.default_rng(0))
    assert time.process_time() - begin < 5.0  # measured: ~1 s


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"speed": 0}, "pen.speed must be a number > 0, but is 0"),
        ({"speed_jitter": -0.1}, r"pen.speed_jitter must be a number in \[0, 0.3\], but is -0.1"),
        ({"scale_jitter": 0.5}, "pen.scale_jitter"),
        ({"axis_jitter": "much"}, "pen.axis_jitter must be a number"),
        ({"center_jitter": -1}, "pen.center_jitter"),
        ({"smooth_noise": float("nan")}, "pen.smooth_noise"),
        ({"smooth_steps": 0}, "pen.smooth_steps"),
        ({"white_noise": -1}, "pen.white_noise"),
        ({"side_stretch": [1.2, 0.8]}, "pen.side_stretch must be .* low <= high"),
        ({"side_stretch": [0.0, 0.8]}, "pen.side_stretch must be two numbers .* both > 0"),
    ],
)
def test_errors_name_the_setting(arguments, message):
    with pytest.raises(ValueError, match=message):
        Pen(**arguments)


def test_no_side_stretch_with_a_crossing():
    with pytest.raises(ValueError, match=r"pen.side_stretch must be \[1, 1\] with crossing: line, but is \[0.5, 1.0\]"):
        AutomatonPattern(load("switch_circles").automaton, Pen(side_stretch=[0.5, 1.0]))


def test_a_pen_too_fast_for_the_shortest_lap_is_refused():
    circle = load("eye").automaton.curves[1]
    highest = circle.length / 4
    AutomatonPattern(load("eye").automaton, Pen(speed=0.999 * highest))
    with pytest.raises(
        ValueError, match=r"pen.speed must be at most 1.4\d: 4 steps for the shortest lap.*, but is 100"
    ):
        AutomatonPattern(load("eye").automaton, Pen(speed=100))


def test_a_trace_needs_a_step():
    with pytest.raises(ValueError, match="steps must be at least 1, but is 0"):
        Pen().draw(RING, 0, np.random.default_rng(0))
