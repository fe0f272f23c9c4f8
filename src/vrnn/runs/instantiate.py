"""From a configuration's `_target_` to an object, restricted to classes of allowed packages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import hydra

from vrnn.errors import ConfigError


def instantiate(node: Mapping[str, Any], allow: list[str], **extra: Any) -> Any:
    """Make the object a configuration names by `_target_`, nested ones first.

    allow: the packages whose classes a configuration may name. `extra`: further arguments.

    Raises:
        ConfigError: a target outside `allow`, one that does not exist, or arguments its class refuses.
    """
    for target in _targets(node):
        _check_target(target, allow)
    try:
        return hydra.utils.instantiate(dict(node), **extra, _convert_="all")
    except hydra.errors.InstantiationException as error:
        cause = error.__cause__ or error
        hint = ""
        if "unexpected keyword argument" in str(cause):
            hint = " (if you did not ask for it: another choice did, which goes with another class here)"
        raise ConfigError(f"{node.get('_target_')}: {cause}{hint}") from error


def _targets(node: Any) -> Iterator[str]:
    """All `_target_` values in a configuration."""
    if isinstance(node, Mapping):
        if "_target_" in node:
            yield node["_target_"]
        for value in node.values():
            yield from _targets(value)
    elif isinstance(node, list | tuple):
        for value in node:
            yield from _targets(value)


def target_class(node: Mapping[str, Any], allow: list[str]) -> type:
    """Return the class a configuration names by `_target_`, under the same rules as `instantiate`, without making anything."""
    return _check_target(node["_target_"], allow)


def _check_target(target: str, allow: list[str]) -> type:
    """A target's own name and the module that defines it must lie in an allowed package: `vrnn.runs.config.hydra` does not."""
    hint = f"a class of {' or '.join(allow)} (packages of your own are added by allow=[vrnn,my_package])"
    if target.split(".")[0] not in allow:
        raise ConfigError(f"A configuration may name {hint}, but names {target}.")
    try:
        found = hydra.utils.get_object(target)
    except Exception as error:
        raise ConfigError(f"A configuration names {target}, which does not exist.") from error
    if not isinstance(found, type) or found.__module__.split(".")[0] not in allow:
        raise ConfigError(f"A configuration may name {hint}, but {target} is {found!r}.")
    return found
