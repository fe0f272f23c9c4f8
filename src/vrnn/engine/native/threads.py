"""Threads over the batch, separate from torch's own: those wait in a busy loop, and next to a busy core one step takes seconds.

Each chunk of the batch is computed independently and the results are added in order, so that for a given number of threads the
bits are the same, whichever thread computed which chunk.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import pairwise
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

MIN_TRACES = 8  # a smaller chunk takes less time than starting a thread

_threads = 1


def set_threads(threads: int) -> None:
    """Set how many threads the native engine uses, in all VRNNs of this process. The default is 1.

    Raises:
        ValueError: threads < 1.
    """
    global _threads
    if threads < 1:
        raise ValueError(f"threads must be at least 1, but is {threads}.")
    _threads = threads


def split_batch(batch: int) -> list[tuple[int, int]]:
    """Divide a batch of traces into chunks, (first trace, number of traces) each."""
    chunks = max(1, min(_threads, batch // MIN_TRACES))
    bounds = [batch * i // chunks for i in range(chunks + 1)]
    return [(first, end - first) for first, end in pairwise(bounds)]


def map_in_threads(function: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
    """Return the function's result for each item, in the items' order. Every free thread takes the next item."""
    results: dict[int, Result] = {}
    remaining = iter(enumerate(items))

    def work() -> None:
        for i, item in remaining:
            results[i] = function(item)

    helpers = [_pool().submit(work) for _ in range(min(_threads, len(items)) - 1)]
    work()
    for helper in helpers:
        helper.result()
    return [results[i] for i in range(len(items))]


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(thread_name_prefix="vrnn-engine")


os.register_at_fork(after_in_child=_pool.cache_clear)  # a forked process has none of the parent's threads
