"""How this package's kernels are compiled: by numba, with a disk cache that every edit of this package invalidates."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numba import njit, types
from numba.core import event
from numba.extending import overload
from typing_extensions import override

from vrnn.engine.native.cache import KernelCache

logger = logging.getLogger(__name__)

# contract: a product and a sum may become one instruction. NaN, infinity and the order of sums are kept.
OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy", "fastmath": {"contract"}}
PRECISIONS = {types.float32: np.float32, types.float64: np.float64}

# numba gives a literal 0 or 1 a type of its own as an argument, and would compile the called kernel once more for it.
ZERO, ONE = np.int64(0), np.int64(1)

INNER: dict[str, Any] = {**OPTIONS, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}  # not called from Python
inner: Any = njit(**INNER)
# For the short kernels of single instructions: at batch 1 a call costs as much as their work.
inlined: Any = njit(forceinline=True, **INNER)


def entry(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a function that Python calls, and cache the result on disk for all processes.

    numba's cache looks only at the file that defines the function. The function's name therefore contains a digest of all
    sources of this package, so that an edit of an imported file invalidates the cache, too.
    """
    sources = sorted(Path(__file__).parent.glob("*.py"))
    digest = hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()[:16]
    function.__qualname__ += f"_{digest}"
    dispatcher: Any = njit(**OPTIONS)(function)
    with suppress(RuntimeError):  # no directory for the cache is writable
        dispatcher._cache = KernelCache(function)  # as njit(cache=True) does with numba's own cache
    return dispatcher


class CompilationLogger(event.Listener):
    """Logs once that kernels are being compiled; numba sends no event for kernels that are in its cache."""

    logged = False

    @override
    def on_start(self, event: event.Event) -> None:
        if not self.logged:
            self.logged = True
            logger.info(
                "The kernels are being compiled, which takes up to a minute. Later runs load them from a cache."
            )

    @override
    def on_end(self, event: event.Event) -> None:
        pass


event.register("numba:compile", CompilationLogger())


def by_precision(make: Callable[[type], Callable[..., Any]]) -> Callable[..., Any]:
    """Return one function for kernels that works in the precision of its argument.

    Args:
        make: Given np.float32 or np.float64, returns a function of x whose constants have that type. A plain 0.5 is a float64
            and would widen a float32 result.
    """

    def dispatched(x: Any) -> Any:
        raise NotImplementedError("This function can be called only inside kernels.")

    made = {numba_type: make(real) for numba_type, real in PRECISIONS.items()}

    @overload(dispatched, jit_options=OPTIONS, strict=False)  # type: ignore[arg-type]
    def implementation(x: Any) -> Any:
        return made.get(x)

    return dispatched
