"""A search of real processes: shared by two, one of them killed; failed trials do not end it."""

import signal
import subprocess
import sys
import time
from contextlib import AbstractContextManager
from pathlib import Path

import optuna
import pytest
import yaml
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, TrialState
from sweeps import running

from conftest import SMALL
from vrnn.config import ConfigError
from vrnn.training.search import distribution

PACE = "training={steps: 40, log_every: 10, val_every: 10, checkpoint_every: 5, figure_every: 40}"
SPACE = {
    "optim.learning_rate": {"low": 1e-3, "high": 1e-1, "log": True},
    "model.h_dim": [8, 16, -3],  # the last cannot be built
}


def start(root: Path, trials: int) -> AbstractContextManager[subprocess.Popen]:
    space = root / "conf" / "search" / "small.yaml"
    space.parent.mkdir(parents=True, exist_ok=True)
    space.write_text("# @package _global_\n" + yaml.safe_dump({"base": [*SMALL, PACE], "space": SPACE}))
    command = [sys.executable, "scripts/search.py", "--config-dir", str(root / "conf"), "search=small", "sweep=s"]
    return running([*command, f"root={root}", f"trials={trials}", "seed=1"])


def trials(root: Path) -> list[FrozenTrial]:
    storage = RDBStorage(f"sqlite:///{root / 's' / 'study.db'}")
    try:
        return optuna.load_study(study_name="s", storage=storage).trials
    finally:
        storage.remove_session()
        storage.engine.dispose()


@pytest.mark.parametrize("n", [pytest.param(6, marks=pytest.mark.sweeps), pytest.param(20, marks=pytest.mark.shows)])
def test_two_workers_one_killed_and_started_again_lose_no_trial(tmp_path, n):
    with start(tmp_path, n) as killed, start(tmp_path, n) as other:
        while len(list(tmp_path.glob("s/*/checkpoints/last.ckpt"))) < 2:
            assert killed.poll() is None, killed.communicate()[0]
            time.sleep(0.05)
        killed.send_signal(signal.SIGKILL)
        killed.communicate()
        with start(tmp_path, n) as again:
            for process in (other, again):
                output, _ = process.communicate(timeout=240)
                assert process.returncode == 0, output
    found = trials(tmp_path)
    assert len(found) == n
    for trial in found:
        assert trial.state in (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)
        directory = Path(trial.user_attrs["directory"])
        assert (directory / "done").exists() == (trial.state == TrialState.COMPLETE)
        assert (trial.params["model.h_dim"] == -3) == (trial.state == TrialState.FAIL)
    assert any(trial.state == TrialState.COMPLETE for trial in found)


def test_spaces():
    assert distribution("a", ["x", "y"]) == CategoricalDistribution(["x", "y"])
    assert distribution("a", {"low": 1, "high": 3}) == IntDistribution(1, 3)
    assert distribution("a", {"low": 0.1, "high": 3, "log": True}) == FloatDistribution(0.1, 3, log=True)
    for wrong in ([], {"low": 1}, {"low": 3, "high": 1}, {"low": 1, "high": 3, "step": 1}, "gru"):
        with pytest.raises(ConfigError, match=r"space.a must be a list of choices or \{low, high"):
            distribution("a", wrong)
