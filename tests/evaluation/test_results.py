"""The page of results: what is bold, which claims hold, what is left out."""

import math
from pathlib import Path

import numpy as np
import pytest

from vrnn.evaluation import comparison
from vrnn.evaluation.comparison import SCORE, Group, Run
from vrnn.evaluation.results import Claim, Condition, claims, ordered, table


def group(model: str, dataset: str, *invalid: float) -> Group:
    scores = [
        dict.fromkeys(SCORE, math.nan) | {"invalid_fraction": value, "elbo_nats_per_step": 6.0} for value in invalid
    ]
    runs = [
        Run(Path("nowhere"), "finished", {"training.steps": 10, "seed": i}, row, None) for i, row in enumerate(scores)
    ]
    made = Group({"model": model, "dataset": dataset}, runs)
    comparison.estimate(made, np.random.default_rng(0))
    return made


@pytest.fixture
def rows():
    groups = [
        group("a", "eye", 0.3, 0.1),
        group("b", "eye", 0.1, 0.1),
        group("a", "cte", 0.9),
        group("c", "cte", math.nan),
    ]
    return ordered(groups, "invalid_fraction", "dataset")


def test_rows_are_ordered_within_their_data_set(rows):
    assert list(rows) == ["a, cte", "c, cte", "b, eye", "a, eye"]


def test_the_best_of_a_column_is_bold_among_its_rivals(rows):
    lines = table(rows, ["invalid_fraction", "transition_tv"], "dataset")
    cells = {row.split(" | ")[0].strip("| ") + row.split(" | ")[1]: row.split(" | ")[3] for row in lines[2:]}
    assert cells["beye"] == "**0.1000 [0.1000, 0.1000]**"
    assert not cells["aeye"].startswith("**")
    assert cells["acte"] == "**0.9000**"
    assert cells["ccte"] == "-"


def test_a_claim_holds_or_not_and_says_what_was_measured(rows):
    true = Claim("b is good.", "models", [Condition("b, eye", "invalid_fraction", "<", 0.2)])
    false = Claim(
        "a beats b.", "models", [Condition("a, eye", "invalid_fraction", "<", "b, eye")], [("a, cte", "transition_tv")]
    )
    unknown = Claim("d is better.", "models", [Condition("d, eye", "invalid_fraction", "<", 0.2)])
    elsewhere = Claim("d is better.", "schemes", [Condition("b, eye", "invalid_fraction", "<", 0.2)])
    said = claims([true, false, unknown, elsewhere], {"models": rows})
    assert said == [
        "- b is good. **Holds.** b, eye: invalid fraction 0.1000 [0.1000, 0.1000].",
        "- a beats b. **Does not hold.** a, eye: invalid fraction 0.2000 [0.1000, 0.3000]; "
        "b, eye: invalid fraction 0.1000 [0.1000, 0.1000]; a, cte: transition tv -.",
    ]


def test_a_claim_about_what_was_not_measured_cannot_be_told(rows):
    for relation in "<>":
        claim = Claim("c.", "models", [Condition("c, cte", "invalid_fraction", relation, 0.2)])
        assert "Cannot be told" in claim.verdict(rows)
