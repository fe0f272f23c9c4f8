"""Loggers beside TensorBoard and scalars.csv: what they get, and that they change no run."""

import csv
import json
from typing import ClassVar

import pytest
from pytorch_lightning.loggers.logger import DummyLogger

from tests.conftest import SMALL
from vrnn.errors import ConfigError
from vrnn.runs.config import run_settings
from vrnn.runs.loggers import check_loggers, open_loggers
from vrnn.runs.name import run_name
from vrnn.runs.report import scalar_scores
from vrnn.runs.run import run

PACE = "training={steps: 8, log_every: 2, val_every: 4, checkpoint_every: 4, figure_every: 8}"


class Memory(DummyLogger):
    """A user's own logger, without anything that the base class does not ask for."""

    written: ClassVar[list] = []

    def log_metrics(self, metrics, step=None):
        self.written += [(step, name, value) for name, value in metrics.items()]


def rows(directory):
    with (directory / "scalars.csv").open() as file:
        return [(int(row["step"]), row["name"], float(row["value"])) for row in csv.DictReader(file)]


def test_a_logger_of_the_user_gets_scalars_and_scores(composed, tmp_path):
    config = composed(*SMALL, PACE, "+logger.mine._target_=tests.runs.test_loggers.Memory", "allow=[vrnn,tests]")
    Memory.written.clear()
    scores = run(config, tmp_path, ["allow=[vrnn,tests]"], progress_bar=False)
    during = [(step, name, float(value)) for step, name, value in Memory.written if step <= 8]
    assert during == rows(tmp_path)
    after = {name: value for step, name, value in Memory.written if step == 9}
    assert after == scalar_scores(scores)
    assert len(after) > 5
    # They are a command's, not the run's.
    assert "logger" not in (tmp_path / "config.yaml").read_text()
    assert run(composed(*SMALL, PACE), tmp_path, progress_bar=False) == scores


def test_a_logger_names_no_directory():
    plain = run_name(None, None, "eye", ["seed=1"])
    assert run_name(None, None, "eye", ["logger=wandb", "seed=1", "logger.wandb.offline=true"]) == plain


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("+logger.mine._target_=my_package.Mine", r"repeat the command with allow=\[vrnn,my_package\]"),
        ("+logger.mine._target_=pytorch_lightning.loggers.CSVLogger", r"allow=\[vrnn,pytorch_lightning\]"),
        ("+logger.mine.offline=true", "logger.mine must name a class by _target_"),
    ],
)
def test_loggers_that_cannot_be_are_refused(composed, override, message):
    with pytest.raises(ConfigError, match=message):
        check_loggers(run_settings(composed(override))[0])


@pytest.mark.filterwarnings("ignore")  # its own
def test_wandb_offline_continues_under_one_identity(composed, tmp_path, monkeypatch):
    pytest.importorskip("wandb")
    monkeypatch.chdir(tmp_path)
    config = composed(*SMALL, PACE, "logger=wandb", "logger.wandb.offline=true")
    run(config, tmp_path / "task" / "run", progress_bar=False)
    identity = json.loads((tmp_path / "task" / "run" / "trackers.json").read_text())["wandb"]
    settings, _ = run_settings(config)
    with open_loggers(settings, tmp_path / "task" / "run") as (logger,):
        assert logger.experiment.id == identity
        assert logger.experiment.name == "task/run"
    with open_loggers(settings, tmp_path / "task" / "other") as (logger,):
        assert logger.experiment.id != identity
    assert len(list((tmp_path / "wandb").glob(f"offline-run-*-{identity}"))) == 2


@pytest.mark.filterwarnings("ignore")  # its own
def test_mlflow_holds_what_scalars_csv_holds(composed, tmp_path):
    mlflow = pytest.importorskip("mlflow")
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    config = composed(*SMALL, PACE, "logger=mlflow", f"logger.mlflow.tracking_uri='{uri}'")
    scores = run(config, tmp_path / "task" / "run", progress_bar=False)
    identity = json.loads((tmp_path / "task" / "run" / "trackers.json").read_text())["mlflow"]
    client = mlflow.MlflowClient(uri)
    history = [(m.step, m.key, m.value) for m in client.get_metric_history(identity, "val/elbo")]
    assert sorted(history) == [row for row in rows(tmp_path / "task" / "run") if row[1] == "val/elbo"]
    logged = client.get_run(identity).data
    assert scalar_scores(scores).items() <= logged.metrics.items()
    assert logged.params["training/steps"] == "8"
    with open_loggers(run_settings(config)[0], tmp_path / "task" / "run") as (logger,):
        assert logger.run_id == identity
