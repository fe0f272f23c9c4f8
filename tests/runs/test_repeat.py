"""A run is repeated from its own directory, and says what made it."""

import json
import re
import shutil
import subprocess
import sys
from importlib.metadata import version

import pytest
import torch

from tests.conftest import ROOT, SMALL
from vrnn.errors import ConfigError
from vrnn.runs.name import run_name
from vrnn.runs.provenance import begin_provenance, end_provenance, read_provenance
from vrnn.runs.repeat import repeat
from vrnn.runs.run import run

PACE = "training={steps: 6, log_every: 3, val_every: 6, checkpoint_every: 3, figure_every: 6}"
FINISHED = ROOT / "tests" / "fixtures" / "runs" / "finished"


def test_a_copy_is_repeated_elsewhere_with_the_same_bits(composed, tmp_path):
    """By the command, as a process in another directory, which knows the run's settings from its copy alone."""
    config = composed(*SMALL, PACE, "recurrence=lstm", "likelihood=gaussian_mixture", "latent=categorical", "seed=3")
    scores = run(config, tmp_path / "here" / "outputs" / "eye" / "mine", progress_bar=False)
    there = tmp_path / "there"
    shutil.copytree(tmp_path / "here", there / "copied")
    words = [sys.executable, str(ROOT / "scripts" / "train.py"), "from=copied/outputs/eye/mine"]
    done = subprocess.run(words, cwd=there, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    again = there / "outputs" / "eye" / "mine"
    assert json.loads((again / "scores.json").read_text()) == scores
    first, second = (
        torch.load(path / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
        for path in (again, tmp_path / "here" / "outputs" / "eye" / "mine")
    )
    assert all(torch.equal(weight, second[name]) for name, weight in first.items())
    made = read_provenance(again)
    assert made["command"] == "vrnn train from=copied/outputs/eye/mine"
    assert made["versions.torch"] == version("torch")
    assert made["machine.vectors"] == torch.backends.cpu.get_cpu_capability()
    assert made["ended"] >= made["started"]


def test_changes_are_made_and_named():
    config, directory = repeat([f"from={FINISHED}", "seed=7", "recurrence=lstm", "data.batch_size=4"])
    assert (config.seed, config.data.batch_size) == (7, 4)
    assert config.recurrence["_target_"] == "vrnn.networks.LSTM"
    assert re.fullmatch(r"outputs/runs/finished_data.batch_size-4_recurrence-lstm_seed-7-[0-9a-f]{8}", str(directory))
    assert str(repeat([f"from={FINISHED}"])[1]) == "outputs/runs/finished"
    assert str(repeat([f"from={FINISHED}", "seed=7", "name=mine"])[1]) == "outputs/runs/mine"


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["from=nowhere"], "no config.yaml"),
        (["data.windw=3"], "data.windw"),
        (["seed=1,2"], "must be one setting"),
        (["recurrence=gruu"], "gruu"),
        (["data.window=long"], "data.window"),
        (["experiment=eye"], "changes several groups at once"),
    ],
)
def test_changes_that_cannot_be_made(overrides, message):
    begin = [] if overrides[0].startswith("from=") else [f"from={FINISHED}"]
    with pytest.raises(ConfigError, match=message):
        repeat([*begin, *overrides])


def test_names_of_runs():
    assert run_name(None, "eye", "eye", ["experiment=eye", "seed=1", "name=mine"]) == "eye/mine"
    assert run_name("s", "eye", "eye", ["name=a"]) != run_name("s", "eye", "eye", ["name=b"])


def test_a_continued_run_has_two_entries(tmp_path):
    begin_provenance(tmp_path, ["seed=1"])
    begin_provenance(tmp_path, ["seed=1"])
    end_provenance(tmp_path)
    first, second = json.loads((tmp_path / "provenance.json").read_text())["sessions"]
    assert first["ended"] is None
    assert second["ended"] is not None
    assert re.fullmatch("[0-9a-f]{40}", second["git"]["commit"])
    (tmp_path / "provenance.json").write_text("not json")
    assert read_provenance(tmp_path) == {}
