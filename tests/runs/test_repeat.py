"""A run is repeated from its own directory, and says what made it."""

import json
import re
import shutil
import subprocess
import sys
from importlib.metadata import version

import pytest
import torch
import yaml
from omegaconf import OmegaConf

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


def test_choices_are_computed_from_the_run_and_its_changes():
    """The run has 12 steps and z of 2 dimensions, not the defaults' 2000 and 8; the order of the words does not matter."""
    stored, _ = repeat([f"from={FINISHED}"])
    steps = stored.training.steps
    assert repeat([f"from={FINISHED}", "w_schedule=cosine"])[0].w_schedule.steps == round(0.3 * steps)
    for words in (["training.steps=4000", "w_schedule=cosine"], ["w_schedule=cosine", "training.steps=4000"]):
        assert repeat([f"from={FINISHED}", *words])[0].w_schedule.steps == 1200
    for words in (["w_schedule.end=5", "w_schedule=linear"], ["w_schedule=linear", "w_schedule.end=5"]):
        assert repeat([f"from={FINISHED}", *words])[0].w_schedule.end == 5
    assert repeat([f"from={FINISHED}", "latent=gaussian"])[0].latent.z_dim == stored.model.z_dim
    config, _ = repeat([f"from={FINISHED}", "latent=gaussian", "model=medium"])
    assert (config.model.h_dim, config.model.z_dim, config.latent.z_dim) == (64, 8, 8)


def test_the_latent_follows_the_model_s_sizes(tmp_path):
    """A stored run holds 2, 2 where the config groups have z_dim: ${model.z_dim}."""
    settings = yaml.safe_load((FINISHED / "config.yaml").read_text())
    gaussian = {"_target_": "vrnn.objective.GaussianLatent", "z_dim": 2, "std": "softplus", "floor": 1e-4}
    mixed = {
        "_target_": "vrnn.objective.GaussianCategoricalLatent",
        "gaussian": gaussian,
        "categorical": settings["latent"],
    }
    for latent, path in ((gaussian, "latent"), (mixed, "latent.gaussian")):
        (tmp_path / "config.yaml").write_text(yaml.safe_dump(settings | {"latent": latent}))
        config, _ = repeat([f"from={tmp_path}", "model.z_dim=3", "model.std=sigmoid", "model.std_floor=0.01"])
        found = OmegaConf.select(config, path)
        assert (found.z_dim, found.std, found.floor) == (3, "sigmoid", 0.01)
        own, _ = repeat([f"from={tmp_path}", "model.z_dim=5", f"{path}.z_dim=4"])
        assert OmegaConf.select(own, path).z_dim == 4


def test_a_setting_that_a_choice_leaves_open_can_be_given(tmp_path):
    config, _ = repeat([f"from={FINISHED}", "dataset.files=[x.npy]", "dataset=traces"])
    assert list(config.dataset.files) == ["x.npy"]
