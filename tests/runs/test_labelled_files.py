"""A run on labelled files of one's own is scored class by class."""

import json

import numpy as np
import pytest

from tests.conftest import SMALL
from vrnn.runs import compare, compare_table
from vrnn.runs.collect import Run, collect, score_values
from vrnn.runs.report import class_scalars
from vrnn.runs.run import run
from vrnn.runs.summary import score_rows

PACE = "training={steps: 6, log_every: 3, val_every: 6, checkpoint_every: 3, figure_every: 6}"


def test_held_out_scores_of_each_label(composed, tmp_path):
    """Five slow and five fast waves in two folders: held out are one of each and one more."""
    for label, period in (("slow", 20), ("fast/er", 4)):
        (tmp_path / "data" / label).mkdir(parents=True)
        for i in range(6):
            np.save(tmp_path / "data" / label / f"{i}.npy", np.sin((np.arange(40 + i) + i) * 2 * np.pi / period))
    options = ["dataset=series", f"dataset.files=[{tmp_path / 'data'}]", "dataset.holdout=0.5", "dataset.label=folder"]
    scores = run(
        composed(*SMALL, PACE, *options, "condition=label", "engine=reference"), tmp_path / "run", progress_bar=False
    )
    classes = scores["classes"]
    assert set(classes) == {"er", "slow"}
    assert sum(own["held_out_traces"] for own in classes.values()) == 3
    whole = sum(own["elbo_nats_per_sequence"] * own["held_out_traces"] for own in classes.values())
    assert whole / 3 == pytest.approx(scores["elbo_nats_per_sequence"])
    assert "ELBO of slow" in [row[0] for row in score_rows(scores)]
    assert f"{classes['er']['elbo_nats_per_step']}" in str(class_scalars(scores)["score_elbo_nats_per_step/er"])
    assert (tmp_path / "run" / "figures" / "classes.png").exists()
    (group,) = compare.group_runs(collect(tmp_path), "elbo_nats_per_step")
    assert group.mean["elbo_nats_per_step of slow"] == classes["slow"]["elbo_nats_per_step"]
    headings, row = compare_table.rows([group], "elbo_nats_per_step")
    assert row[headings.index("elbo_nats_per_step of er")] == f"{classes['er']['elbo_nats_per_step']:.4f}"
    table = compare_table.to_csv([group], "elbo_nats_per_step")
    assert "elbo_nats_per_step of slow.mean" in table.splitlines()[0]
    assert json.loads((tmp_path / "run" / "scores.json").read_text())["classes"] == classes


def test_no_column_for_each_of_many_classes(tmp_path):
    scores = {"elbo_nats_per_step": 1.0, "classes": {f"c{i}": {"elbo_nats_per_step": float(i)} for i in range(13)}}
    assert [row[0] for row in score_rows(scores)] == ["ELBO, nats per step"]
    runs = [Run(tmp_path, "finished", {"seed": 0}, score_values(tmp_path, scores), None)]
    (group,) = compare.group_runs(runs, "elbo_nats_per_step")
    assert compare_table.rows([group], "elbo_nats_per_step")[0] == ["runs", "elbo_nats_per_step"]
    assert "elbo_nats_per_step of c12.mean" in compare_table.to_csv([group], "elbo_nats_per_step")
