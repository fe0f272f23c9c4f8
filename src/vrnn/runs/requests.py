"""Ranges of what is asked of a trained run, of a comparison and of a search. Nothing here needs torch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from vrnn.errors import ConfigError
from vrnn.runs.config import check_choice, check_sweep
from vrnn.runs.directory import CONFIG

MINIMA = {
    "evaluate": {"traces": 1, "steps": 2, "seed": 0, "particles": 1},
    "generate": {"n": 1, "steps": 1, "seed": 0},
    "impute": {"n": 1, "particles": 1, "seed": 0},
    "compare": {"traces": 1},
    "search": {"trials": 1, "seed": 0},
}
FORMATS = ("png", "npz", "csv", "svg")
MOST_POINTS = 10**8


def check_request(command: str, config: DictConfig) -> None:
    """Check what one of evaluate, generate, impute, compare and search is asked for.

    Raises:
        ConfigError: Something is missing or out of its range, or a directory holds no run.
    """
    if missing := sorted(OmegaConf.missing_keys(config)):
        raise ConfigError(f"{' and '.join(missing)} must be given, as in {missing[0]}=….")
    for key, least in MINIMA[command].items():
        if config[key] is not None and config[key] < least:
            raise ConfigError(f"{key} must be at least {least}, but is {config[key]}.")
    if "checkpoint" in config and config.checkpoint is not None:
        check_choice("checkpoint", config.checkpoint, ("last", "best"))
    if "format" in config:
        _check_output(config.format, config.out)
    if "run" in config and not (Path(config.run) / CONFIG).is_file():
        raise ConfigError(f"run must be a run's directory, outputs/<task>/<run>, but {config.run} has no config.yaml.")
    if "runs" in config and not Path(config.runs).is_dir():
        raise ConfigError(f"runs must be a directory of runs, but {config.runs} is not a directory.")
    if command == "generate" and config.n * (config.steps or 1) > MOST_POINTS:
        raise ConfigError(f"n * steps must be at most {MOST_POINTS} points, but is {config.n * config.steps}.")
    if command == "search":
        check_sweep(config.sweep)


def _check_output(format: str | None, out: Any) -> None:
    ending = Path(out).suffix.removeprefix(".") if out is not None else ""
    if format is not None:
        check_choice("format", format, FORMATS)
    if ending and ending != (format or ending):
        raise ConfigError(f"out must end in .{format}, the format, but is {out}: leave one of the two out.")
    if out is not None and format is None and ending not in FORMATS:
        raise ConfigError(f"out must end in .{', .'.join(FORMATS)}, but is {out}.")
