"""Directories of config groups that a command adds by --config-dir: checked before Hydra reads them.

Hydra makes callbacks, launchers and log handlers of whatever its own settings name, before a command begins. So these
settings come from `conf/` and from the command line, never from other files.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from hydra._internal.utils import get_args_parser
from hydra.core.override_parser.overrides_parser import OverridesParser

from vrnn.errors import ConfigError
from vrnn.runs.plain_yaml import read_yaml

PACKAGE = re.compile(r"^\s*#\s*@package\s+(\S+)", re.MULTILINE)
LAUNCHER = ("override hydra/launcher", "override /hydra/launcher")  # a choice among launchers that are installed
MOST_FILES = 10_000


def check_command_line(arguments: Sequence[str]) -> None:
    """Check the directories of config groups that a command line names.

    Args:
        arguments: Those of the command.

    Raises:
        ConfigError: A file in one of them sets something of Hydra's own, or cannot be read.
    """
    if any(argument.startswith(("-c", "--c", "hydra.searchpath")) for argument in arguments):
        for directory in _directories(arguments):
            check_directory(directory)


def _directories(arguments: Sequence[str]) -> Iterator[Path]:
    given, _ = get_args_parser().parse_known_args(list(arguments))
    for named in (given.config_dir, given.config_path):
        if named:
            yield Path(named)
    asked = [override for override in given.overrides if override.lstrip("+").startswith("hydra.searchpath")]
    for override in OverridesParser.create().parse_overrides(asked):
        value: Any = override.value()
        for path in value if isinstance(value, list) else [value]:
            if not str(path).startswith("pkg://"):
                yield Path(str(path).removeprefix("file://"))


def check_directory(directory: Path) -> None:
    """Check every YAML file below a directory.

    Args:
        directory: Of config groups.

    Raises:
        ConfigError: A file sets something of Hydra's own, or cannot be read.
    """
    files = sorted(path for suffix in ("yaml", "yml") for path in directory.rglob(f"*.{suffix}"))
    if len(files) > MOST_FILES:
        raise ConfigError(f"{directory} must be a directory of config groups, but holds {len(files)} YAML files.")
    for file in files:
        try:
            tree = read_yaml(file)
            packages = PACKAGE.findall(file.read_text())
        except (OSError, ValueError) as error:
            raise ConfigError(f"{file} cannot be read as a configuration: {' '.join(str(error).split())}") from error
        if what := _of_hydra(file.relative_to(directory), tree, packages):
            raise ConfigError(
                f"{file} must not change Hydra's own settings, but {what}: give them on the command line, as hydra.key=value."
            )


def _of_hydra(file: Path, tree: Any, packages: Sequence[str]) -> str | None:
    """Return what a file would change of Hydra's own settings."""
    if file.parts[0] == "hydra" or file.stem == "hydra":
        return "is in a group of that name"
    if any(package.startswith(("hydra", "_name_")) for package in packages):
        return f"is for the package {packages[0]}"
    if not isinstance(tree, dict):
        return None
    if any(str(key).partition(".")[0] == "hydra" for key in tree):
        return "has a key `hydra`"
    defaults = tree.get("defaults")
    for entry in defaults if isinstance(defaults, list) else ():
        for key in entry if isinstance(entry, dict) else [entry]:
            name = str(key)
            if name not in LAUNCHER and ("${" in name or "hydra" in name):
                return f"chooses {name} in its defaults"
    return None
