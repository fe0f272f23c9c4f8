"""Threads over the batch. They are not torch's own: those wait by spinning, and beside a busy core a step takes seconds.

Each share of the batch is computed alone and their results are added in order, so that for one number of threads the bits are
the same, whichever thread took which share.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import pairwise
from typing import TypeVar

Share = TypeVar("Share")
Result = TypeVar("Result")

LEAST_TRACES = 8  # a share of fewer is not worth a thread

_threads = 1


def set_threads(threads: int) -> None:
    """Let the native engine use so many threads, in all VRNNs of this process. At the start it is one.

    Raises:
        ValueError: threads < 1.
    """
    global _threads
    if threads < 1:
        raise ValueError(f"The number of threads must be at least 1, but is {threads}.")
    _threads = threads


def divide(batch: int) -> list[tuple[int, int]]:
    """Divide a batch into shares: (first trace, how many) each."""
    shares = max(1, min(_threads, batch // LEAST_TRACES))
    bounds = [batch * i // shares for i in range(shares + 1)]
    return [(first, end - first) for first, end in pairwise(bounds)]


def each(function: Callable[[Share], Result], shares: Sequence[Share]) -> list[Result]:
    """Call the function with each share and return the results in their order. A thread that is free takes the next share."""
    results: dict[int, Result] = {}
    left = iter(enumerate(shares))

    def work() -> None:
        for i, share in left:
            results[i] = function(share)

    helpers = [_pool().submit(work) for _ in range(min(_threads, len(shares)) - 1)]
    work()
    for helper in helpers:
        helper.result()
    return [results[i] for i in range(len(shares))]


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(thread_name_prefix="vrnn-engine")


os.register_at_fork(after_in_child=_pool.cache_clear)  # a fork takes no threads along
