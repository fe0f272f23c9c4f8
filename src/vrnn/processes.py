"""One run by several processes, as torchrun starts them: each works on some traces of every batch, and all stay in step.

Whatever is summed or drawn over a batch is that of the whole batch, so that the run is the one a single process would make,
up to rounding: means are of sums over all processes, and each process draws the noise of the whole batch and keeps its share.
The generators of all processes are thus always in the same state, and one checkpoint serves them all.
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


class Share(NamedTuple):
    """The traces begin..end of a batch of `of`: those of this process."""

    begin: int
    end: int
    of: int


_share: ContextVar[Share | None] = ContextVar("share", default=None)


def started() -> int:
    """How many processes torchrun started for this run; 1 without it."""
    return int(os.environ.get("WORLD_SIZE", 1)) if dist.is_torchelastic_launched() else 1


def leads() -> bool:
    """Whether this process writes the run's directory; the others only help it train."""
    return started() == 1 or int(os.environ["RANK"]) == 0


@contextmanager
def together() -> Iterator[None]:
    """Within it, the processes can reach one another."""
    if started() > 1:
        dist.init_process_group()
    try:
        yield
    finally:
        part()


def part() -> None:
    """End what `together` began: from here on each is on its own."""
    if dist.is_initialized():
        dist.destroy_process_group()


def meet() -> None:
    """Wait for all processes to come here."""
    if dist.is_initialized():
        dist.barrier()


@contextmanager
def sharing(traces: int) -> Iterator[slice]:
    """Within it this process works on its share of a batch of so many traces; yields which.

    Raises:
        ValueError: there are fewer traces than processes.
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
    mine = part_of(traces, rank, n)
    token = _share.set(Share(mine.start, mine.stop, traces))
    try:
        yield mine
    finally:
        _share.reset(token)


def part_of(traces: int, rank: int, n: int) -> slice:
    """The traces of process `rank` of n: as equal as can be, in order."""
    return slice(traces * rank // n, traces * (rank + 1) // n)


def shared() -> bool:
    """Whether this process works on a share of a batch."""
    return _share.get() is not None


def total(value: Tensor) -> Tensor:
    """Return the sum of a batch's shares, differentiable; the value itself where the batch is not shared."""
    return _Total.apply(value) if shared() else value


class _Total(torch.autograd.Function):
    """All processes make the same loss of it, and DistributedDataParallel takes the mean of their gradients: hence n times."""

    @staticmethod
    def forward(ctx: Any, value: Tensor) -> Tensor:
        value = value.detach().clone()
        dist.all_reduce(value)
        return value

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        return grad * dist.get_world_size()


def draw(make: Callable[..., Tensor], *shape: int, like: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Return noise of a shape (…, B, n), make being torch.randn or torch.rand; of a shared batch, this process's share."""
    share = _share.get()
    batch = shape[-2] if share is None else share.of
    noise = make(*shape[:-2], batch, shape[-1], dtype=like.dtype, device=like.device, generator=generator)
    return noise if share is None else noise[..., share.begin : share.end, :]


def gather(part: Tensor) -> Tensor:
    """Return the shares of all processes, one after another along the first dimension."""
    if not dist.is_initialized():
        return part
    parts: list[Any] = [None] * dist.get_world_size()
    dist.all_gather_object(parts, part.cpu())
    return torch.cat(parts)


def own_part(whole: Tensor) -> Tensor:
    """Undo `gather`."""
    if not dist.is_initialized():
        return whole
    return whole[part_of(len(whole), dist.get_rank(), dist.get_world_size())]


def greatest(number: int | None) -> int | None:
    """Return the greatest of all processes' numbers, None counting as 0."""
    if not dist.is_initialized():
        return number
    found = torch.tensor(number or 0)
    dist.all_reduce(found, dist.ReduceOp.MAX)
    return int(found) or None
