"""Fine-tuning: the weights of another run to begin with, and networks that stay as they are."""

import re
import shutil

import pytest
import torch
from hydra import compose, initialize_config_dir

from tests.conftest import ROOT, SMALL
from vrnn.errors import ConfigError
from vrnn.runs.build import build_run
from vrnn.runs.config import run_settings
from vrnn.runs.run import run
from vrnn.runs.schema import register
from vrnn.runs.start import start_weights

PACE = "training={steps: 6, log_every: 3, val_every: 6, checkpoint_every: 3, figure_every: 6}"
ENGINES = ["native", "reference"]


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    register()
    directory = tmp_path_factory.mktemp("source") / "run"
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        run(compose("train", overrides=[*SMALL, PACE, "seed=1"]), directory, progress_bar=False)
    return directory


def weights(directory) -> dict[str, torch.Tensor]:
    checkpoint = torch.load(directory / "checkpoints" / "last.ckpt", weights_only=True)
    return {name: w for name, w in checkpoint["state_dict"].items() if name.startswith("vrnn.")}


def test_the_first_step_starts_from_the_other_runs_weights(composed, source, tmp_path):
    settings, _ = run_settings(composed(*SMALL, PACE, f"start_from={source}"))
    _, module, _ = build_run(settings)
    before = {name: w.clone() for name, w in module.vrnn.state_dict().items()}
    start_weights(module.vrnn, settings, tmp_path)
    after = module.vrnn.state_dict()
    assert all(torch.equal(after[name.removeprefix("vrnn.")], w) for name, w in weights(source).items())
    assert any(not torch.equal(after[name], w) for name, w in before.items())


@pytest.mark.parametrize("engine", ENGINES)
def test_frozen_networks_stay_and_the_others_learn(composed, source, tmp_path, engine):
    frozen = ["recurrence", "phi_x"]
    words = [*SMALL, PACE, f"start_from={source}", f"freeze=[{','.join(frozen)}]", f"engine={engine}"]
    run(composed(*words), tmp_path, progress_bar=False)
    begin, end = weights(source), weights(tmp_path)
    for name, weight in begin.items():
        assert torch.equal(weight, end[name]) == (name.split(".")[1] in frozen), name


def test_once_begun_the_other_run_is_not_needed(composed, source, tmp_path):
    shutil.copytree(source, tmp_path / "other")
    words = [*SMALL, PACE, f"start_from={tmp_path / 'other'}"]
    scores = run(composed(*words), tmp_path / "mine", progress_bar=False)
    shutil.rmtree(tmp_path / "other")
    (tmp_path / "mine" / "done").unlink()
    assert run(composed(*words), tmp_path / "mine", progress_bar=False) == scores


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["model.h_dim=24"], "has others: .* there, .* here"),
        (["latent=categorical"], "start_from must be a run of the same layers"),
        (["recurrence=lstm"], r"recurrence.* there, .* here"),
    ],
)
def test_layers_that_differ_are_named(composed, source, tmp_path, words, message):
    config = composed(*SMALL, PACE, f"start_from={source}", *words)
    with pytest.raises(ConfigError, match=message):
        run(config, tmp_path / "mine", progress_bar=False)
    assert not (tmp_path / "mine" / "config.yaml").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["freeze=[decodr]"], "each of freeze must be one of"),
        (["freeze=[phi_x,phi_z,prior,encoder,decoder,recurrence]"], "freeze must leave one of the six networks"),
        (["start_from=nowhere"], "start_from must be a run's directory"),
    ],
)
def test_what_cannot_be_a_start_is_refused(composed, tmp_path, words, message):
    config = composed(*SMALL, PACE, *words)
    with pytest.raises(ConfigError, match=re.escape(message)):
        run(config, tmp_path / "mine", progress_bar=False)
    assert not (tmp_path / "mine" / "config.yaml").exists()


def test_started_over_it_starts_from_the_other_run_again(composed, source, tmp_path):
    """With a rate of almost nothing the run ends where it began: at the source, not at random weights."""
    words = [*SMALL, PACE, f"start_from={source}", "optim.learning_rate=1e-12"]
    for more in ([], ["fresh=true"]):
        run(composed(*words, *more), tmp_path / "mine", progress_bar=False)
        found = weights(tmp_path / "mine")
        assert all(torch.allclose(found[name], w, atol=1e-6) for name, w in weights(source).items())
