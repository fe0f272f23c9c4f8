"""The space of a search: which values its trials may have. Nothing here needs torch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from omegaconf import DictConfig, OmegaConf
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from vrnn.errors import ConfigError
from vrnn.runs.config import check_choice
from vrnn.runs.score_names import SCORE

Space = dict[str, BaseDistribution]


def base(config: DictConfig) -> list[str]:
    """Return the overrides of every trial of a search."""
    return [*config.base, *([] if config.on_dataset is None else [f"dataset={config.on_dataset}"])]


def read_space(config: DictConfig) -> Space:
    """Return the space of a search.

    Args:
        config: A composed configuration of `conf/search.yaml`.

    Raises:
        ConfigError: It is empty or invalid, or the score is unknown or cannot be pruned by.
    """
    check_choice("score", config.score, tuple(SCORE))
    if config.prune and config.score not in ("val_elbo_nats_per_step", "elbo_nats_per_step"):
        raise ConfigError(
            f"prune must be false with score={config.score}, but is true, which compares trials by val/elbo: use prune=false."
        )
    space = OmegaConf.to_container(config.space)
    if not isinstance(space, dict) or not space:
        raise ConfigError("space must have at least one key, but is empty: set it as conf/search/quick.yaml does.")
    return {str(key): distribution(str(key), node) for key, node in space.items()}


def trials_of(space: Space) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every key with parameters that have one of its choices, or the lowest value of its range."""
    values_of = {key: _values(found) for key, found in space.items()}
    first = {key: values[0] for key, values in values_of.items()}
    yield from ((key, first | {key: value}) for key, values in values_of.items() for value in values)


def _values(found: BaseDistribution) -> Sequence[Any]:
    if isinstance(found, CategoricalDistribution):
        return found.choices
    assert isinstance(found, IntDistribution | FloatDistribution)
    return (found.low,)


def distribution(key: str, node: Any) -> BaseDistribution:
    """Return the choice that a list describes, or the range that {low, high[, log]} describes.

    Args:
        key: The setting's, for the error message.
        node: From `space`. A range of two integers is one of integers.

    Raises:
        ConfigError: Anything else.
    """
    if isinstance(node, list) and node:
        return CategoricalDistribution(node)
    if isinstance(node, Mapping) and {"low", "high"} <= node.keys() <= {"low", "high", "log"}:
        low, high, log = node["low"], node["high"], node.get("log", False)
        are_numbers = all(isinstance(end, int | float) and not isinstance(end, bool) for end in (low, high))
        if are_numbers and isinstance(log, bool) and low < high and (low > 0 or not log):
            make = IntDistribution if isinstance(low, int) and isinstance(high, int) else FloatDistribution
            return make(low, high, log=log)
    raise ConfigError(
        f"space.{key} must be a list of choices or {{low, high[, log: true]}} with low < high, and low > 0 for log, "
        f"but is {node}."
    )
