"""The settings of a run on disk. Nothing here needs torch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vrnn.errors import ConfigError
from vrnn.runs.config import check_stored
from vrnn.runs.directory import CONFIG, read_settings

Settings = dict[str, Any]


def stored_settings(directory: Path, allow: Sequence[str] = ("vrnn",)) -> Settings:
    """Return the settings of the run in a directory.

    Args:
        directory: The run's.
        allow: The packages whose classes they may name. The list that the run stored is not used.

    Raises:
        ConfigError: The directory holds no run.
        DamagedError: Its config.yaml cannot be read, or does not hold a run's settings.
    """
    if not (directory / CONFIG).exists():
        raise ConfigError(
            f"run must be the directory of a run, but {directory} has no config.yaml: runs are in outputs/<task>/."
        )
    return check_stored(read_settings(directory), directory / CONFIG, list(allow))
