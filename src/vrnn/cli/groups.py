"""The config groups and their choices, read from the YAML files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from vrnn.runs.schema import conf_directory

Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
user_directories: list[Path] = []  # of --config-dir


def search_path() -> list[Path]:
    """Return the directories of configurations, the first to be searched first."""
    return [*user_directories, conf_directory()]


def groups() -> list[str]:
    """Return the names of all groups."""
    return sorted({path.name for root in search_path() for path in root.iterdir() if _is_group(path)} - {"hydra"})


def choices(group: str) -> list[str]:
    """Return the choices of a group."""
    return sorted({path.stem for root in search_path() for path in (root / group).glob("*.yaml")})


def read(name: str) -> dict[str, Any]:
    """Return what a YAML file holds, as in `train` or `recurrence/gru`; {} if there is no such file."""
    for root in search_path():
        if (path := root / f"{name}.yaml").is_file():
            return yaml.load(path.read_text(encoding="utf-8"), Loader) or {}
    return {}


def defaults(command: str) -> dict[str, str | None]:
    """Return {group: default choice} of a command."""
    entries = read(command).get("defaults", [])
    given = {k: v for entry in entries if isinstance(entry, dict) for k, v in entry.items()}
    return {group: choice for group, choice in given.items() if not group.startswith("override ")}


def overridden(group: str, choice: str) -> dict[str, str]:
    """Return {other group: choice} that one choice sets in its defaults list."""
    entries = read(f"{group}/{choice}").get("defaults", [])
    given = {k: v for entry in entries if isinstance(entry, dict) for k, v in entry.items()}
    return {key.removeprefix("override /"): value for key, value in given.items() if key.startswith("override /")}


def choices_with(group: str, setting: str) -> list[str]:
    """Return the choices of a group whose files hold a setting."""
    return [choice for choice in choices(group) if setting in read(f"{group}/{choice}")]


def _is_group(path: Path) -> bool:
    return path.is_dir() and any(path.glob("*.yaml"))
