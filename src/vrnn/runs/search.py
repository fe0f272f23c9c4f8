"""A search: Optuna proposes settings, each trial is a run like any other, and all workers share the study's storage."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Collection, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import optuna
from filelock import FileLock
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException
from optuna.exceptions import OptunaError, UpdateFinishedTrialError
from optuna.pruners import MedianPruner, NopPruner
from optuna.trial import FrozenTrial, TrialState
from pytorch_lightning import Callback, LightningModule, Trainer
from sqlalchemy.exc import SQLAlchemyError
from typing_extensions import override

from vrnn.errors import BusyError, ConfigError
from vrnn.runs.collect import read_run
from vrnn.runs.config import check_sweep
from vrnn.runs.directory import PRUNED, state
from vrnn.runs.name import differences, run_name
from vrnn.runs.run import run
from vrnn.runs.score_names import SCORE
from vrnn.runs.space import base, read_space, trials_of

logger = logging.getLogger(__name__)

START_TIMEOUT = timedelta(minutes=1)  # a trial whose run has not begun by then has lost its worker


class Pruned(Exception):  # noqa: N818 - a result, no error
    """Optuna has ended the trial, since others were better at the same step."""


class Pruning(Callback):
    """Reports val/elbo to the study after each validation, and ends the run where Optuna decides so.

    Args:
        trial: The run's.
        reported: Steps that an earlier process has already reported.
    """

    def __init__(self, trial: optuna.Trial, reported: Collection[int]):
        self.trial, self.reported = trial, reported

    @override
    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.global_step not in self.reported:
            self.trial.report(float(trainer.callback_metrics["val/elbo"]), trainer.global_step)
        if self.trial.should_prune():
            raise Pruned(f"val/elbo was {PRUNED} at step {trainer.global_step}.")


class Search:
    """One worker of a study.

    The lock of a trial's run directory shows whether a worker is at it. So a trial whose worker has died is found at once, and
    continues from its last checkpoint.

    Args:
        config: A composed configuration of `conf/search.yaml`.
        conf: The directory of Hydra's config groups.

    Raises:
        ConfigError: A space that is invalid or composes no runs; an unknown score; a storage that cannot be used; a study that
            was begun with another score, base or space.
    """

    def __init__(self, config: DictConfig, conf: str):
        check_sweep(config.sweep)
        if config.trials < 1:
            raise ConfigError(f"trials must be at least 1, but is {config.trials}.")
        self.space = read_space(config)
        self.config, self.conf = config, conf
        self._check_runs()
        self.directory = Path(config.root) / config.sweep
        begins = not self.directory.exists()
        self.directory.mkdir(parents=True, exist_ok=True)
        self.lock = FileLock(self.directory / ".study.lock", fallback_to_soft=False)
        try:
            with self.lock:
                self.study = self._open_study()
        except ConfigError:
            if begins:
                self._leave_nothing()
            raise

    def _leave_nothing(self) -> None:
        """Remove the directory of a refused study, and the root if it is then empty; but not what another worker has made."""
        with suppress(OSError):
            (self.directory / ".study.lock").unlink(missing_ok=True)
            self.directory.rmdir()
            self.directory.parent.rmdir()

    def _check_runs(self) -> None:
        """Compose a run with each value of each key: a misspelt one would make trial after trial fail."""
        for key, params in trials_of(self.space):
            try:
                self._compose(self.overrides(params))
            except (HydraException, OmegaConfBaseException) as error:
                raise ConfigError(f"space.{key}: a run with {key}={params[key]} cannot be composed: {error}") from error

    def _open_study(self) -> optuna.Study:
        """Open the study, or create it."""
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        url = self.config.storage or f"sqlite:///{(self.directory / 'study.db').absolute()}"
        # Seconds that SQLite waits for another worker's transaction.
        engine_options = {"connect_args": {"timeout": 60}} if url.startswith("sqlite") else None
        try:
            self.storage = optuna.storages.RDBStorage(url, engine_kwargs=engine_options)
            study = optuna.create_study(
                storage=self.storage,
                study_name=self.config.sweep,
                load_if_exists=True,
                direction="maximize" if SCORE[self.config.score].higher_is_better else "minimize",
                pruner=MedianPruner(n_startup_trials=5) if self.config.prune else NopPruner(),
            )
        except (OptunaError, SQLAlchemyError, ImportError, ValueError) as error:
            raise ConfigError(f"storage={url} cannot be used: {error}") from error
        self._check_settings(study)
        # With the same seed, two workers would propose the same. Proposals depend on the order of the workers in any case.
        study.sampler = optuna.samplers.TPESampler(seed=self.config.seed + len(study.trials), constant_liar=True)
        return study

    def _check_settings(self, study: optuna.Study) -> None:
        """Store what defines the study, or compare with what is stored."""
        space = {key: str(found) for key, found in self.space.items()}
        settings = {"score": self.config.score, "base": base(self.config), "space": space}
        stored = study.user_attrs.get("asked", settings)
        if changed := differences(stored, settings):
            raise ConfigError(
                f"The study {self.config.sweep} was begun with other settings (old -> new):\n  "
                + "\n  ".join(changed)
                + "\nGive this one another name: sweep=…"
            )
        study.set_user_attr("asked", settings)

    def work(self) -> bool:
        """Run trials until the study has as many as `trials`. Those of other workers may then still be running.

        Returns:
            Whether any trial has completed or may still complete.
        """
        while (trial := self._next_trial()) is not None:
            self.run_trial(trial)
            self._log_progress(trial)
        may_complete = (TrialState.COMPLETE, TrialState.RUNNING)
        return bool(self.study.get_trials(deepcopy=False, states=may_complete))

    def _next_trial(self) -> optuna.Trial | None:
        """Return an orphaned trial, whose worker has died, or a new one; None if there are enough."""
        while True:
            with self.lock:
                is_starting = False
                for frozen in self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
                    has_params = frozen.params.keys() == self.space.keys()
                    run_state = state(self.run_directory(frozen.params)) if has_params else "pending"
                    age = datetime.now() - (frozen.datetime_start or datetime.min)
                    if run_state == "pending" and age < START_TIMEOUT:
                        is_starting = True
                    elif not has_params:
                        self.study.tell(frozen.number, state=TrialState.FAIL)
                    elif run_state != "running":
                        return optuna.Trial(self.study, frozen._trial_id)
                if len(self.study.trials) < self.config.trials:
                    return self.study.ask(self.space)
            if not is_starting:
                return None
            # Wait until another worker's trial has started, or has been orphaned.
            time.sleep(1.0)

    def run_trial(self, trial: optuna.Trial) -> None:
        """Run one trial and tell the study the result. No error ends the search."""
        directory, overrides = self.run_directory(trial.params), self.overrides(trial.params)
        value = None
        try:
            trial.set_user_attr("directory", str(directory))
            pruning = Pruning(trial, self._frozen(trial).intermediate_values)
            run(self._compose(overrides), directory, overrides, progress_bar=False, extra_callbacks=[pruning])
            score = read_run(directory).scores[self.config.score]
            value = None if math.isnan(score) else score
            result = TrialState.FAIL if value is None else TrialState.COMPLETE
        except (BusyError, UpdateFinishedTrialError):
            return  # another worker has taken this trial, and tells the study its result, or has just told it
        except Pruned:
            result = TrialState.PRUNED
        except Exception as error:
            logger.error("trial %d failed: %s", trial.number, error)
            result = TrialState.FAIL
        self.study.tell(trial.number, value, state=result, skip_if_finished=True)

    def overrides(self, params: Mapping[str, Any]) -> list[str]:
        """Return the overrides of a trial with these parameters, as on the command line."""
        chosen = [f"{key}={'null' if value is None else value}" for key, value in params.items()]
        return [f"sweep={self.config.sweep}", *base(self.config), *chosen]

    def best(self) -> list[str]:
        """Return the overrides of the best trial, without the study's name; [] before any has completed."""
        if not self.study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)):
            return []
        return self.overrides(self.study.best_params)[1:]

    def run_directory(self, params: Mapping[str, Any]) -> Path:
        """Return the directory of a trial with these parameters, named as that of any run."""
        overrides = self.overrides(params)
        experiment = dict(override.split("=", 1) for override in overrides).get("experiment")
        return Path(self.config.root) / run_name(self.config.sweep, experiment, "", overrides)

    def _compose(self, overrides: list[str]) -> DictConfig:
        GlobalHydra.instance().clear()  # of the search's own configuration
        with initialize_config_dir(self.conf, version_base="1.3"):
            return compose("train", overrides=overrides)

    def _frozen(self, trial: optuna.Trial) -> FrozenTrial:
        return self.study.trials[trial.number]

    def _log_progress(self, trial: optuna.Trial) -> None:
        """Log one line after a trial."""
        frozen = self._frozen(trial)
        ended = [other for other in self.study.trials if other.state.is_finished()]
        completed = [other for other in ended if other.state == TrialState.COMPLETE]
        best = f", best {self.study.best_value:.4f} (trial {self.study.best_trial.number})" if completed else ""
        value = "" if frozen.value is None else f" {frozen.value:.4f}"
        counts = f"{len(ended)} of {self.config.trials} trials ended{best}"
        logger.info("trial %d %s%s: %s", frozen.number, frozen.state.name.lower(), value, counts)
