"""A search: Optuna proposes settings, each trial is a run like any other, and the study's storage is shared by its workers."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import optuna
from filelock import FileLock
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.exceptions import OptunaError, UpdateFinishedTrialError
from optuna.pruners import MedianPruner, NopPruner
from optuna.trial import FrozenTrial, TrialState
from pytorch_lightning import Callback, LightningModule, Trainer
from sqlalchemy.exc import SQLAlchemyError

from vrnn.errors import BusyError, ConfigError
from vrnn.runs.compare import SCORE, read_run
from vrnn.runs.config import check_choice, check_sweep
from vrnn.runs.directory import state
from vrnn.runs.name import differences, run_name
from vrnn.runs.run import run

logger = logging.getLogger(__name__)

STILLBORN = timedelta(minutes=1)  # a trial whose run has not begun after this long has lost its worker

Space = dict[str, BaseDistribution]


class Pruned(Exception):  # noqa: N818 - no error: it is what the search wanted
    """The trial has fallen behind the others."""


class Pruning(Callback):
    """Reports val/elbo to the study, and ends the run where Optuna says so. reported: steps an earlier process reported."""

    def __init__(self, trial: optuna.Trial, reported: Collection[int]):
        self.trial, self.reported = trial, reported

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Whether a trial is worth going on with is known once it has been validated."""
        if trainer.global_step not in self.reported:
            self.trial.report(float(trainer.callback_metrics["val/elbo"]), trainer.global_step)
        if self.trial.should_prune():
            raise Pruned(f"val/elbo fell behind the other trials' median at step {trainer.global_step}.")


