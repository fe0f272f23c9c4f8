"""From plain data to objects: settings whose `_target_` names a class of an allowed package, and nothing else.

Settings may come from a stranger's run directory or experiment file. So they are plain data without interpolations, and
objects are made here alone: every class is checked on the very object that is then called.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import sys
import typing
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from typing import Any

from vrnn.errors import ConfigError
from vrnn.runs.types import in_words, is_as_expected

TARGET, PARTIAL = "_target_", "_partial_"
# The packages and modules of vrnn that settings may name classes of.
CONFIGURABLE = (
    "vrnn.networks",
    "vrnn.objective",
    "vrnn.patterns",
    "vrnn.training.lr_schedules",
    "vrnn.training.film",
    "vrnn.training.optional_callbacks",
)
DEEPEST = 40  # levels of nested settings
LARGEST = 2**63  # of numbers: larger ones are no sizes, counts or coordinates


def instantiate(node: dict[str, Any], allow: Sequence[str]) -> Any:
    """Make the object that settings name by `_target_`, nested ones first.

    Args:
        node: Plain data. `_partial_: true` gives the class with these arguments, to be called with the others later.
        allow: The packages whose classes the settings may name.

    Raises:
        ConfigError: Anything but plain data, a target outside `allow`, one that does not exist, or arguments its class
            refuses.
    """
    check_plain(node)
    return _build(node, tuple(allow))


def target_class(node: dict[str, Any], allow: Sequence[str]) -> type:
    """Return the class that settings name by `_target_`, under the same rules as `instantiate`, without making anything."""
    return _import_class(node.get(TARGET), tuple(allow))


def check_plain(node: Any, path: str = "", depth: int = 0) -> None:
    """Refuse what is not plain data: dicts, lists, text without interpolation, finite numbers, booleans and null.

    Args:
        node: The settings.
        path: The key they have, for the message.
        depth: How deep they are nested already.

    Raises:
        ConfigError: The message names the key.
    """
    here = path or "the settings"
    if depth > DEEPEST:
        raise ConfigError(f"{here} must be nested at most {DEEPEST} levels deep, but is deeper: flatten it.")
    if isinstance(node, dict):
        for key, value in node.items():
            check_plain(key, f"{here}: the key {key!r}", depth)
            check_plain(value, f"{path}.{key}" if path else str(key), depth + 1)
    elif isinstance(node, list):
        for i, value in enumerate(node):
            check_plain(value, f"{path}[{i}]", depth + 1)
    elif isinstance(node, str):
        if "${" in node:
            raise ConfigError(f"{here} must be a value, but is the interpolation {node!r}: write the value itself.")
    elif isinstance(node, int | float) and not isinstance(node, bool):
        if not abs(node) < LARGEST:
            raise ConfigError(f"{here} must be a finite number below 2^63, but is {node:.3g}: choose a smaller one.")
    elif node is not None and not isinstance(node, bool):
        kind = type(node).__name__
        raise ConfigError(f"{here} must be text, a number, true, false, null, a list or a mapping, but is a {kind}.")


def _build(node: Any, allow: tuple[str, ...]) -> Any:
    if isinstance(node, list):
        return [_build(value, allow) for value in node]
    if not isinstance(node, dict):
        return node
    if TARGET not in node:
        return {key: _build(value, allow) for key, value in node.items()}
    target = _import_class(node[TARGET], allow)
    given = {key: value for key, value in node.items() if key not in (TARGET, PARTIAL)}
    partial = node.get(PARTIAL, False)
    check_arguments(node[TARGET], target, given, partial)
    arguments = {key: _build(value, allow) for key, value in given.items()}
    if partial:
        _check_types(node[TARGET], target, arguments)
        return functools.partial(target, **arguments)
    try:
        made = target(**arguments)
    except ConfigError:
        raise
    except Exception as error:
        if not isinstance(error, ValueError):  # a ValueError is the class's own refusal, in its own words
            _check_types(node[TARGET], target, arguments)
        raise ConfigError(f"{node[TARGET]}: {' '.join(str(error).split())}") from error
    _check_types(node[TARGET], target, arguments)
    return made


def _import_class(target: Any, allow: tuple[str, ...]) -> type:
    """Import what a target names, and return it if it is a class that an allowed package defines."""
    hint = f"a class of {' or '.join(allow)} (packages of your own are added by allow=[vrnn,my_package])"
    if not isinstance(target, str):
        raise ConfigError(f"A configuration may name {hint}, but names {target!r}.")
    package = target.partition(".")[0]
    if package not in allow:
        cure = "."
        if package.isidentifier() and package not in sys.stdlib_module_names:
            cure = (
                f": if you trust the package {package}, repeat the command with allow=[{','.join([*allow, package])}]."
            )
        raise ConfigError(f"A configuration may name {hint}, but names {target}{cure}")
    found = _find(target)
    if not isinstance(found, type) or not _is_allowed(found, allow):
        raise ConfigError(f"A configuration may name {hint}, but {target} is {found!r}.")
    return found


def _find(target: str) -> Any:
    """Import the longest part of a dotted name that is a module, and return the attribute that the rest names."""
    parts = target.split(".")
    try:
        found: Any = importlib.import_module(parts[0])
        for i, part in enumerate(parts[1:], start=2):
            if not hasattr(found, part):
                importlib.import_module(".".join(parts[:i]))
            found = getattr(found, part)
    except Exception as error:
        raise ConfigError(f"A configuration names {target}, which does not exist{_nearest_name(target)}.") from error
    return found


def _nearest_name(target: str) -> str:
    """Return a hint at public names of a target's module that are spelled nearly the same."""
    module, _, name = target.rpartition(".")
    names = get_close_matches(name, getattr(sys.modules.get(module), "__all__", ()))
    return f": {module} has {' and '.join(names)}" if names else ""


