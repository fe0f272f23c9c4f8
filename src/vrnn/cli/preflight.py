"""What is checked of a configuration before Hydra makes a directory: a refused request leaves nothing behind."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from vrnn.cli.overrides import check_overrides
from vrnn.errors import ConfigError
from vrnn.runs.config import check, check_allow, check_effects
from vrnn.runs.directory import CONFIG, DONE, FAILED, LOCK, LOG
from vrnn.runs.pattern import build_pattern, check_condition, is_quick_to_read, pattern_class
from vrnn.runs.requests import check_request, check_writable
from vrnn.runs.schema import conf_directory

UNTRAINED = (LOCK, FAILED, CONFIG, LOG)  # what a run makes before its first step


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
        settings = _without_hydra(config)
        if command != "train":
            check_request(command, settings)
            if command == "search":
                _check_trials(settings)
            continue
        check_allow(settings, overrides)
        checked = check(settings)
        check_effects(checked)
        directory = _directory(config, multirun)
        check_writable("the run", directory, "run the command in another directory, or give hydra.run.dir=…")
        if not multirun and not (directory / DONE).exists():
            # A pattern whose class does not say how wide its sequences are is always asked.
            asked = is_quick_to_read(checked["dataset"]) or not pattern_class(checked).x_dim
            pattern = build_pattern(checked) if asked else None
            if pattern is not None:
                check_condition(checked, pattern)
            from vrnn.runs.parts import check_parts  # imports torch: what is wrong without it has been answered

            check_parts(checked, pattern)


def remove_unused(directory: Path) -> None:
    """Remove the directory of a refused run if the run has trained nothing, and the parents that are then empty."""
    if {path.name for path in directory.iterdir()} - {*UNTRAINED}:
        return
    for name in UNTRAINED:
        (directory / name).unlink(missing_ok=True)
    for path in (directory, *directory.parents):
        if path == Path.cwd() or any(path.iterdir()):
            break
        path.rmdir()


def _without_hydra(config: DictConfig) -> DictConfig:
    return OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])


def _check_trials(config: DictConfig) -> None:
    """Check the runs of a search as the command line of each would be checked."""
    from vrnn.runs.space import base, read_space, trials_of  # optuna is an extra

    for _, params in trials_of(read_space(config)):
        chosen = [f"{key}={'null' if value is None else value}" for key, value in params.items()]
        words = [*base(config), *chosen]
        for composed in check_overrides("train", str(conf_directory()), "train", words, multirun=False)[1]:
            check_effects(check(_without_hydra(composed)))


def _directory(config: DictConfig, multirun: bool) -> Path:
    HydraConfig.instance().set_config(config)
    try:
        return Path(config.hydra.sweep.dir if multirun else config.hydra.run.dir).absolute()
    except OmegaConfBaseException as error:
        raise ConfigError(f"{error.full_key} cannot be found out: {str(error).splitlines()[0]}.") from error
