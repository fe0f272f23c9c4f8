"""Ranges of what is asked of a trained run, of a comparison and of a search. Nothing here needs torch."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from vrnn.errors import ConfigError
from vrnn.runs.config import MOST_SEED, check_choice, check_sweep
from vrnn.runs.directory import CONFIG
from vrnn.runs.formats import check_form, check_format, chosen_format
from vrnn.runs.limits import check_points
from vrnn.runs.score_names import SCORE
from vrnn.runs.stored import stored_settings

MINIMA = {
    "evaluate": {"traces": 1, "steps": 2, "seed": 0, "particles": 1},
    "generate": {"n": 1, "steps": 1, "seed": 0},
    "impute": {"n": 1, "particles": 1, "seed": 0},
    "score": {"particles": 1, "seed": 0},
    "runs": {},
    "compare": {"traces": 1},
    "report": {"traces": 1},
    "draw": {"port": 0},
    "search": {"trials": 1, "seed": 0},
}


MOST_PORT = 65535


def check_request(command: str, config: DictConfig) -> None:
    """Check what one of evaluate, generate, impute, score, runs, compare, report, draw and search is asked for.

    Raises:
        ConfigError: Something is missing or out of its range, or a directory holds no run.
    """
    if missing := sorted(OmegaConf.missing_keys(config)):
        raise ConfigError(f"{' and '.join(missing)} must be given, as in {missing[0]}=….")
    for key, least in MINIMA[command].items():
        if config[key] is not None and config[key] < least:
            raise ConfigError(f"{key} must be at least {least}, but is {config[key]}.")
    if "seed" in config and config.seed is not None and config.seed > MOST_SEED:
        raise ConfigError(f"seed must be at most {MOST_SEED}, but is {config.seed}.")
    for key in ("temperature", "z_temperature"):
        if key in config and not 0 < config[key] < float("inf"):
            raise ConfigError(f"{key} must be a number > 0, but is {config[key]}.")
    if config.get("sample") is False and config.get("temperature", 1) != 1:
        raise ConfigError(
            f"temperature must be 1 with sample=false, which takes the decoder's means, but is {config.temperature}."
        )
    if "checkpoint" in config and config.checkpoint is not None:
        check_choice("checkpoint", config.checkpoint, ("last", "best"))
    if command == "report":
        _check_page(config)
    if "format" in config:
        check_format(command, config.format, config.get("out"))
        if config.get("out") is not None:
            check_writable("out", Path(config.out).absolute().parent, "give out=… another one")
    if config.get("run") is not None and not (Path(config.run) / CONFIG).is_file():
        raise ConfigError(f"run must be a run's directory, outputs/<task>/<run>, but {config.run} has no config.yaml.")
    if config.get("runs") is not None and not Path(config.runs).is_dir():
        raise ConfigError(f"runs must be a directory of runs, but {config.runs} is not a directory.")
    if command in ("evaluate", "generate", "impute", "score"):
        _check_of_run(command, config, stored_settings(Path(config.run), list(config.allow)))
    if command == "draw":
        _check_draw(config)
    if command == "runs" and not Path(config.directory).is_dir():
        raise ConfigError(f"directory must be a directory of runs, but {config.directory} is not a directory.")
    if command in ("compare", "score") and config.out is not None:
        check_writable("out", Path(config.out).absolute(), "give out=… another one")
    if command in ("compare", "report"):
        check_choice("sort", config.sort, tuple(SCORE))
    if command == "search":
        check_sweep(config.sweep)
        check_writable("root", Path(config.root).absolute(), "give root=… another one")
        if config.storage is not None and "://" not in config.storage:
            raise ConfigError(
                f"storage={config.storage} cannot be used: it must be a URL such as sqlite:///study.db, or left out."
            )


def _check_of_run(command: str, config: DictConfig, settings: dict[str, Any]) -> None:
    """Check what is asked of one run against its settings."""
    own = settings["evaluation"]
    if command == "evaluate":
        check_points("traces * steps", config.traces or own["traces"], config.steps or own["steps"])
        return
    from vrnn.runs import drawing  # numpy: not every command needs it
    from vrnn.runs.pattern import as_config_error, pattern_class
    from vrnn.runs.units import read_units

    if "format" in config:
        with as_config_error():
            check_form(chosen_format(config.format, config.out), pattern_class(settings).form, config.n)
    if command == "score":
        drawing.read_sequences(list(config.files), settings, read_units(Path(config.run)), config.label)
        return
    if command == "impute":
        given = drawing.read_sequence(
            "drawing", config.drawing, settings, read_units(Path(config.run)), label=config.label
        )
        drawing.check_gap(list(config.gap), given.points)
        return
    check_points("n * steps", config.n, config.steps or own["steps"])
    if config.prefix is not None:
        given = drawing.read_sequence(
            "prefix", config.prefix, settings, read_units(Path(config.run)), label=config.label
        )
        drawing.check_prefix(config.prefix, given.points)


def _check_page(config: DictConfig) -> None:
    if (config.run is None) == (config.runs is None):
        raise ConfigError(
            "run or runs must be given, one of them, as in run=outputs/<task>/<run> or runs=outputs/<sweep>."
        )
    if config.out is not None:
        if Path(config.out).suffix != ".html":
            raise ConfigError(f"out must end in .html, but is {config.out}.")
        check_writable("out", Path(config.out).absolute().parent, "give out=… another one")


def _check_draw(config: DictConfig) -> None:
    if not config.host.strip():
        raise ConfigError("host must be an address of this machine, but is empty: leave it out for 127.0.0.1.")
    if config.port > MOST_PORT:
        raise ConfigError(f"port must be at most {MOST_PORT}, but is {config.port}.")
    check_writable("directory", Path(config.directory).absolute(), "give directory=… another one")
    if config.run is not None:
        from vrnn.runs.pattern import pattern_class  # numpy: not every command needs it

        form = pattern_class(stored_settings(Path(config.run), list(config.allow))).form
        if form not in ("plane", "strokes"):
            raise ConfigError(f"run must be one whose sequences a pen draws, but {config.run} is of the form {form}.")


def check_writable(option: str, directory: Path, cure: str) -> None:
    """Raise ConfigError if a directory can neither be written to nor be made.

    Args:
        option: What the directory is given by, for the message.
        directory: The directory; it need not exist.
        cure: What to do instead.
    """
    existing = next(path for path in (directory, *directory.parents) if path.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
        raise ConfigError(f"{option} must be in a directory that can be written to, but {existing} is none: {cure}.")
