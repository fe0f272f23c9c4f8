"""What is checked of a configuration before Hydra makes a directory: a refused request leaves nothing behind."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from vrnn.errors import ConfigError
from vrnn.runs.config import check, check_allow, check_effects
from vrnn.runs.directory import DONE, FAILED, LOCK
from vrnn.runs.requests import check_request

# Groups whose classes can be made without data. The model's parts are made again, after the seed is set.
PARTS = ("recurrence", "latent", "prior", "frame", "likelihood", "w_schedule", "bound")


def check_configs(command: str, configs: Sequence[DictConfig], overrides: Sequence[str], multirun: bool) -> None:
    """Check what needs no data: keys, ranges, names, where the output goes, and the parts of a single run.

    Args:
        command: The command's name.
        configs: The configurations, with Hydra's own.
        overrides: Those of the command line.
        multirun: Whether they are jobs of a sweep.

    Raises:
        ConfigError: The command would fail.
    """
    for config in configs:
        settings = OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])
        if command != "train":
            check_request(command, settings)
            continue
        check_allow(settings, overrides)
        checked = check(settings)
        check_effects(checked)
        directory = _directory(config, multirun)
        _check_writable(directory)
        if not multirun and not (directory / DONE).exists():
            _check_parts(checked)


def remove_unused(directory: Path) -> None:
    """Remove the directory of a refused run if the run has left nothing in it, and the parents that are then empty."""
    if {path.name for path in directory.iterdir()} - {LOCK, FAILED}:
        return
    for name in (LOCK, FAILED):
        (directory / name).unlink(missing_ok=True)
    for path in (directory, *directory.parents):
        if path == Path.cwd() or any(path.iterdir()):
            break
        path.rmdir()


def _directory(config: DictConfig, multirun: bool) -> Path:
    HydraConfig.instance().set_config(config)
    return Path(config.hydra.sweep.dir if multirun else config.hydra.run.dir).absolute()


def _check_writable(directory: Path) -> None:
    existing = next(path for path in (directory, *directory.parents) if path.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
        raise ConfigError(
            f"outputs go to {directory}, but {existing} cannot be written to: run the command in another directory, or give "
            "hydra.run.dir=…"
        )


def _check_parts(settings: dict[str, Any]) -> None:
    from vrnn.runs.instantiate import instantiate

    if "automaton" in settings["dataset"]:
        instantiate(settings["dataset"], settings["allow"])
    for group in PARTS:
        instantiate(settings[group], settings["allow"])
