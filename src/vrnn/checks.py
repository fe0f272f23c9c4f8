"""Range checks of settings: each returns the checked value, or raises one ValueError with the setting's key.

All errors have one form: `key must be X, but is Y: do Z.` The last part is left out where X already says what to do.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from numbers import Real
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]

Number = TypeVar("Number", int, float)
Choice = TypeVar("Choice")


def require(ok: bool, key: str, expected: str, value: object, fix: str = "") -> None:
    """Raise the error of a setting whose value is not as expected.

    Args:
        ok: Whether the value is as expected.
        key: The setting's key, such as `data.gaps.share`.
        expected: Completes "key must be …".
        value: What came instead.
        fix: How to mend it, where `expected` does not say it.

    Raises:
        ValueError: `ok` is False.
    """
    if not ok:
        raise ValueError(f"{key} must be {expected}, but is {value!r}{fix and f': {fix}'}.")


def check_number(key: str, value: float) -> float:
    """Return a finite number."""
    require(_is_number(value), key, "a finite number", value)
    return float(value)


def check_positive(key: str, value: float) -> float:
    """Return a finite number > 0."""
    require(_is_number(value) and value > 0, key, "a number > 0", value)
    return float(value)


def check_at_least(key: str, value: Number, low: int, fix: str = "") -> Number:
    """Return a finite number >= low."""
    require(_is_number(value) and value >= low, key, f"at least {low}", value, fix)
    return value


def check_range(key: str, value: float, low: float, high: float) -> float:
    """Return a number in [low, high]."""
    require(_is_number(value) and low <= value <= high, key, f"a number in [{low:g}, {high:g}]", value)
    return float(value)


def check_share(key: str, value: float, fix: str = "") -> float:
    """Return a number in [0, 1): a share that leaves a rest."""
    require(_is_number(value) and 0 <= value < 1, key, "a number in [0, 1)", value, fix)
    return float(value)


def check_choice(key: str, value: Choice, choices: Collection[Choice]) -> Choice:
    """Return a value that is one of the choices; None is written as null, as in YAML."""
    names = ["null" if choice is None else str(choice) for choice in choices]
    require(value in choices, key, f"one of {', '.join(names)}", value)
    return value


def check_pair(key: str, values: Sequence[float]) -> Points:
    """Return two finite numbers [x, y] as an array (2,)."""
    require(_is_pair(values) and all(map(_is_number, values)), key, "two finite numbers [x, y]", values)
    return np.array(values, dtype=np.float64)


def check_positive_pair(key: str, values: Sequence[float]) -> Points:
    """Return two finite numbers [x, y], both > 0, as an array (2,)."""
    ok = _is_pair(values) and all(_is_number(value) and value > 0 for value in values)
    require(ok, key, "two numbers [x, y], both > 0", values)
    return np.array(values, dtype=np.float64)


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)


def _is_pair(values: Any) -> bool:
    return not isinstance(values, str) and hasattr(values, "__len__") and len(values) == 2
