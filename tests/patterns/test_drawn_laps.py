"""Drawings as random processes: what is estimated against what was drawn."""

from collections import Counter
from itertools import groupby, pairwise
from pathlib import Path

import numpy as np
import pytest

from tests.datasets import load
from vrnn.evaluation import LapJudge, score
from vrnn.evaluation.laps import judge_the_judge
from vrnn.patterns import DrawnLaps, Rendering, Trace
from vrnn.patterns.resampling import normalise

NO_JITTER = "pen={_target_: vrnn.patterns.Pen, speed: 0.1, speed_jitter: 0.0, center_jitter: 0.01, white_noise: 0.0}"


def drawing(name: str, directory: Path, steps: int = 4000, seed: int = 0) -> tuple[Path, Trace]:
    """Write a trace of a known automaton as a drawing."""
    trace = load(name, NO_JITTER).draw("train", 1, steps, np.random.default_rng(seed))[0]
    path = directory / f"{name}-{seed}.npy"
    np.save(path, trace.points)
    return path, trace


def visits(trace: Trace, laps: int) -> list[int]:
    """Return the states of the whole visits of a trace, the last lap, which is not complete, left out."""
    states = [int(trace.state[np.flatnonzero(trace.lap == n)[0]]) for n in range(trace.lap[-1])]
    return [state for state, run in groupby(states) for _ in range(-(-len(list(run)) // laps))]


@pytest.mark.parametrize(("name", "laps"), [("eye", 1), ("circle_triangle_eight", 2)])
def test_odds_are_those_counted_in_the_drawing(name: str, laps: int, tmp_path: Path) -> None:
    path, trace = drawing(name, tmp_path)
    found = DrawnLaps([path])
    true = visits(trace, laps)
    named = {state: n for n, state in enumerate(dict.fromkeys(true))}  # shapes are numbered by their first lap
    moves = Counter((named[a], named[b]) for a, b in pairwise(true))
    expected = np.array([[moves[i, j] for j in range(len(named))] for i in range(len(named))], dtype=float)
    np.testing.assert_allclose(found.automaton.matrix, expected / expected.sum(1, keepdims=True))
    assert found.automaton.laps.tolist() == [laps] * len(named)
    assert sum(len(pool) for split in found.laps for pool in (split["train"], split["test"])) == trace.lap[-1]


def test_curves_are_those_of_the_automaton(tmp_path: Path) -> None:
    path, trace = drawing("eye", tmp_path)
    lengths = sorted(piece.length for piece in DrawnLaps([path]).automaton.pieces)
    scale = np.linalg.norm(np.diff(normalise(trace.points), axis=0)) / np.linalg.norm(np.diff(trace.points, axis=0))
    true = sorted(piece.length * scale for piece in load("eye").automaton.pieces)
    np.testing.assert_allclose(lengths, true, rtol=0.03)


def test_traces_are_the_drawing_s_laps_at_constant_speed(tmp_path: Path) -> None:
    path, _ = drawing("circle_triangle_eight", tmp_path)
    still = {"speed": 0.0, "scale": 0.0, "rotation": 0.0, "shift": 0.0, "smooth": 0.0, "white": 0.0}
    pattern = DrawnLaps([path], speed=0.05, render=Rendering(**still))
    trace = pattern.draw("train", 1, 600, np.random.default_rng(0))[0]
    steps = np.linalg.norm(np.diff(trace.points, axis=0), axis=1)
    assert np.median(steps) == pytest.approx(0.05, rel=1e-3)
    assert steps.max() < 0.0501  # corners are cut, nothing jumps
    pool = np.concatenate(pattern.laps[trace.state[300]]["train"])
    middle = trace.points[(trace.lap == trace.lap[300])][5:-5]
    away = np.linalg.norm(middle[:, None] - pool[None], axis=2).min(axis=1)
    assert away.max() < 0.06  # a lap is moved at its ends alone


def test_no_lap_is_in_training_and_in_the_test(tmp_path: Path) -> None:
    path, _ = drawing("eye", tmp_path)
    for split in DrawnLaps([path]).laps:
        assert not {lap.tobytes() for lap in split["train"]} & {lap.tobytes() for lap in split["test"]}
        assert len(split["test"]) == (len(split["train"]) + len(split["test"])) // 5
    assert all(split["test"] == split["train"] for split in DrawnLaps([path], held_out=False).laps)


def test_traces_follow_the_odds_that_were_counted(tmp_path: Path) -> None:
    path, _ = drawing("circle_triangle_eight", tmp_path)
    pattern = DrawnLaps([path])
    judge = LapJudge.calibrate(pattern, steps=1024)
    assert judge_the_judge(judge, pattern, 1024, seed=1)["label_errors"] == 0.0
    points = [trace.points for trace in pattern.draw("train", 48, 2048, np.random.default_rng(2))]
    found = score(points, judge)
    assert found["invalid_fraction"] < 0.01
    assert found["transition_tv"] < 0.05  # about three times that of as many true traces


def test_one_shape_has_one_lap_per_visit(tmp_path: Path) -> None:
    path, _ = drawing("circle", tmp_path, steps=1200)
    automaton = DrawnLaps([path]).automaton
    assert (automaton.names, automaton.laps.tolist(), automaton.matrix.tolist()) == (["shape_1"], [1], [[1.0]])


def test_laps_of_several_drawings_are_counted_together(tmp_path: Path) -> None:
    paths = [drawing("eye", tmp_path, 1500, seed)[0] for seed in (1, 2)]
    both, one = DrawnLaps(paths), DrawnLaps(paths[:1])
    assert len(both.names) == len(one.names) == 2
    assert len(both.laps[0]["train"]) > 1.5 * len(one.laps[0]["train"])


@pytest.mark.parametrize(
    ("options", "part"),
    [
        (
            {"junction": [9.0, 9.0]},
            "laps between passages of dataset.junction must be at least 3, but is 0: name another",
        ),
        ({"radius": -1.0}, "dataset.radius must be a number > 0"),
        ({"shapes": 0}, "dataset.shapes must be"),
        ({"speed": 0.0}, "dataset.speed must be a number > 0"),
        ({"speed": 100.0}, "dataset.speed must be at most .* 4 steps for the shortest lap"),
        ({"junction": "top"}, "dataset.junction must be .*start"),
    ],
)
def test_wrong_options_are_refused(options: dict, part: str, tmp_path: Path) -> None:
    path, _ = drawing("eye", tmp_path, 800)
    with pytest.raises(ValueError, match=part):
        DrawnLaps([path], **options)
