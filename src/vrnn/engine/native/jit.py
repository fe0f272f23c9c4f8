"""How this room's kernels are compiled: numba, with a disk cache that notices every edit."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numba import njit, types
from numba.core import event
from numba.extending import overload

logger = logging.getLogger(__name__)

# contract lets a product and a sum become one instruction; NaN and infinity keep their meaning, and sums their order.
OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy", "fastmath": {"contract"}}
PRECISIONS = {types.float32: np.float32, types.float64: np.float64}

# As arguments a literal 0 or 1 has a type of its own: numba would compile the called kernel once more for it.
ZERO, ONE = np.int64(0), np.int64(1)

INNER: dict[str, Any] = {**OPTIONS, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}  # not called by Python
inner: Any = njit(**INNER)


def entry(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a function that Python calls, once for all processes.

    numba's cache looks only at the file the function stands in; with a digest of all the room's sources in its name, an edit
    to a file it imports counts too.
    """
    sources = sorted(Path(__file__).parent.glob("*.py"))
    digest = hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()[:16]
    function.__qualname__ += f"_{digest}"
    try:
        return njit(cache=True, **OPTIONS)(function)
    except RuntimeError:  # there is no directory it may write a cache to
        return njit(**OPTIONS)(function)


class Announcement(event.Listener):
    """Says once that kernels are being compiled, which numba reports only where its cache does not have them."""

    said = False

    def on_start(self, event: event.Event) -> None:
        """A compilation begins."""
        if not self.said:
            self.said = True
            logger.info("The kernels are being compiled, which takes up to a minute; later runs find them in a cache.")

    def on_end(self, event: event.Event) -> None:
        """One has ended: there is nothing to say."""


event.register("numba:compile", Announcement())


def by_precision(make: Callable[[type], Callable[..., Any]]) -> Callable[..., Any]:
    """Turn make(np.float32 or np.float64) -> function of x into one function that kernels call with either.

    The made function's constants have x's own type: a plain 0.5 is a float64 and would widen all that it meets.
    """

    def chosen(x: Any) -> Any:
        raise NotImplementedError("for use inside kernels")

    made = {numba_type: make(real) for numba_type, real in PRECISIONS.items()}

    @overload(chosen, jit_options=OPTIONS, strict=False)  # type: ignore[arg-type]
    def choose(x: Any) -> Any:
        return made.get(x)

    return chosen
