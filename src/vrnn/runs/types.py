"""What a type expects of a setting: in words, and whether plain data is as expected."""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping, Sequence
from numbers import Real
from typing import Any, Literal, Union

WORDS = {
    int: "an integer",
    float: "a number",
    bool: "true or false",
    str: "a text",
    dict: "settings, as in {key: value}",
    type(None): "null",
}
ITEMS = {int: "integers, as in [64, 64]", float: "numbers, as in [0.5, 1]", str: "texts"}


def in_words(expected: Any) -> str:
    """Return what a type expects, as in "an integer or null".

    Args:
        expected: A type, or an annotation such as `Sequence[int] | None`.
    """
    origin, inner = typing.get_origin(expected), typing.get_args(expected)
    if origin in (Union, types.UnionType):
        return " or ".join(map(in_words, inner))
    if origin is Literal:
        return f"one of {', '.join(map(str, inner))}"
    if _is_sequence(origin):
        return f"a list of {ITEMS.get(inner[0], 'lists' if _is_sequence(typing.get_origin(inner[0])) else 'values')}"
    return WORDS.get(origin or expected, "settings")


def is_as_expected(value: Any, expected: Any) -> bool:
    """Return whether plain data may be of a type. Classes, and settings that name one, are left to whoever makes them.

    Args:
        value: A setting.
        expected: A type, or an annotation.
    """
    origin, inner = typing.get_origin(expected), typing.get_args(expected)
    if origin in (Union, types.UnionType):
        return any(is_as_expected(value, option) for option in inner)
    if origin is Literal:
        return value in inner
    if _is_sequence(origin):
        return isinstance(value, list | tuple) and all(is_as_expected(item, inner[0]) for item in value)
    if expected is bool or isinstance(value, bool):
        return isinstance(value, bool) and expected not in (int, float, str)
    if expected is int:  # 2.0 counts as 2
        return isinstance(value, Real) and float(value).is_integer()
    if expected in (float, str, type(None)):
        return isinstance(value, Real if expected is float else expected)
    if (origin or expected) is Mapping:
        return isinstance(value, Mapping)
    return value is not None or not isinstance(expected, type)


def _is_sequence(origin: Any) -> bool:
    return origin in (list, Sequence)
