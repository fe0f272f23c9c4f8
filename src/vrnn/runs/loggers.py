"""Loggers that a command adds to TensorBoard and scalars.csv: Weights & Biases, MLflow, a user's own."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vrnn.errors import ConfigError
from vrnn.files import write_text_atomically
from vrnn.runs.directory import TRACKERS
from vrnn.runs.instantiate import TARGET, instantiate, target_class
from vrnn.runs.plain_yaml import read_json

if TYPE_CHECKING:
    from pytorch_lightning.loggers import Logger

# {target: its argument for the identity of a run, and that for its name}
KNOWN = {
    "pytorch_lightning.loggers.WandbLogger": ("id", "name"),
    "pytorch_lightning.loggers.MLFlowLogger": ("run_id", "run_name"),
}


def check_loggers(settings: Mapping[str, Any]) -> None:
    """Refuse loggers that settings may not name, without making anything.

    Raises:
        ConfigError: A class outside `allow`, or one that does not exist.
    """
    for node in settings["logger"].values():
        target_class(node, _allow(node, settings))


@contextmanager
def open_loggers(settings: Mapping[str, Any], directory: Path) -> Iterator[list[Logger]]:
    """Make the loggers that settings add, for the duration of the context; a run that is continued goes on where it logged.

    Args:
        settings: The run's. A new run logs them.
        directory: The run's. `trackers.json` there holds what Weights & Biases and MLflow call the run.

    Raises:
        ConfigError: A package is missing, a class or server refuses, or a class is no logger of Lightning's.
    """
    path = directory / TRACKERS
    identities = read_json(path) if settings["logger"] and path.exists() else {}
    opened = {name: _open(name, settings, directory, identities) for name in settings["logger"]}
    if opened:
        write_text_atomically(path, json.dumps(identities | {name: logger.version for name, logger in opened.items()}))
    yield list(opened.values())
    for logger in opened.values():
        # Otherwise Weights & Biases takes the next run of a sweep for this one.
        if finish := getattr(getattr(logger, "experiment", None), "finish", None):
            finish()


def _open(name: str, settings: Mapping[str, Any], directory: Path, identities: Mapping[str, Any]) -> Logger:
    from pytorch_lightning.loggers import Logger

    node = dict(settings["logger"][name])
    if node[TARGET] in KNOWN:
        identity, shown = KNOWN[node[TARGET]]
        node = {shown: f"{directory.parent.name}/{directory.name}"} | node
        node |= {identity: identities[name]} if name in identities else {}
    logger = instantiate(node, _allow(node, settings))
    if not isinstance(logger, Logger):
        raise ConfigError(f"logger.{name} must be a logger of Lightning's, but is {node[TARGET]}.")
    try:
        if name not in identities:
            logger.log_hyperparams({key: value for key, value in settings.items() if key not in ("allow", "logger")})
    except Exception as error:  # of a server or a package of others
        said = str(error).strip().splitlines()
        raise ConfigError(f"logger.{name} cannot be opened: {said[0] if said else type(error).__name__}") from error
    return logger


def _allow(node: Mapping[str, Any], settings: Mapping[str, Any]) -> list[str]:
    return [*settings["allow"], *(["pytorch_lightning"] if node[TARGET] in KNOWN else [])]
