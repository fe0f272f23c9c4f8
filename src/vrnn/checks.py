"""Checks of numbers that come from a config: each returns its value or raises one ValueError that names it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from numbers import Real

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]


def number(name: str, value: float) -> float:
    """Return a finite number."""
    if isinstance(value, bool) or not isinstance(value, Real) or not math.isfinite(value):
        raise ValueError(f"{name}: expected a finite number, got {value!r}")
    return float(value)


def positive(name: str, value: float) -> float:
    """Return a number > 0."""
    if number(name, value) <= 0.0:
        raise ValueError(f"{name}: expected a number > 0, got {value!r}")
    return float(value)


def pair(name: str, values: Sequence[float], above_zero: bool = False) -> Points:
    """Return two finite numbers [x, y] as an array (2,), on request both > 0."""
    if isinstance(values, str) or not hasattr(values, "__len__") or len(values) != 2:
        raise ValueError(f"{name}: expected two numbers [x, y], got {values!r}")
    check = positive if above_zero else number
    return np.array([check(f"{name}[{i}]", v) for i, v in enumerate(values)])


def within(name: str, value: float, high: float = math.inf) -> float:
    """Return a number in [0, high]."""
    if not 0.0 <= number(name, value) <= high:
        raise ValueError(f"{name}: expected a number in [0, {high:g}], got {value!r}")
    return float(value)
