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
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

Item = TypeVar("Item")
Result = TypeVar("Result")

MIN_TRACES = 8  # a smaller chunk takes less time than starting a thread

_threads = 1


def set_threads(threads: int) -> None:
    """Set how many threads share a batch, in all VRNNs of this process. The default is 1.

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


def map_over_batch(function: Callable[..., Tensor], networks: Sequence[nn.Module], *inputs: Tensor) -> Tensor:
    """Return function(*inputs). Threads share the traces, on the way back, too: autograd itself would use one.

    On a GPU, and where a network has a hook, which may draw random numbers, nothing is shared. No second derivatives.

    Args:
        function: Maps tensors (T, B, …) to one, (…, T, B, n), each step of each trace by itself and without random numbers.
        networks: The modules that it calls. It has no other weights.
        inputs: (T, B, …) each.
    """
    chunks = split_batch(inputs[0].shape[1])
    modules = (module for network in networks for module in network.modules())
    if len(chunks) == 1 or inputs[0].device.type != "cpu" or any(module._forward_hooks for module in modules):
        return function(*inputs)
    weights = [w for network in networks for w in network.parameters() if w.requires_grad]
    result: Tensor = _OverBatch.apply(function, chunks, len(inputs), torch.is_grad_enabled(), *inputs, *weights)
    return result


class _OverBatch(torch.autograd.Function):
    """(inputs, weights) -> the function's result, by one graph for each chunk of the batch."""

    @staticmethod
    def forward(
        ctx: Any, function: Callable[..., Tensor], chunks: list[tuple[int, int]], n: int, keep: bool, *tensors: Tensor
    ) -> Tensor:
        def run(chunk: tuple[int, int]) -> tuple[list[Tensor], Tensor]:
            with torch.set_grad_enabled(keep):  # each thread has a switch of its own
                own = [x.detach().narrow(1, *chunk).requires_grad_(x.requires_grad) for x in tensors[:n]]
                return own, function(*own)

        graphs = map_in_threads(run, chunks)
        ctx.graphs, ctx.chunks, ctx.weights = graphs, chunks, tensors[n:]
        return torch.cat([result.detach() for _, result in graphs], dim=-2)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, d_result: Tensor) -> tuple[Tensor | None, ...]:
        def run(i: int) -> list[Tensor | None]:
            own, result = ctx.graphs[i]
            wanted = [x for x in (*own, *ctx.weights) if x.requires_grad]
            d_own = d_result.narrow(-2, *ctx.chunks[i])
            found = iter(torch.autograd.grad(result, wanted, d_own, retain_graph=True, allow_unused=True))
            return [next(found) if x.requires_grad else None for x in (*own, *ctx.weights)]

        n = len(ctx.graphs[0][0])
        parts = list(zip(*map_in_threads(run, range(len(ctx.graphs))), strict=True))
        d_inputs = (None if each[0] is None else torch.cat(each, dim=1) for each in parts[:n])
        d_weights = (None if each[0] is None else torch.stack(each).sum(0) for each in parts[n:])
        return None, None, None, None, *d_inputs, *d_weights


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(thread_name_prefix="vrnn")


os.register_at_fork(after_in_child=_pool.cache_clear)  # a forked process has none of the parent's threads