class Search:
    """One worker of a study. config: of scripts/search.py. conf: the directory of Hydra's config groups; more: the user's own.

    Whether a trial is being worked on is told by the lock of its run's directory, so one whose worker died is found at once,
    and goes on from its last checkpoint.

    Raises:
        ConfigError: a space that is none, or makes runs that are none; a score or a storage that does not exist; a study that
            was begun with another score, base or space.
    """

    def __init__(self, config: DictConfig, conf: str, more: Sequence[str] = ()):
        check_sweep(config.sweep)
        check_choice("score", config.score, tuple(SCORE))
        if config.trials < 1:
            raise ConfigError(f"trials must be at least 1, but is {config.trials}.")
        if config.prune and config.score != "elbo_nats_per_step":
            raise ConfigError(f"prune=true judges by val/elbo, but score={config.score}; use prune=false.")
        space = OmegaConf.to_container(config.space)
        if not isinstance(space, dict) or not space:
            raise ConfigError("space is empty: give it in a file of conf/search, as quick.yaml does.")
        self.space: Space = {str(key): distribution(str(key), node) for key, node in space.items()}
        self.config, self.conf, self.more = config, conf, list(more)
        self._check_runs()
        self.directory = Path(config.root) / config.sweep
        self.directory.mkdir(parents=True, exist_ok=True)
        self.lock = FileLock(self.directory / ".study.lock", fallback_to_soft=False)
        with self.lock:
            self.study = self._open()

    def _check_runs(self) -> None:
        """Compose a run with each choice: a misspelt one would fail trial after trial."""
        choices = {key: values(found) for key, found in self.space.items()}
        params = {key: first for key, (first, *_) in choices.items()}
        for key, each in choices.items():
            for value in each:
                try:
                    self._compose(self.overrides(params | {key: value}))
                except (HydraException, OmegaConfBaseException) as error:
                    raise ConfigError(f"space.{key}: a run with {key}={value} cannot be composed: {error}") from error

    def _open(self) -> optuna.Study:
        """Open the study, or make it; it must be the one that was begun."""
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        url = self.config.storage or f"sqlite:///{(self.directory / 'study.db').absolute()}"
        patient = {"connect_args": {"timeout": 60}} if url.startswith("sqlite") else None
        try:
            study = optuna.create_study(
                storage=optuna.storages.RDBStorage(url, engine_kwargs=patient),
                study_name=self.config.sweep,
                load_if_exists=True,
                direction="maximize" if SCORE[self.config.score].higher_is_better else "minimize",
                pruner=MedianPruner(n_startup_trials=5) if self.config.prune else NopPruner(),
            )
        except (OptunaError, SQLAlchemyError, ImportError, ValueError) as error:
            raise ConfigError(f"storage={url} cannot be used: {error}") from error
        space = {key: str(found) for key, found in self.space.items()}
        asked = {"score": self.config.score, "base": list(self.config.base), "space": space}
        begun = study.user_attrs.get("asked", asked)
        if changed := differences(begun, asked):
            raise ConfigError(
                f"The study {self.config.sweep} was begun with other settings (old -> new):\n  "
                + "\n  ".join(changed)
                + "\n"
                "Give this one a name of its own by sweep=…"
            )
        study.set_user_attr("asked", asked)
        # Two workers with one seed would propose the same; what is proposed depends on when each asks anyway.
        study.sampler = optuna.samplers.TPESampler(seed=self.config.seed + len(study.trials), constant_liar=True)
        return study

    def work(self) -> bool:
        """Take up trials until there are as many as asked for, and tell whether any has completed or may still.

        Trials of other workers may then still be running.
        """
        while (trial := self._next()) is not None:
            self._attempt(trial)
            self._say(trial)
        hopeful = (TrialState.COMPLETE, TrialState.RUNNING)
        return bool(self.study.get_trials(deepcopy=False, states=hopeful))

    def _next(self) -> optuna.Trial | None:
        """A trial whose worker has gone, or a new one, or None if there are enough."""
        while True:
            orphaned = False
            with self.lock:
                for frozen in self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
                    complete = frozen.params.keys() == self.space.keys()
                    stands = state(self.run_directory(frozen.params)) if complete else "pending"
                    if stands == "pending" and datetime.now() - (frozen.datetime_start or datetime.min) < STILLBORN:
                        orphaned = True
                    elif not complete:
                        self.study.tell(frozen.number, state=TrialState.FAIL)
                    elif stands != "running":
                        return optuna.Trial(self.study, frozen._trial_id)
                if len(self.study.trials) < self.config.trials:
                    return self.study.ask(self.space)
            if not orphaned:
                return None
            time.sleep(1.0)  # somebody's trial is about to begin, unless they died just before

    def _attempt(self, trial: optuna.Trial) -> None:
        """Run one trial and tell the study what came of it. Nothing but a signal ends the search."""
        directory, overrides = self.run_directory(trial.params), self.overrides(trial.params)
        try:
            trial.set_user_attr("directory", str(directory))
            pruning = Pruning(trial, self._frozen(trial).intermediate_values)
            run(self._compose(overrides), directory, overrides, progress_bar=False, extra_callbacks=[pruning])
            value = read_run(directory).scores[self.config.score]
            outcome = TrialState.FAIL if math.isnan(value) else TrialState.COMPLETE
        except (BusyError, UpdateFinishedTrialError):
            return  # another worker was quicker: the trial is its own to tell about, or it has just told
        except Pruned:
            outcome = TrialState.PRUNED
        except Exception as error:
            logger.error("trial %d failed: %s", trial.number, error)
            outcome = TrialState.FAIL
        told = value if outcome == TrialState.COMPLETE else None
        self.study.tell(trial.number, told, state=outcome, skip_if_finished=True)

    def overrides(self, params: Mapping[str, Any]) -> list[str]:
        """What a trial adds to the defaults, as on the command line."""
        chosen = [f"{key}={'null' if value is None else value}" for key, value in params.items()]
        return [f"sweep={self.config.sweep}", *self.config.base, *chosen]

    def run_directory(self, params: Mapping[str, Any]) -> Path:
        """Where a trial runs: named by what is asked, as every run is."""
        overrides = self.overrides(params)
        experiment = dict(override.split("=", 1) for override in overrides).get("experiment")
        return Path(self.config.root) / run_name(self.config.sweep, experiment, "", overrides)

    def _compose(self, overrides: list[str]) -> DictConfig:
        GlobalHydra.instance().clear()  # of the search's own configuration
        paths = [f"hydra.searchpath=[{','.join(f'file://{path}' for path in self.more)}]"] if self.more else []
        with initialize_config_dir(self.conf, version_base="1.3"):
            return compose("train", overrides=[*overrides, *paths])

    def _frozen(self, trial: optuna.Trial) -> FrozenTrial:
        return self.study.trials[trial.number]

    def _say(self, trial: optuna.Trial) -> None:
        """One line after each trial."""
        frozen = self._frozen(trial)
        ended = [t for t in self.study.trials if t.state.is_finished()]
        completed = [t for t in ended if t.state == TrialState.COMPLETE]
        best = f", best {self.study.best_value:.4f} (trial {self.study.best_trial.number})" if completed else ""
        value = "" if frozen.value is None else f" {frozen.value:.4f}"
        counts = f"{len(ended)} of {self.config.trials} trials ended{best}"
        logger.info("trial %d %s%s: %s", frozen.number, frozen.state.name.lower(), value, counts)


def values(found: BaseDistribution) -> Sequence[Any]:
    """Return a choice's values, a range's least."""
    if isinstance(found, CategoricalDistribution):
        return found.choices
    assert isinstance(found, IntDistribution | FloatDistribution)
    return (found.low,)


def distribution(key: str, node: Any) -> BaseDistribution:
    """Make a choice of a list, a range of {low, high, log}.

    Raises:
        ConfigError: anything else.
    """
    if isinstance(node, list) and node:
        return CategoricalDistribution(node)
    if isinstance(node, Mapping) and {"low", "high"} <= node.keys() <= {"low", "high", "log"}:
        low, high, log = node["low"], node["high"], node.get("log", False)
        numbers = all(isinstance(end, int | float) and not isinstance(end, bool) for end in (low, high))
        if numbers and isinstance(log, bool) and low < high and (low > 0 or not log):
            make = IntDistribution if isinstance(low, int) and isinstance(high, int) else FloatDistribution
            return make(low, high, log=log)
    raise ConfigError(
        f"space.{key} must be a list of choices or {{low, high[, log: true]}} with low < high, and low > 0 for log, "
        f"but is {node}."
    )
