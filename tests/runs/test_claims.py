"""The page of results: bold cells, verdicts on claims, claims left out."""

import math
from pathlib import Path

import pytest

from vrnn.runs import compare
from vrnn.runs.claims import Claim, Condition, claims, ordered, table
from vrnn.runs.collect import Run
from vrnn.runs.compare import Group
from vrnn.runs.score_names import SCORE


def group(model: str, dataset: str, *invalid: float) -> Group:
    scores = [
        dict.fromkeys(SCORE, math.nan) | {"invalid_fraction": value, "elbo_nats_per_step": 6.0} for value in invalid
    ]
    runs = [
        Run(Path("nowhere"), "finished", {"training.steps": 10, "seed": i}, row, None) for i, row in enumerate(scores)
    ]
    made = Group({"model": model, "dataset": dataset}, runs)
    compare.estimate(made)
    return made


@pytest.fixture
def rows():
    groups = [
        group("a", "eye", 0.3, 0.1, 0.3, 0.1, 0.2),
        group("b", "eye", *[0.1] * 5),
        group("d", "eye", 0.4, 0.5, 0.4, 0.5, 0.45),
        group("e", "eye", *[0.9] * 4),
        group("a", "cte", 0.9),
        group("c", "cte", math.nan),
    ]
    return ordered(groups, "invalid_fraction", "dataset")


def test_rows_are_ordered_within_their_data_set(rows):
    assert list(rows) == ["a, cte", "c, cte", "b, eye", "a, eye", "d, eye", "e, eye"]


def test_the_best_of_a_column_is_bold_among_its_rivals(rows):
    lines = table(rows, ["invalid_fraction", "transition_tv"], "dataset")
    cells = {row.split(" | ")[0].strip("| ") + row.split(" | ")[1]: row.split(" | ")[3] for row in lines[2:]}
    assert cells["beye"] == "**0.1000 [0.1000, 0.1000]**"
    assert not cells["aeye"].startswith("**")
    assert cells["acte"] == "**0.9000**"
    assert cells["ccte"] == "-"


def test_a_claim_holds_or_not_and_shows_its_scores(rows):
    true = Claim("b is good.", "models", [Condition("b, eye", "invalid_fraction", "<", 0.2)])
    false = Claim(
        "d beats b.", "models", [Condition("d, eye", "invalid_fraction", "<", "b, eye")], [("a, cte", "transition_tv")]
    )
    unknown = Claim("f is better.", "models", [Condition("f, eye", "invalid_fraction", "<", 0.2)])
    elsewhere = Claim("b is better.", "schemes", [Condition("b, eye", "invalid_fraction", "<", 0.2)])
    said = claims([true, false, unknown, elsewhere], {"models": rows})
    assert said == [
        "- b is good. **Holds.** b, eye: invalid fraction 0.1000 [0.1000, 0.1000].",
        "- d beats b. **Does not hold.** d, eye: invalid fraction 0.4500 [0.3879, 0.5121]; "
        "b, eye: invalid fraction 0.1000 [0.1000, 0.1000]; a, cte: transition tv -; "
        "difference 0.3500 [0.2879, 0.4121], Hedges' g 8.9.",
    ]


@pytest.mark.parametrize("relation", ["<", ">"])
@pytest.mark.parametrize(
    ("row", "bound"),
    [("c, cte", 0.2), ("a, cte", 0.2), ("a, eye", 0.2), ("a, eye", "a, eye"), ("b, eye", 0.1), ("e, eye", 0.2)],
)
def test_a_claim_with_overlapping_intervals_cannot_be_told(rows, row, bound, relation):
    """Nothing measured; one seed; a bound within; no difference; equal; four seeds."""
    assert "**Cannot be told.**" in Claim(
        "c.", "models", [Condition(row, "invalid_fraction", relation, bound)]
    ).verdict(rows)


@pytest.mark.parametrize(("also", "verdict"), [("b, eye", "Cannot be told"), ("d, eye", "Does not hold")])
def test_one_condition_that_is_not_met_is_enough(rows, also, verdict):
    conditions = [
        Condition("b, eye", "invalid_fraction", "<", "d, eye"),
        Condition("a, eye", "invalid_fraction", "<", 0.2),
        Condition(also, "invalid_fraction", "<", 0.3),
    ]
    assert f"**{verdict}.**" in Claim("c.", "models", conditions).verdict(rows)
