"""The README is short, and what it shows is true."""

import json
import re
import subprocess
import sys

import pytest
import torch

from tests.conftest import ROOT
from tests.pages import README, blocks

MOST_WORDS = 900
TEXT = README.read_text()


def test_at_most_900_words():
    assert len(TEXT.split()) <= MOST_WORDS


def test_ten_lines_of_python_run():
    (block,) = blocks(README, "python")
    assert len(block.splitlines()) <= 12
    names: dict = {}
    exec(block, names)
    assert names["drawn"].shape == (500, 4, 2)
    expected = names["loss"].distortion.mean() + names["loss"].kl.sum(-1).mean()
    torch.testing.assert_close(names["loss"].loss, expected)
    assert names["vrnn"].encoder.head.weight.grad.abs().sum() > 0


def test_counts_of_choices_are_those_of_conf():
    numbers = {"five": 5, "nine": 9, "eighteen": 18}
    for word, group in (("five", "recurrence"), ("nine", "likelihood"), ("eighteen", "w_schedule")):
        name = {"recurrence": "recurrences", "likelihood": "likelihoods", "w_schedule": "w schedules"}[group]
        assert f"{word} {name}" in TEXT
        assert len(list((ROOT / "conf" / group).glob("*.yaml"))) == numbers[word]


def test_eye_scores_agree_with_each_other():
    """The short table, the long one of docs/running.md and the row of the results table are of the same run."""
    running = (ROOT / "docs" / "running.md").read_text()
    row = next(line for line in TEXT.splitlines() if line.startswith("| eye |"))
    for label in ("ELBO, nats per step", "invalid laps"):
        short, long = (re.search(rf"^\| {label} \| (\S+)", text, re.M)[1] for text in (TEXT, running))
        assert short == long
    assert f"| {float(re.search(r'invalid laps . ([0-9.]+)', running)[1]):.3f} ±" in row


def test_diagram_is_what_its_script_draws(tmp_path):
    out = tmp_path / "six_networks.svg"
    subprocess.run([sys.executable, str(ROOT / "tools" / "diagram.py"), str(out)], check=True)
    assert out.read_text() == (ROOT / "docs" / "six_networks.svg").read_text()


def elbo_range(name: str) -> tuple[float, float]:
    """Return the interval over seeds of an experiment's ELBO in docs/results."""
    pages = "".join(page.read_text() for page in sorted((ROOT / "docs" / "results").glob("*.md")))
    for line in pages.splitlines():
        cells = [cell.strip() for cell in line.split("|")]
        if "elbo_nats_per_step" in cells:
            column = cells.index("elbo_nats_per_step")
        if name in cells[:2]:
            low, high = json.loads(re.search(r"\[.*\]", cells[column])[0])
            return low, high
    raise AssertionError(f"{name} is not in docs/results")


@pytest.mark.parametrize(
    "name",
    [
        "eye",
        "eye_gaussian",
        "circle_triangle_eight_mixture",
        "blog_eye",
        "blog_circle_triangle_eight",
        "blog_eight",
        "blog_one_side",
    ],
)
def test_results_table_has_the_measured_elbo(name):
    """The README has seed 0, which is an end of the range over seeds 0 and 1."""
    row = next(line for line in TEXT.splitlines() if line.startswith(f"| {name} |"))
    elbo = float(row.split("|")[6])
    assert min(abs(elbo - end) for end in elbo_range(name)) < 0.0051
