"""Searches in real processes: two workers, one of them killed; failed trials do not end a search."""

import json
import signal
import subprocess
import sys
import time
from contextlib import AbstractContextManager
from pathlib import Path

import optuna
import pytest
import yaml
from hydra import compose, initialize_config_dir
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, TrialState

from tests.conftest import ROOT, SMALL
from tests.runs.sweeps import running
from vrnn.errors import ConfigError
from vrnn.runs.schema import register
from vrnn.runs.search import Search
from vrnn.runs.space import distribution

PACE = "training={steps: 40, log_every: 10, val_every: 10, checkpoint_every: 5, figure_every: 40}"
SPACE = {
    "optim.learning_rate": {"low": 1e-3, "high": 1e-1, "log": True},
    "dataset.pen.speed": [0.2, 0.3, 100.0],  # the last cannot be built
}


def start(root: Path, trials: int, space: dict = SPACE, *more: str) -> AbstractContextManager[subprocess.Popen]:
    file = root / "conf" / "search" / "small.yaml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("# @package _global_\n" + yaml.safe_dump({"base": [*SMALL, PACE], "space": space}))
    command = [sys.executable, "scripts/search.py", "--config-dir", str(root / "conf"), "search=small", "sweep=s"]
    return running([*command, f"root={root}", f"trials={trials}", "seed=1", *more])


def trials(root: Path) -> list[FrozenTrial]:
    storage = RDBStorage(f"sqlite:///{root / 's' / 'study.db'}")
    try:
        return optuna.load_study(study_name="s", storage=storage).trials
    finally:
        storage.remove_session()
        storage.engine.dispose()


def close(search: Search) -> None:
    """Close the storage's connections."""
    search.storage.remove_session()
    search.storage.engine.dispose()


@pytest.mark.parametrize("n", [pytest.param(6, marks=pytest.mark.sweeps), pytest.param(20, marks=pytest.mark.shows)])
def test_no_trial_is_lost_when_one_of_two_workers_is_killed(tmp_path, n):
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
        assert (trial.params["dataset.pen.speed"] == 100.0) == (trial.state == TrialState.FAIL)
    assert any(trial.state == TrialState.COMPLETE for trial in found)


@pytest.mark.sweeps
def test_a_study_with_other_settings_is_refused(tmp_path):
    """Also: the user's own config group is found, and a search fails if all of its trials do."""
    own = tmp_path / "conf" / "model" / "own.yaml"
    own.parent.mkdir(parents=True)
    own.write_text("defaults: [tiny]\nh_dim: 8\n")
    space = {"model": ["own", "tiny"]}
    with start(tmp_path, 1, space) as begun:
        output, _ = begun.communicate(timeout=240)
        assert begun.returncode == 0, output
    for other, more in ((space, ["score=invalid_fraction", "prune=false"]), ({"model": ["own"]}, [])):
        with start(tmp_path, 2, other, *more) as refused:
            output, _ = refused.communicate(timeout=240)
        assert refused.returncode == 1
        assert "error: The study s was begun with other settings" in output
    assert len(trials(tmp_path)) == 1
    with start(tmp_path / "failing", 2, {"dataset.pen.speed": [100.0]}) as failing:
        output, _ = failing.communicate(timeout=240)
    assert failing.returncode == 1
    assert "error: no trial has completed" in output
    assert "is 100.0" in output


@pytest.mark.parametrize(
    ("space", "overrides", "message"),
    [
        ({}, [], "space must have at least one key, but is empty"),
        ({"recurrence": ["gru", "grru"]}, [], "space.recurrence: a run with recurrence=grru cannot be composed"),
        ({"model.hdim": {"low": 1, "high": 3}}, [], "space.model.hdim: a run with model.hdim=1 cannot be composed"),
        ({"seed": [0, 1]}, ["trials=0"], "trials must be at least 1, but is 0"),
        ({"seed": [0, 1]}, ["sweep=a/b"], "sweep must be a directory's name"),
        ({"seed": [0, 1]}, ["storage=hello"], "storage=hello cannot be used"),
    ],
)
def test_invalid_searches_are_refused_at_the_start(tmp_path, space, overrides, message):
    register()
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        config = compose("search", overrides=["sweep=s", f"root={tmp_path}", *overrides])
    config.space = space
    with pytest.raises(ConfigError, match=message):
        Search(config, str(ROOT / "conf"))


def test_null_is_a_choice(tmp_path):
    register()
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        config = compose("search", overrides=["sweep=s", f"root={tmp_path}"])
    config.space = {"optim.clip": [1.0, None]}
    search = Search(config, str(ROOT / "conf"))  # composes a run with each value
    close(search)
    assert search.overrides({"optim.clip": None})[-1] == "optim.clip=null"


def test_trials_are_chosen_by_the_validation_traces(tmp_path):
    register()
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        config = compose("search", overrides=["sweep=s", f"root={tmp_path}", "trials=1"])
    config.base, config.space = [*SMALL, PACE], {"seed": [3]}
    search = Search(config, str(ROOT / "conf"))
    assert search.work()
    close(search)
    (found,) = trials(tmp_path)
    scores = json.loads(next(tmp_path.glob("s/*/scores.json")).read_text())
    assert found.value == scores["val_elbo_nats_per_step"] != scores["elbo_nats_per_step"]


def test_a_trial_finished_by_another_worker_is_left_alone(tmp_path):
    """The other worker tells the study the result between this worker's choice of the trial and its own result."""
    register()
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        config = compose("search", overrides=["sweep=s", f"root={tmp_path}"])
    search = Search(config, str(ROOT / "conf"))
    trial = search.study.ask(search.space)
    search.study.tell(trial.number, 1.0)
    search.run_trial(trial)
    close(search)
    assert not list(tmp_path.glob("s/*/config.yaml"))
    (found,) = trials(tmp_path)
    assert (found.state, found.value) == (TrialState.COMPLETE, 1.0)


def test_spaces():
    assert distribution("a", ["x", "y"]) == CategoricalDistribution(["x", "y"])
    assert distribution("a", {"low": 1, "high": 3}) == IntDistribution(1, 3)
    assert distribution("a", {"low": 0.1, "high": 3, "log": True}) == FloatDistribution(0.1, 3, log=True)
    for wrong in (
        [],
        {"low": 1},
        {"low": 3, "high": 1},
        {"low": 1, "high": 3, "step": 1},
        {"low": 0, "high": 1, "log": True},
        "gru",
    ):
        with pytest.raises(ConfigError, match=r"space.a must be a list of choices or \{low, high"):
            distribution("a", wrong)
