"""A run made longer is the run that was asked for at once, bit for bit; what would not be is refused."""

import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir

from tests.conftest import ROOT, SMALL
from tests.runs.test_resume import assert_same_run
from vrnn.errors import ConfigError
from vrnn.runs.extend import extend
from vrnn.runs.run import run
from vrnn.runs.schema import register

FINISHED = ROOT / "tests" / "fixtures" / "runs" / "finished"
PACE = "training={steps: %d, log_every: 3, val_every: 10, checkpoint_every: 4, figure_every: 20}"
# The warm-up of w is computed from the number of steps unless it is given.
SAME = [*SMALL, "lr_schedule=constant", "w_schedule.steps=5"]


def trained(composed, directory: Path, steps: int) -> dict:
    return run(composed(*SAME, PACE % steps), directory, progress_bar=False)


def command(directory: Path, steps: int, *words: str) -> subprocess.Popen:
    words = (
        sys.executable,
        str(ROOT / "scripts" / "train.py"),
        f"extend={directory}",
        f"training.steps={steps}",
        *words,
    )
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


@pytest.fixture(scope="module")
def at_once(tmp_path_factory):
    register()
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        config = compose("train", overrides=[*SAME, PACE % 40])
    directory = tmp_path_factory.mktemp("whole") / "run"
    run(config, directory, progress_bar=False)
    return directory


@pytest.mark.parametrize("steps", [17, 20])  # between two validations, and at one
def test_a_longer_run_is_that_asked_for_at_once(composed, at_once, tmp_path, steps):
    trained(composed, tmp_path / "run", steps)
    config, directory = extend([f"extend={tmp_path / 'run'}", "training.steps=40"])
    run(config, directory, progress_bar=False)
    assert_same_run(directory, at_once)
    assert json.loads((directory / "scores.json").read_text()) == json.loads((at_once / "scores.json").read_text())


def test_a_longer_run_is_the_same_when_killed(composed, at_once, tmp_path):
    trained(composed, tmp_path / "run", 20)
    process = command(tmp_path / "run", 40)
    checkpoint = tmp_path / "run" / "checkpoints" / "last.ckpt"
    before = checkpoint.stat().st_mtime_ns
    while process.poll() is None and not (
        (tmp_path / "run" / "scalars.csv").read_text().count("\n27,") and checkpoint.stat().st_mtime_ns > before
    ):
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL, output
    assert not (tmp_path / "run" / "done").exists()
    again = command(tmp_path / "run", 40)
    output, _ = again.communicate(timeout=240)
    assert again.returncode == 0, output
    assert_same_run(tmp_path / "run", at_once)


def test_a_cosine_must_say_how_it_goes_on(tmp_path):
    shutil.copytree(FINISHED, tmp_path / "run")
    before = (tmp_path / "run" / "config.yaml").read_bytes()
    with pytest.raises(ConfigError, match=r"schedule cosine, which depends on training.steps.*lr_schedule=constant"):
        extend([f"extend={tmp_path / 'run'}", "training.steps=100000"])
    assert (tmp_path / "run" / "config.yaml").read_bytes() == before
    assert (tmp_path / "run" / "done").exists()


def test_the_refusal_names_a_schedule_that_there_is(composed, tmp_path):
    run(composed(*SMALL, PACE % 10, "lr_schedule=one_cycle"), tmp_path / "run", progress_bar=False)
    with pytest.raises(ConfigError, match="lr_schedule=one_cycle takes the rate"):
        extend([f"extend={tmp_path / 'run'}", "training.steps=20"])


def test_an_old_run_becomes_longer_where_the_rate_is_said(tmp_path):
    shutil.copytree(FINISHED, tmp_path / "run")
    config, directory = extend([f"extend={tmp_path / 'run'}", "training.steps=112", "lr_schedule=constant"])
    scores = run(config, directory, progress_bar=False)
    assert scores["elbo_nats_per_step"] != json.loads((FINISHED / "scores.json").read_text())["elbo_nats_per_step"]
    assert (directory / "done").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["training.steps=2"], "must be given beside extend=RUN, and more than the run's"),
        ([], "training.steps must be given"),
        (["training.steps=140", "seed=3"], "seed must be left out beside extend=RUN"),
        (["training.steps=140", "lr_schedule=fast"], "lr_schedule=fast is not a choice"),
        (["training.steps=true"], "but is True"),
    ],
)
def test_what_cannot_be_made_longer_is_refused(words, message, tmp_path):
    shutil.copytree(FINISHED, tmp_path / "run")
    with pytest.raises(ConfigError, match=message):
        extend([f"extend={tmp_path / 'run'}", *words])
    assert (tmp_path / "run" / "done").exists()


def test_a_run_that_is_none_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"has no config\.yaml"):
        extend([f"extend={tmp_path}", "training.steps=40"])
