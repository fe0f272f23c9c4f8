"""YAML and JSON files of a run, read within bounds: whatever they hold, reading costs little time and memory."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from vrnn.files import read_limited

LARGEST_FILE = 1_000_000  # bytes of a file of settings or scores; config.yaml has 3000
DEEPEST = 50  # levels of nesting
LONGEST_SCALAR = 10_000  # characters of one value

Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times as fast, where libyaml is installed


def read_yaml(path: Path) -> Any:
    """Return what a YAML file holds.

    The text is checked event by event before anything is built of it: libyaml recurses without a limit, and a few
    aliases of aliases stand for billions of nodes.

    Raises:
        OSError: The file is missing, cannot be read, is not a regular file, or is too large.
        ValueError: It is no YAML in UTF-8, or exceeds the bounds.
    """
    text = read_limited(path, LARGEST_FILE).decode()
    try:
        _check_events(text)
        return yaml.load(text, Loader)
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from error


def _check_events(text: str) -> None:
    depth = 0
    for event in yaml.parse(text, Loader):
        if isinstance(event, yaml.AliasEvent):
            raise ValueError("it holds an alias, which settings never need")
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        elif isinstance(event, yaml.ScalarEvent) and len(event.value) > LONGEST_SCALAR:
            raise ValueError(f"it holds a value of {len(event.value)} characters, more than {LONGEST_SCALAR}")
        if depth > DEEPEST:
            raise ValueError(f"it is nested more than {DEEPEST} levels deep")


def read_json(path: Path) -> Any:
    """Return what a JSON file holds.

    Raises:
        OSError: The file is missing, cannot be read, is not a regular file, or is too large.
        ValueError: It is no JSON in UTF-8, or is nested too deeply.
    """
    try:
        tree = json.loads(read_limited(path, LARGEST_FILE))
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    level = [tree]
    for _ in range(DEEPEST):
        level = [child for node in level for child in _children(node)]
    if level:
        raise ValueError(f"it is nested more than {DEEPEST} levels deep")
    return tree


def _children(node: Any) -> list[Any]:
    return list(node.values()) if isinstance(node, dict) else node if isinstance(node, list) else []
