"""Durations, shapes and memory of generated laps, and the tests that tell them from true ones."""

import math
from itertools import pairwise

import numpy as np
import pytest

from tests.datasets import load
from tests.evaluation.judges import draw, judge_of
from vrnn import VRNN
from vrnn.data.datamodule import TraceDataModule
from vrnn.data.loader import TraceSet
from vrnn.evaluation.nearest import nearest_lap_ratio
from vrnn.evaluation.process import memory, process_scores
from vrnn.evaluation.scores import Visit
from vrnn.evaluation.two_sample import accuracy, two_sample_scores
from vrnn.runs.evaluate import thorough_scores


def visits_of(states: list[int]) -> list[Visit]:
    visits = [Visit(state, float(n), 1.0) for n, state in enumerate(states)]
    for visit, after in pairwise(visits):
        visit.following = after.state
    return visits


def chain(odds: np.ndarray, steps: int, rng: np.random.Generator) -> list[Visit]:
    """Two states; odds[before, present] is the probability that state 1 comes next."""
    states = [0, 0]
    for random in rng.random(steps):
        states.append(int(random < odds[states[-2], states[-1]]))
    return visits_of(states)


def test_memory_of_independent_choices_is_near_zero() -> None:
    # The spread of the estimate is about 1 / n = 2.5e-5.
    found = memory([chain(np.full((2, 2), 0.3), 40_000, np.random.default_rng(0))], 2)
    assert found == pytest.approx(0.0, abs=2e-4)


def test_memory_of_a_second_order_chain_is_its_information() -> None:
    odds = np.array([[0.9, 0.4], [0.2, 0.5]])
    pair = np.full(4, 0.25)  # of (before, present)
    move = np.zeros((4, 4))
    for before in (0, 1):
        for present in (0, 1):
            move[2 * before + present, 2 * present : 2 * present + 2] = 1 - odds[before, present], odds[before, present]
    for _ in range(500):
        pair = pair @ move
    joint = pair.reshape(2, 2, 1) * np.stack([1 - odds, odds], axis=-1)
    expected = 0.0
    for b, p, n in np.ndindex(2, 2, 2):
        given = joint[b, p].sum() * joint[:, p, n].sum() / joint[:, p].sum()
        expected += joint[b, p, n] * math.log(joint[b, p, n] / given)
    found = memory([chain(odds, 40_000, np.random.default_rng(1))], 2)
    assert found == pytest.approx(expected, rel=0.05)  # the standard error is about 2 %


def test_memory_needs_three_visits() -> None:
    assert memory([visits_of([0, 1])], 2) is None


def test_durations_differ_by_the_speed_of_the_pen() -> None:
    judge = judge_of("eye")
    slow = draw(load("eye", "pen.speed=0.26"), 24, 1024, seed=1)
    true, same = (draw(load("eye"), 24, 1024, seed=seed) for seed in (2, 3))
    moved = process_scores(slow, true, judge)["lap_steps_distance"]
    wide = judge.automaton.pieces[0].length
    assert moved["wide"] == pytest.approx(wide / 0.26 - wide / 0.27, abs=0.3)
    assert process_scores(same, true, judge)["lap_steps_distance"]["wide"] < 0.15


def test_jitter_of_a_rougher_pen_is_seen() -> None:
    judge = judge_of("eye")
    rough = draw(load("eye", "pen.white_noise=0.01"), 24, 1024, seed=1)
    true = draw(load("eye"), 24, 1024, seed=2)
    assert process_scores(rough, true, judge)["lap_jitter_distance"]["thin"] > 0.001


def test_classifier_reaches_the_best_accuracy_of_two_normals() -> None:
    rng = np.random.default_rng(0)
    train, test = ([rng.normal(size=(1500, 3)), rng.normal([1.5, 0.0, 0.0], size=(1500, 3))] for _ in range(2))
    best = 0.5 * (1.0 + math.erf(0.75 / math.sqrt(2.0)))  # at the middle between the means
    assert accuracy(train, test, seed=0) == pytest.approx(best, abs=0.03)  # three standard errors are 0.023
    assert accuracy([train[0], test[0]], [rng.normal(size=(1500, 3)) for _ in range(2)], 0) == pytest.approx(
        0.5, abs=0.03
    )


def test_true_laps_cannot_be_told_from_true_ones_but_others_can() -> None:
    judge = judge_of("eye")
    true, same = (draw(load("eye"), 48, 1024, seed=seed) for seed in (4, 5))
    found = two_sample_scores(same, true, judge, seed=0)
    assert abs(found["two_sample_laps"] - 0.5) < 3 * found["two_sample_laps_se"] + 0.01
    rough = draw(load("eye", "pen.white_noise=0.05"), 32, 1024, seed=6)
    assert two_sample_scores(rough, true[:32], judge, seed=0)["two_sample_laps"] > 0.7


def test_wrong_numbers_of_laps_show_in_visits_and_not_in_laps() -> None:
    judge = judge_of("circle_triangle_eight")
    true = draw(load("circle_triangle_eight"), 48, 2048, seed=7)
    other = load("circle_triangle_eight", "automaton.states.circle.laps=1")
    found = two_sample_scores(draw(other, 48, 2048, seed=8), true, judge, seed=0)
    assert found["two_sample_visits"] > 0.6
    assert found["two_sample_laps"] < found["two_sample_visits"]


def test_too_few_laps_have_no_two_sample_score() -> None:
    short = draw(load("eye"), 2, 80, seed=0)
    assert two_sample_scores(short, short, judge_of("eye"), seed=0)["two_sample_visits"] is None


def test_copies_of_training_laps_are_near_and_new_laps_are_not() -> None:
    judge = judge_of("eye")
    train, true, new = (draw(load("eye"), 16, 1024, seed=seed) for seed in (1, 2, 3))
    assert nearest_lap_ratio(train, true, train, judge) == pytest.approx(0.0, abs=1e-9)
    assert nearest_lap_ratio(new, true, train, judge) == pytest.approx(1.0, abs=0.1)  # the spread over seeds is 0.02
    rough = draw(load("eye", "pen.white_noise=0.05"), 16, 1024, seed=4)
    assert nearest_lap_ratio(rough, true, train, judge) > 1.2


def test_an_evaluation_knows_copies_of_the_training_traces() -> None:
    """Copies of what the run was trained on, beside an untrained model's inference: as new as true laps it would be 1."""
    pattern = load("eye")
    data = TraceDataModule(pattern, batches=1, seed=0, traces=8, steps=512, test_traces=2, eval_steps=32)
    held_out = TraceSet(data.traces("test"))
    vrnn = VRNN()
    copies = np.stack([trace.points for trace in data.traces("train")])
    scores = thorough_scores(vrnn, vrnn.infer(held_out.x), pattern, data.traces, judge_of("eye"), copies, seed=0)
    assert scores["nearest_lap_ratio"] == pytest.approx(0.0, abs=1e-9)
