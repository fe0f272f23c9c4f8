"""Memory that is used again: what is given back to the system comes back page by page in the next step."""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

KEPT = 8  # arrays nobody uses; the longest unused are let go

_free: deque[NDArray[Any]] = deque(maxlen=KEPT)

# glibc keeps freed memory up to twice the largest block that was ever given back, but blocks of 32 MB and more: with this one,
# which no page is spent on, all that a step allocates, torch's tensors too. Larger arrays are kept by Scratch.
np.empty(31 << 20, np.uint8)


class Scratch:
    """A large flat array of n numbers, whatever they are; once nobody holds this object, others get the array."""

    def __init__(self, n: int, dtype: DTypeLike):
        self.array = _take(n, np.dtype(dtype))

    def __del__(self, free: deque[NDArray[Any]] = _free) -> None:  # bound here: at the interpreter's end names are gone
        free.append(self.array)


def _take(n: int, dtype: np.dtype[Any]) -> NDArray[Any]:
    for _ in range(len(_free)):  # a turn of the deque; threads may take from it meanwhile
        try:
            array = _free.popleft()
        except IndexError:
            break
        if len(array) == n and array.dtype == dtype:
            return array
        _free.append(array)
    return np.empty(n, dtype)
