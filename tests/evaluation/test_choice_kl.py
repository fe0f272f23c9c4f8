"""The KL at choices, divided: by hand, and by the chain rule."""

import math

import numpy as np
import pytest
import torch

from tests.datasets import load
from vrnn.evaluation.choice_kl import choice_parts
from vrnn.patterns import Trace

EYE = load("eye").automaton


def eye(*states: int) -> Trace:
    """A trace of laps of six steps."""
    return Trace(np.zeros((6 * len(states), 2)), np.repeat(states, 6), np.repeat(np.arange(len(states)), 6))


def probs(steps: int, **at: list[float]) -> torch.Tensor:
    """Probabilities (steps, 1, 4): uniform but at given steps."""
    found = torch.full((steps, 1, 4), 0.25, dtype=torch.float64)
    for step, row in at.items():
        found[int(step[1:]), 0] = torch.tensor(row, dtype=torch.float64)
    return found


def test_a_choice_and_a_time_by_hand():
    """Classes 0 and 1 mean wide, 2 and 3 thin. z says the state, one bit, and which of two classes, another bit."""
    trace = eye(0, 0, 1)
    q = probs(18, s6=[1.0, 0.0, 0.0, 0.0], s12=[0.0, 0.0, 0.0, 1.0])
    found = choice_parts(q.log(), probs(18).log(), torch.ones(18, 1, dtype=torch.bool), [trace], EYE)
    # Classes 1 and 2, never used, belong to the first state: P(wide) = 3/4.
    assert found["kl_per_choice_outcome_nats"] == pytest.approx((math.log(4 / 3) + math.log(4)) / 2)
    q = probs(18, s6=[0.9, 0.1, 0.0, 0.0], s12=[0.0, 0.0, 0.1, 0.9])
    found = choice_parts(q.log(), probs(18).log(), torch.ones(18, 1, dtype=torch.bool), [trace], EYE)
    within = math.log(2) + 0.9 * math.log(0.9) + 0.1 * math.log(0.1)
    assert found["kl_per_choice_outcome_nats"] == pytest.approx(math.log(2))
    assert found["kl_per_choice_rest_nats"] == pytest.approx(within)


def test_parts_sum_to_the_whole():
    rng = np.random.default_rng(0)
    traces = [eye(*rng.integers(2, size=12)) for _ in range(5)]
    q, p = (torch.as_tensor(rng.dirichlet(np.ones(4), size=(72, 5))) for _ in range(2))
    mask = torch.ones(72, 5, dtype=torch.bool)
    mask[30:, 2] = False
    found = choice_parts(q.log(), p.log(), mask, traces, EYE)
    kl = (q * (q / p).log()).sum(-1)
    whole = [kl[t : t + 4, b].sum() for b in range(5) for t in range(6, 72, 6) if mask[t : t + 4, b].all()]
    parts = found["kl_per_choice_outcome_nats"] + found["kl_per_choice_rest_nats"]
    assert parts == pytest.approx(float(torch.stack(whole).mean()))
    assert found["kl_per_choice_rest_nats"] > 0


def test_information_of_z_about_the_next_state():
    """Two classes that always tell the state: its entropy. Classes that are as likely either way: nothing."""
    trace, mask = eye(0, 0, 1, 0, 1), torch.ones(30, 1, dtype=torch.bool)
    tells = probs(
        30, s6=[1.0, 0.0, 0.0, 0.0], s12=[0.0, 0.0, 0.0, 1.0], s18=[1.0, 0.0, 0.0, 0.0], s24=[0.0, 0.0, 0.0, 1.0]
    )
    found = choice_parts(tells.log(), probs(30).log(), mask, [trace], EYE)["choice_information_nats"]
    after_wide = -(
        math.log(1 / 3) / 3 + math.log(2 / 3) * 2 / 3
    )  # to wide once, to thin twice; after thin: wide, no entropy
    assert found == pytest.approx(after_wide * 3 / 4)
    silent = choice_parts(probs(30).log(), probs(30).log(), mask, [trace], EYE)["choice_information_nats"]
    assert silent == pytest.approx(0.0)


def test_without_a_choice_there_is_nothing():
    found = choice_parts(probs(6).log(), probs(6).log(), torch.ones(6, 1, dtype=torch.bool), [eye(0)], EYE)
    assert found == dict.fromkeys(found)


def test_a_class_that_is_all_but_impossible_has_a_finite_share():
    """Log-probabilities in single precision, as a model gives them: exp(-105) is 0 there."""
    log_p, log_q = (torch.tensor([[[0.0, -60.0, last, -90.0]]]).log_softmax(-1) for last in (-105.0, -100.0))
    found = choice_parts(
        *(each.expand(12, 1, 4) for each in (log_q, log_p)), torch.ones(12, 1, dtype=torch.bool), [eye(0, 1)], EYE
    )
    assert all(math.isfinite(found[key]) for key in ("kl_per_choice_outcome_nats", "kl_per_choice_rest_nats"))
