"""Reused memory: memory returned to the system would be fetched again page by page in the next training step."""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

KEPT = 8  # unused arrays; the ones unused for longest are freed

_free: deque[NDArray[Any]] = deque(maxlen=KEPT)

# glibc keeps freed memory up to twice the largest freed block below 32 MB. This block, whose pages are never touched, therefore
# makes it keep whatever a step allocates, torch's tensors included. Larger arrays are kept by Scratch.
np.empty(31 << 20, np.uint8)


class Scratch:
    """A flat array of n uninitialised numbers, reused by later Scratch objects after this one is deleted.

    Args:
        n: Number of numbers.
        dtype: Their type.
    """

    def __init__(self, n: int, dtype: DTypeLike):
        self.array = _take(n, np.dtype(dtype))

    def __del__(self, free: deque[NDArray[Any]] = _free) -> None:  # default: at exit, globals are gone
        free.append(self.array)


def _take(n: int, dtype: np.dtype[Any]) -> NDArray[Any]:
    for _ in range(len(_free)):  # once around the deque; other threads may take from it
        try:
            array = _free.popleft()
        except IndexError:
            break
        if len(array) == n and array.dtype == dtype:
            return array
        _free.append(array)
    return np.empty(n, dtype)
