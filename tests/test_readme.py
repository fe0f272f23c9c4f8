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
    numbers = {"six": 6, "eleven": 11, "eighteen": 18}
    for word, group in (("six", "recurrence"), ("eleven", "likelihood"), ("eighteen", "w_schedule")):
        name = {"recurrence": "recurrences", "likelihood": "likelihoods", "w_schedule": "w schedules"}[group]
        assert f"{word} {name}" in TEXT
        assert len(list((ROOT / "conf" / group).glob("*.yaml"))) == numbers[word]


def test_eye_scores_agree_with_each_other():
    """The short table and the long one of docs/running.md are of the same run."""
    running = (ROOT / "docs" / "running.md").read_text()
    for label in ("ELBO, nats per step", "invalid laps"):
        short, long = (re.search(rf"^\| {label} \| (\S+)", text, re.M)[1] for text in (TEXT, running))
        assert short == long


def test_diagram_is_what_its_script_draws(tmp_path):
    out = tmp_path / "six_networks.svg"
    subprocess.run([sys.executable, str(ROOT / "tools" / "diagram.py"), str(out)], check=True)
    assert out.read_text() == (ROOT / "docs" / "six_networks.svg").read_text()


def measured(name: str) -> dict[str, str]:
    """The cells of an experiment's row in docs/results, by their headings."""
    # Other studies have some of these experiments with other seeds.
    for page in (ROOT / "docs" / "results" / f"{study}.md" for study in ("recipes", "blog")):
        heads: list[str] = []
        for line in page.read_text().splitlines():
            cells = [cell.strip(" *") for cell in line.split("|")]
            heads = cells if "elbo_nats_per_step" in cells else heads
            if heads and name in cells[:2]:
                return dict(zip(heads, cells, strict=True))
    raise AssertionError(f"{name} is not in docs/results")


ROWS = [[cell.strip() for cell in line.split("|")] for line in TEXT.splitlines() if re.match(r"\| \w+ \| \d+ \|", line)]


@pytest.mark.parametrize("row", [row for row in ROWS if row[2] != "1"], ids=lambda row: row[1])
def test_results_table_has_the_means_of_the_pages(row):
    found = measured(row[1])
    assert found["runs"] == row[2]
    scores = ("invalid_fraction", "transition_tv", "laps_right_fraction", "elbo_nats_per_step", "kl_nats_per_step")
    for cell, score in zip(row[4:9], scores, strict=True):
        shown = cell.split(" ")[0]
        digits = len(shown.split(".")[1])
        assert float(shown) == pytest.approx(float(found[score].split(" ")[0]), abs=0.6 * 10**-digits), score


@pytest.mark.parametrize("row", [row for row in ROWS if row[2] == "1"], ids=lambda row: row[1])
def test_results_table_has_the_measured_elbo(row):
    """Of experiments with one seed it has seed 0, which is an end of the range over seeds 0 and 1."""
    ends = json.loads(re.search(r"\[.*\]", measured(row[1])["elbo_nats_per_step"])[0])
    assert min(abs(float(row[7]) - end) for end in ends) < 0.0051


def test_results_table_has_its_rows():
    assert {"eye", "circle_triangle_eight", "blog_eye", "blog_circle_triangle_eight"} <= {row[1] for row in ROWS}
