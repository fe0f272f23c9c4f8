"""A search of real processes: shared by two, one of them killed; failed trials do not end it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import optuna
import pytest
import yaml
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState

from conftest import ROOT, SMALL
from vrnn.config import ConfigError
from vrnn.training.search import distribution

pytestmark = pytest.mark.sweeps

PACE = "training={steps: 40, log_every: 10, val_every: 10, checkpoint_every: 5, figure_every: 40}"
SPACE = {
    "optim.learning_rate": {"low": 1e-3, "high": 1e-1, "log": True},
    "model.h_dim": [8, 16, -3],  # the last cannot be built
}


def start(root: Path, trials: int) -> subprocess.Popen:
    space = root / "conf" / "search" / "small.yaml"
    space.parent.mkdir(parents=True, exist_ok=True)
    space.write_text("# @package _global_\n" + yaml.safe_dump({"base": [*SMALL, PACE], "space": SPACE}))
    command = [sys.executable, "scripts/search.py", "--config-dir", str(root / "conf"), "search=small", "sweep=s"]
    return subprocess.Popen(
        [*command, f"root={root}", f"trials={trials}", "seed=1"],
        cwd=ROOT,
        env={**os.environ},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def study(root: Path) -> optuna.Study:
    return optuna.load_study(study_name="s", storage=f"sqlite:///{root / 's' / 'study.db'}")


def test_two_workers_one_killed_lose_no_trial(tmp_path):
    workers = [start(tmp_path, 6) for _ in range(2)]
    while len(list(tmp_path.glob("s/*/checkpoints/last.ckpt"))) < 2:
        assert workers[0].poll() is None, workers[0].communicate()[0]
        time.sleep(0.05)
    workers[0].send_signal(signal.SIGKILL)
    workers[0].communicate()
    output, _ = workers[1].communicate(timeout=200)
    assert workers[1].returncode == 0, output
    again = start(tmp_path, 6)
    output, _ = again.communicate(timeout=200)
    assert again.returncode == 0, output
    trials = study(tmp_path).trials
    assert len(trials) == 6
    assert {trial.state for trial in trials} <= {TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL}
    for trial in trials:
        directory = Path(trial.user_attrs["directory"])
        assert (directory / "done").exists() == (trial.state == TrialState.COMPLETE)
        assert (trial.params["model.h_dim"] == -3) == (trial.state == TrialState.FAIL)
    assert any(trial.state == TrialState.COMPLETE for trial in trials)


def test_spaces():
    assert distribution("a", ["x", "y"]) == CategoricalDistribution(["x", "y"])
    assert distribution("a", {"low": 1, "high": 3}) == IntDistribution(1, 3)
    assert distribution("a", {"low": 0.1, "high": 3, "log": True}) == FloatDistribution(0.1, 3, log=True)
    for wrong in ([], {"low": 1}, {"low": 3, "high": 1}, {"low": 1, "high": 3, "step": 1}, "gru"):
        with pytest.raises(ConfigError, match=r"space.a must be a list of choices or \{low, high"):
            distribution("a", wrong)
