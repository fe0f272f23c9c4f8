"""What the hand draws, for every dataset there is a YAML of."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hydra.utils import instantiate
from omegaconf import OmegaConf

from vrnn.patterns import Automaton, AutomatonPattern, Circle, Pen

ROOT = Path(__file__).parents[2]
NAMES = [
    "circle",
    "triangle",
    "eight",
    "infinity",
    "one_side",
    "eye",
    "circle_triangle_eight",
    "switch_circles",
    "switch_circles_5",
    "switch_circle_triangle",
    "switch_circle_triangle_5",
]
LAPS = {
    "switch_circles": [2, 1],  # pieces a visit: whole laps, and the piece that crosses
    "switch_circle_triangle": [2, 1],
    "switch_circles_5": [5, 1],
    "switch_circle_triangle_5": [5, 1],
}
STILL = {
    "speed_jitter": 0,
    "scale_jitter": 0,
    "axis_jitter": 0,
    "center_jitter": 0,
    "smooth_noise": 0,
    "white_noise": 0,
}
RING = Automaton({"ring": {"curve": Circle(1.0), "laps": 1}}, {"ring": {"ring": 1}}, start="ring")


def load(name: str) -> AutomatonPattern:
    return instantiate(OmegaConf.load(ROOT / "conf" / "dataset" / f"{name}.yaml"), _convert_="all")


@pytest.mark.parametrize("name", NAMES)
def test_every_dataset_draws_a_continuous_trace_that_obeys_its_automaton(name):
    pattern = load(name)
    (trace,) = pattern.draw("train", 1, 3000, np.random.default_rng(3))
    assert trace.points.shape == (3000, 2)
    assert np.isfinite(trace.points).all()
    # steps vary by ~7 %: one of twice the speed is more than ten standard deviations away
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


def test_a_still_hand_draws_the_curve_itself():
    trace = Pen(speed=0.1, **STILL).draw(RING, 200, np.random.default_rng(0))
    np.testing.assert_allclose(trace.points, Circle(1.0).at(0.1 * np.arange(200)), atol=1e-3)
    np.testing.assert_array_equal(trace.lap, np.floor(0.1 * np.arange(200) / (2 * np.pi)))


def test_each_jitter_has_the_size_asked_for():
    # 12 000 steps: the estimates' own errors are ~2 %, the bands 10 %, so chance fails less than one seed in 10^5
    rng = np.random.default_rng(0)
    plain = Pen(speed=0.1, **STILL).draw(RING, 12_000, rng).points

    white = Pen(speed=0.1, **STILL | {"white_noise": 0.02}).draw(RING, 12_000, rng).points - plain
    assert white.std() == pytest.approx(0.02, rel=0.1)
    smooth = Pen(speed=0.1, **STILL | {"smooth_noise": 0.02}).draw(RING, 12_000, rng).points - plain
    assert smooth.std() == pytest.approx(0.02, rel=0.1)
    # smoothed by a Gaussian of width w, neighbours correlate as exp(-1 / (4 w^2))
    assert (smooth[1:] * smooth[:-1]).mean() / smooth.var() == pytest.approx(np.exp(-1 / 36), rel=0.02)
    varying = Pen(speed=0.1, **STILL | {"speed_jitter": 0.06}).draw(RING, 12_000, rng).points
    steps = np.linalg.norm(np.diff(varying, axis=0), axis=1)
    assert steps.std() / steps.mean() == pytest.approx(0.06, rel=0.1)
    assert steps.mean() == pytest.approx(0.1, rel=0.01)


def test_sizes_change_from_lap_to_lap_but_not_at_the_junction():
    trace = Pen(speed=0.05, **STILL | {"scale_jitter": 0.05}).draw(RING, 40_000, np.random.default_rng(0))
    reach = [trace.points[trace.lap == lap, 0].min() for lap in range(trace.lap[-1])]
    # The far side lies half-way between two knots: its deviation is 2 * 0.05 / sqrt(2). Over 318 laps, neighbours
    # alike, the error is ~5 %: chance fails less than one seed in 10 000.
    assert np.std(reach) == pytest.approx(2 * 0.05 / np.sqrt(2), rel=0.2)
    begin = trace.points[np.flatnonzero(np.diff(trace.lap, prepend=-1))]
    assert np.linalg.norm(begin - [1, 0], axis=1).max() < 0.06  # one step of 0.05


def test_one_side_varies_on_its_right_only():
    pattern = load("one_side")
    (trace,) = pattern.draw("train", 1, 20_000, np.random.default_rng(0))
    laps = [trace.points[trace.lap == lap, 0] for lap in range(trace.lap[-1])]
    right, left = np.std([x.max() for x in laps]), np.std([x.min() for x in laps])
    assert right == pytest.approx(2.0 * 0.6 / np.sqrt(12), rel=0.15)  # a uniform factor in [0.45, 1.05]
    assert left < right / 3


def test_256_traces_of_2048_steps_are_quick():
    import time

    pattern = load("one_side")
    begin = time.process_time()
    pattern.draw("train", 256, 2048, np.random.default_rng(0))
    assert time.process_time() - begin < 5.0  # measured: ~1 s


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"speed": 0}, "pen.speed: expected a number > 0, got 0"),
        ({"speed_jitter": -0.1}, r"pen.speed_jitter: expected a number in \[0, 0.3\], got -0.1"),
        ({"scale_jitter": 0.5}, "pen.scale_jitter"),
        ({"axis_jitter": "much"}, "pen.axis_jitter: expected a finite number"),
        ({"center_jitter": -1}, "pen.center_jitter"),
        ({"smooth_noise": float("nan")}, "pen.smooth_noise"),
        ({"smooth_steps": 0}, "pen.smooth_steps"),
        ({"white_noise": -1}, "pen.white_noise"),
        ({"side_stretch": [1.2, 0.8]}, "pen.side_stretch: expected .* low <= high"),
        ({"side_stretch": [0.0, 0.8]}, r"pen.side_stretch\[0\]: expected a number > 0"),
    ],
)
def test_bad_numbers_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        Pen(**arguments)


def test_no_side_stretch_where_a_line_must_meet_its_end():
    with pytest.raises(ValueError, match=r"pen.side_stretch: expected \[1, 1\] with crossing: line"):
        AutomatonPattern(load("switch_circles").automaton, Pen(side_stretch=[0.5, 1.0]))


def test_no_steps_is_an_error():
    with pytest.raises(ValueError, match="steps: expected 1 or more, got 0"):
        Pen().draw(RING, 0, np.random.default_rng(0))
