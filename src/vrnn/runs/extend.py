"""A run made longer, in its own directory: `vrnn train extend=RUN training.steps=N`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf

from vrnn.errors import ConfigError
from vrnn.files import write_text_atomically
from vrnn.runs.config import run_settings
from vrnn.runs.directory import (
    CHECKPOINTS,
    CONFIG,
    DONE,
    digest_of,
    lock_run,
    raw_settings,
    settings_digest,
)
from vrnn.runs.instantiate import target_class
from vrnn.runs.repeat import choose
from vrnn.runs.schema import TrainConfig
from vrnn.runs.stored import stored_settings

EXTEND, STEPS, SCHEDULE = "extend", "training.steps", "lr_schedule"


def extend(overrides: Sequence[str]) -> tuple[DictConfig, Path]:
    """Make a run's directory that of a longer training, and return its configuration and the directory.

    The training then continues from its last checkpoint. It becomes what it would have been with this number of steps from the
    start, bit for bit, where no setting depends on the number of steps; settings that were computed from it keep their values.

    Args:
        overrides: Those of the command line: `extend=RUN`, `training.steps=N`, and, where the run's schedule of the learning
            rate depends on the number of steps, the schedule from now on.

    Raises:
        ConfigError: There is no such run, N is not larger, or another setting would have to change.
        DamagedError: The run's settings or checkpoints cannot be read.
        BusyError: Another process uses the run.
    """
    given: dict[str, Any] = {
        o.key_or_group: o.value() for o in OverridesParser.create().parse_overrides(list(overrides))
    }
    run = Path(str(given.pop(EXTEND)))
    if not (run / CONFIG).is_file():
        raise ConfigError(f"{EXTEND} must be a run's directory, outputs/<task>/<run>, but {run} has no config.yaml.")
    if other := sorted(given.keys() - {STEPS, SCHEDULE, "allow"}):
        raise ConfigError(
            f"{other[0]} must be left out beside {EXTEND}=RUN: it makes a run longer; from=RUN changes it."
        )
    settings = stored_settings(run, given.get("allow", ["vrnn"]))
    steps, done = given.get(STEPS), settings["training"]["steps"]
    if not isinstance(steps, int) or isinstance(steps, bool) or steps < done:
        raise ConfigError(f"{STEPS} must be given beside {EXTEND}=RUN, and more than the run's {done}, but is {steps}.")
    changes: dict[str, Any] = {"training": {**settings["training"], "steps": steps}}
    if SCHEDULE in given:
        changes[SCHEDULE] = choose(SCHEDULE, str(given[SCHEDULE]), settings)
    elif steps > done:
        _check_schedule(settings)
    config = OmegaConf.merge(OmegaConf.structured(TrainConfig), settings | changes)
    assert isinstance(config, DictConfig)
    run_settings(config, overrides)  # refuses them before anything is written
    if steps > done:
        _rewrite(run, changes)
    return config, run


def _check_schedule(settings: Mapping[str, Any]) -> None:
    kind: Any = target_class(settings[SCHEDULE], settings["allow"])
    if kind.uses_total and settings["optim"]["final_fraction"] != 1:
        name = re.sub(r"(?<!^)(?=[A-Z])", "_", kind.__name__).lower()  # as the files of lr_schedule are named
        raise ConfigError(
            f"The run's learning rate has the schedule {name}, which depends on {STEPS}: a longer training would have had "
            f"other rates from the start. Say how it goes on: {SCHEDULE}={name} takes the rate of the longer schedule from now "
            f"on, {SCHEDULE}=constant returns to the peak."
        )


def _rewrite(run: Path, changes: Mapping[str, Any]) -> None:
    """Write the new settings, so that a kill at any moment leaves either run, whole."""
    from vrnn.training.checkpoint_files import BEST, LAST, PREVIOUS, accept_settings

    with lock_run(run):
        old, raw = settings_digest(run), raw_settings(run)
        raw |= changes
        for name in (LAST, PREVIOUS, BEST):
            if (path := run / CHECKPOINTS / name).exists():
                accept_settings(path, old, digest_of(raw))
        (run / DONE).unlink(missing_ok=True)
        write_text_atomically(run / CONFIG, yaml.safe_dump(raw, sort_keys=False))
