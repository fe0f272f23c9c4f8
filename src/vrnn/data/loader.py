"""Traces cut into the batches a recurrent network is trained on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count, islice
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vrnn.patterns.trace import Trace


class Batch(NamedTuple):
    """x: (T, B, x_dim). mask: (T, B), True where x holds a point, NaN elsewhere. start: (B,), True where a trace begins.

    A trace may have no point in a window: it has ended before, while others of its group go on, or the window lies in a gap.
    """

    x: Tensor
    mask: Tensor
    start: Tensor


class TraceSet:
    """Traces side by side in one tensor: x (T, N, x_dim) float32; mask (T, N), False past a trace's end and in its gaps.

    Where the mask is False x is NaN. lengths: (N,), in steps, gaps included.

    Raises:
        ValueError: no traces, or one that hides all its points.
    """

    def __init__(self, traces: Sequence[Trace]):
        if not traces:
            raise ValueError("A data set needs at least one trace, but got none.")
        pad = torch.nn.utils.rnn.pad_sequence
        self.lengths = torch.tensor([len(trace.points) for trace in traces])
        self.mask = pad([torch.as_tensor(trace.observed) for trace in traces], padding_value=False)
        self.x = pad([torch.as_tensor(trace.points, dtype=torch.float32) for trace in traces])
        self.x[~self.mask] = torch.nan
        empty = (~self.mask.any(0)).nonzero().flatten().tolist()
        if empty:
            raise ValueError(
                f"Every trace needs an observed point, but trace {empty[0]} (counted from 0) of {len(traces)} has none, "
                f"nor have {len(empty) - 1} others: hide fewer points (data.gaps.share), or draw longer traces."
            )

    def __len__(self) -> int:
        return self.x.shape[1]

    def batch(self, traces: Sequence[int] | NDArray[np.int64], begin: int, end: int) -> Batch:
        """Return the steps begin..end of some traces."""
        index = torch.as_tensor(traces)
        start = torch.full((len(index),), begin == 0)
        return Batch(self.x[begin:end, index], self.mask[begin:end, index], start)


class TraceLoader:
    """Batches of windows, in an order that is a function of (seed, epoch), from a position that can be saved and restored.

    An epoch takes the traces in a random order, batch_size at a time, and each such group through all its windows, one after
    another: the state at a window's end is the next window's beginning (truncated backpropagation through time) unless
    `start` says that a trace begins. The loader runs over as many epochs as `total` batches take, as one stream; its whole
    state is one integer, the position in that stream.

    window: steps a window; None: whole traces. total: batches in the stream.
    """

    def __init__(self, traces: TraceSet, batch_size: int, window: int | None, seed: int, total: int):
        self.traces, self.batch_size, self.seed, self.total = traces, batch_size, seed, total
        self.window = window or len(traces.x)
        self.position = 0

    def __len__(self) -> int:
        return self.total

    def __iter__(self) -> Iterator[Batch]:
        if self.position >= self.total:  # a stream that came to its end begins anew, as validation does every time
            self.position = 0
        for members, begin in islice(self._windows(), self.position, self.total):
            self.position += 1
            yield self.traces.batch(members, begin, begin + self.window)

    def _windows(self) -> Iterator[tuple[NDArray[np.int64], int]]:
        """The endless stream: a group of traces, and where its next window begins, up to the group's longest trace."""
        for epoch in count():
            order = np.random.default_rng([self.seed, epoch]).permutation(len(self.traces))
            for first in range(0, len(order), self.batch_size):
                members = order[first : first + self.batch_size]
                for begin in range(0, int(self.traces.lengths[members].max()), self.window):
                    yield members, begin

    def state_dict(self) -> dict[str, int]:
        """The position: how many batches have been handed out."""
        return {"position": self.position}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Go on after the batch at which the state was saved."""
        self.position = state["position"]
