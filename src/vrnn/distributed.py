"""One run by several processes, as torchrun starts them: each works on some traces of every batch.

Sums and random numbers are those of the whole batch, so that the run is the one that a single process would make, up to
rounding: means are taken over all processes, and each process draws the noise of the whole batch and keeps its shard. The
random generators of all processes are therefore always in the same state, and one checkpoint serves them all.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch import distributed as dist


class Shard(NamedTuple):
    """The traces begin, …, end - 1 of a batch of `batch`: those of this process."""

    begin: int
    end: int
    batch: int


_shard: ContextVar[Shard | None] = ContextVar("shard", default=None)


def world_size() -> int:
    """Return how many processes torchrun started for this run; 1 without torchrun."""
    return int(os.environ.get("WORLD_SIZE", 1)) if dist.is_torchelastic_launched() else 1


def is_main_process() -> bool:
    """Return whether this process writes the run's directory. The others only train."""
    return world_size() == 1 or int(os.environ["RANK"]) == 0


@contextmanager
def process_group() -> Iterator[None]:
    """Connect the run's processes for the duration of the context."""
    if world_size() > 1:
        dist.init_process_group()
    try:
        yield
    finally:
        destroy_process_group()


def destroy_process_group() -> None:
    """Disconnect the processes, if they are connected."""
    if dist.is_initialized():
        dist.destroy_process_group()


def barrier() -> None:
    """Wait until all processes have arrived here."""
    if dist.is_initialized():
        dist.barrier()


@contextmanager
def shard_batch(traces: int) -> Iterator[slice]:
    """Let this process work on its shard of a batch for the duration of the context.

    Args:
        traces: The size of the batch.

    Yields:
        The shard.

    Raises:
        ValueError: There are fewer traces than processes.
    """
    if not dist.is_initialized():
        yield slice(None)
        return
    n, rank = dist.get_world_size(), dist.get_rank()
    if traces < n:
        raise ValueError(
            f"{n} processes cannot share a batch of {traces} traces; choose data.batch_size, and what data.traces leaves for "
            f"an epoch's last batch, at least {n}."
        )
    shard = shard_slice(traces, rank, n)
    token = _shard.set(Shard(shard.start, shard.stop, traces))
    try:
        yield shard
    finally:
        _shard.reset(token)


def shard_slice(traces: int, rank: int, n: int) -> slice:
    """Return the traces of process `rank` of n: shards of nearly equal size, in order."""
    return slice(traces * rank // n, traces * (rank + 1) // n)


def is_sharded() -> bool:
    """Return whether this process works on a shard of a batch."""
    return _shard.get() is not None


def all_reduce_sum(value: Tensor) -> Tensor:
    """Return the sum over a batch's shards, differentiable; the value itself where the batch is not sharded."""
    return _AllReduceSum.apply(value) if is_sharded() else value


class _AllReduceSum(torch.autograd.Function):
    """All processes compute the same loss from it, and DistributedDataParallel averages their gradients: hence times n."""

    @staticmethod
    def forward(ctx: Any, value: Tensor) -> Tensor:
        value = value.detach().clone()
        dist.all_reduce(value)
        return value

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        return grad * dist.get_world_size()


def sample_noise(
    make: Callable[..., Tensor], *shape: int, like: Tensor, generator: torch.Generator | None = None
) -> Tensor:
    """Draw random numbers for a batch; of a sharded batch, return this process's shard.

    Args:
        make: torch.randn or torch.rand.
        shape: (…, B, n), B being the number of this process's traces.
        like: A tensor with the precision and device of the result.
        generator: None: torch's global generator.
    """
    shard = _shard.get()
    batch = shape[-2] if shard is None else shard.batch
    noise = make(*shape[:-2], batch, shape[-1], dtype=like.dtype, device=like.device, generator=generator)
    return noise if shard is None else noise[..., shard.begin : shard.end, :]


def gather(shard: Tensor) -> Tensor:
    """Return the shards of all processes, concatenated along the first dimension."""
    if not dist.is_initialized():
        return shard
    shards: list[Any] = [None] * dist.get_world_size()
    dist.all_gather_object(shards, shard.cpu())
    return torch.cat(shards)


def local_shard(whole: Tensor) -> Tensor:
    """Return this process's shard along the first dimension: the inverse of `gather`."""
    if not dist.is_initialized():
        return whole
    return whole[shard_slice(len(whole), dist.get_rank(), dist.get_world_size())]


def all_reduce_max(number: int | None) -> int | None:
    """Return the largest of all processes' numbers; None counts as 0."""
    if not dist.is_initialized():
        return number
    largest = torch.tensor(number or 0)
    dist.all_reduce(largest, dist.ReduceOp.MAX)
    return int(largest) or None
