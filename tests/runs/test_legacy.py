"""Runs made by version 0.1.0 (tests/fixtures/runs) still load, evaluate, generate and resume."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from omegaconf import OmegaConf

from tests.conftest import ROOT
from vrnn.runs.directory import read_settings, state
from vrnn.runs.legacy import upgrade_settings
from vrnn.runs.run import run
from vrnn.runs.trained import evaluate_run, generate_from_run

RUNS = ROOT / "tests" / "fixtures" / "runs"

# As on the command line that made them; `interrupted` had training.steps=400 and got SIGTERM after step 50.
OVERRIDES = [
    "experiment=eye_free_nats",  # its name now
    "model=tiny",
    "data={traces: 16, steps: 256, batch_size: 8, val_traces: 4, test_traces: 8, eval_steps: 256}",
    "evaluation={traces: 8, steps: 256}",
    "training={val_every: 50, checkpoint_every: 25, figure_every: 1000}",
]


@pytest.fixture
def stored(tmp_path):
    def copy(name: str) -> Path:
        return Path(shutil.copytree(RUNS / name, tmp_path / name))

    return copy


def leaves(tree, prefix=""):
    """The numbers of a nested dict, by path; None becomes NaN."""
    found = {}
    for key, value in tree.items():
        if isinstance(value, dict):
            found |= leaves(value, f"{prefix}{key}/")
        elif not isinstance(value, str):
            found[f"{prefix}{key}"] = float("nan") if value is None else value
    return found


def assert_close(scores, expected):
    """Equal up to the order of sums, in which processors differ: laps near a threshold may then be judged otherwise."""
    ours, theirs = leaves(scores), leaves(expected)
    for key, value in theirs.items():
        tolerance = 0.02 if key.startswith(("generated/", "judge/")) else 1e-3
        assert ours[key] == pytest.approx(value, rel=tolerance, abs=tolerance, nan_ok=True), key


def test_a_finished_run_is_scored_as_it_was(stored):
    directory = stored("finished")
    assert state(directory) == "finished"
    assert_close(evaluate_run(directory), json.loads((RUNS / "finished" / "scores.json").read_text()))


def test_a_finished_run_generates(stored):
    directory = stored("finished")
    path = generate_from_run(
        directory, n=2, steps=50, prefix=None, format="npz", out=None, sample=True, checkpoint="best", seed=0
    )
    traces = np.load(path)["traces"]
    assert traces.shape == (2, 50, 2)
    assert np.isfinite(traces).all()


def test_a_finished_run_is_recognised(stored, composed):
    directory = stored("finished")
    scores = run(composed(*OVERRIDES, "training.steps=100"), directory, progress_bar=False)
    assert scores == json.loads((RUNS / "finished" / "scores.json").read_text())


def test_an_interrupted_run_resumes(stored, composed):
    """It ends with the scores that version 0.1.0 reached when it resumed the same run."""
    directory = stored("interrupted")
    first = torch.load(directory / "checkpoints" / "last.ckpt", weights_only=True)["global_step"]
    scores = run(composed(*OVERRIDES, "training.steps=400"), directory, progress_bar=False)
    assert first == 50
    assert torch.load(directory / "checkpoints" / "last.ckpt", weights_only=True)["global_step"] == 400
    expected = json.loads((RUNS / "interrupted_scores.json").read_text())
    # 350 steps of training amplify rounding on another processor: only the bound is held to be close there.
    assert scores["elbo_nats_per_step"] == pytest.approx(expected["elbo_nats_per_step"], abs=0.3)


def test_old_names_become_new_ones(stored):
    old = yaml.safe_load((RUNS / "finished" / "config.yaml").read_text())
    new = read_settings(stored("finished"))
    assert old["dataset"]["hand"]["_target_"] == "vrnn.patterns.Hand"
    assert new["dataset"]["pen"] == {"_target_": "vrnn.patterns.Pen", "speed": 0.27}
    assert "hand" not in new["dataset"]
    assert new["frame"]["_target_"] == "vrnn.networks.Coordinates"
    assert upgrade_settings(new) == new
    del old["allow"]  # counts from the command line alone
    assert OmegaConf.create(new) == OmegaConf.create(upgrade_settings(old))


@pytest.mark.parametrize(("files", "division"), [(["a.npy"], None), ([f"{i}.svg" for i in range(5)], "tail")])
def test_drawings_of_old_runs_are_divided_as_they_were(files, division):
    """Earlier versions held out the end of each drawing, whatever their number."""
    dataset = {"_target_": "vrnn.patterns.DrawnPattern", "files": files, "speed": None, "holdout": 0.2}
    upgraded = upgrade_settings({"dataset": dataset})["dataset"]
    added = {"division": division, "split_seed": 0, "val_files": None, "test_files": None, "interval": None}
    assert upgraded == dataset | added
    assert upgrade_settings({"dataset": upgraded})["dataset"] == upgraded
