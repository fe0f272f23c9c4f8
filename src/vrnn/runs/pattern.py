"""The pattern of a run, built from its settings. Nothing here needs torch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from vrnn.errors import ConfigError
from vrnn.patterns import Pattern
from vrnn.patterns.units import NO_EXOGENOUS, NO_LABELS
from vrnn.runs.config import CONDITIONS
from vrnn.runs.instantiate import PARTIAL, instantiate, target_class
from vrnn.runs.name import dataset_files, digest, is_same_digest

Settings = dict[str, Any]

READ_TWICE = 1_000_000  # bytes: a run's larger files are read once


def build_pattern(settings: Settings) -> Pattern:
    """Build the pattern alone.

    Raises:
        ConfigError: Settings that it refuses, or files that are not those that the run began with.
    """
    pattern_class(settings)
    dataset = dict(settings["dataset"])
    if dataset.get(PARTIAL, False) is not False:
        raise ConfigError(f"dataset._partial_ must be false, but is {dataset[PARTIAL]!r}.")
    stored_digest = dataset.pop("digest", None)
    if stored_digest is not None and not is_same_digest(stored_digest, digest(dataset)):
        files = ", ".join(map(str, dataset.get("files") or [dataset.get("file", dataset.get("directory"))]))
        raise ConfigError(
            f"{files} must be as when the run began, but changed or is missing: restore it, or start a new run."
        )
    pattern: Pattern = instantiate(dataset, settings["allow"])
    return pattern


def pattern_class(settings: Settings) -> type[Pattern]:
    """Return the class of a run's pattern, whose attributes describe its sequences without any data.

    Raises:
        ConfigError: The class lacks an attribute of `Pattern`.
    """
    found = target_class(settings["dataset"], settings["allow"])
    for name in ("x_dim", "form", "names"):
        if not hasattr(found, name):
            raise ConfigError(
                f"{settings['dataset']['_target_']} has no class attribute {name}: derive it from vrnn.patterns.Pattern, and "
                "set there what differs from x_dim = 2, form = 'plane' and names = ()."
            )
    return found


def check_condition(settings: Settings, pattern: Pattern) -> None:
    """Refuse a condition that the pattern's sequences do not have. It is known before torch is imported.

    Raises:
        ConfigError: There are no labels, or no exogenous series.
    """
    kind = CONDITIONS.get(settings["condition"]["_target_"])
    if kind == "label" and not pattern.units.labels:
        raise ConfigError(NO_LABELS)
    if kind == "series" and pattern.units.exogenous is None:
        raise ConfigError(NO_EXOGENOUS)


def is_quick_to_read(dataset: Mapping[str, Any]) -> bool:
    """Return whether a dataset is drawn, or its files are small: then it can be built twice."""
    return sum(file.stat().st_size for file in dataset_files(dataset) if file.is_file()) <= READ_TWICE


@contextmanager
def as_config_error() -> Iterator[None]:
    """Turn a ValueError, by which a part refuses its arguments or another part, into a ConfigError."""
    try:
        yield
    except ValueError as error:
        raise ConfigError(str(error)) from error