def _is_allowed(found: type, allow: tuple[str, ...]) -> bool:
    """Return whether an allowed package defines a class: of vrnn itself, one that is made for configurations."""
    package = found.__module__.split(".")[0]
    if package == "vrnn":
        return any(f"{found.__module__}.".startswith(f"{name}.") for name in CONFIGURABLE)
    return package in allow


def check_arguments(target: str, made: Callable[..., Any], given: dict[str, Any], partial: Any) -> None:
    """Compare arguments with a class's signature before anything is made."""
    if not isinstance(partial, bool):
        raise ConfigError(f"{target}: _partial_ must be true or false, but is {partial!r}.")
    try:
        parameters = inspect.signature(made).parameters.values()
    except ValueError:  # a class that is not written in Python has none
        return
    names = [p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    takes_any = any(p.kind == p.VAR_KEYWORD for p in parameters)
    for key in given:
        if key in names or (takes_any and isinstance(key, str) and not key.startswith("_")):
            continue
        near = get_close_matches(str(key), names)
        takes = f"the nearest is {' or '.join(near)}" if near else f"it takes {', '.join(names) or 'none'}"
        raise ConfigError(
            f"{target}: unexpected keyword argument {key!r}; {takes} (if you did not ask for it: another choice did, which "
            "goes with another class here)"
        )
    required = [p.name for p in parameters if p.default is p.empty and p.name in names]
    missing = [name for name in required if name not in given]
    if missing and not partial:
        raise ConfigError(f"{target}: the arguments {', '.join(missing)} must be given.")


def _check_types(target: str, made: Callable[..., Any], arguments: dict[str, Any]) -> None:
    """Compare arguments, nested objects already made, with the types that a class's source gives them."""
    try:
        hints = typing.get_type_hints(made.__init__)
    except (NameError, AttributeError, TypeError):  # its source gives none, or some that cannot be found
        return
    for key, value in arguments.items():
        if key in hints and not is_as_expected(value, hints[key]):
            raise ConfigError(f"{target}: {key} must be {in_words(hints[key])}, but is {value!r}.")
