"""Traces cut into windows, in batches on which a recurrent network is trained."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count, islice
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vrnn.networks.condition import of_steps, of_traces
from vrnn.patterns.trace import Trace


class Batch(NamedTuple):
    """One window of B traces.

    A trace may have no point in a window: a trace that is shorter than others of the batch, or has a gap there.

    Attributes:
        x: (T, B, x_dim), the points; NaN where there is none.
        mask: (T, B), True where x holds a point.
        start: (B,), True where a trace begins with this window.
        condition: What the traces are conditioned on: their classes, (B,) int, or their exogenous series, (T, B, c); None
            where they have none.
    """

    x: Tensor
    mask: Tensor
    start: Tensor
    condition: Tensor | None = None


class TraceSet:
    """N traces in one tensor.

    Args:
        traces: The traces; their lengths may differ.

    Attributes:
        x: (T, N, x_dim) float32, where T is the longest trace's length; NaN where the mask is False.
        mask: (T, N), False after a trace's end and in its gaps.
        lengths: (N,), each trace's length in steps, gaps included.
        condition: The traces' exogenous series, (T, N, c) float32, 0 after a trace's end, else their classes, (N,) int; None
            where they have none.

    Raises:
        ValueError: There are no traces, all points of a trace are hidden, or only some traces have a label or exogenous series.
    """

    def __init__(self, traces: Sequence[Trace]):
        if not traces:
            raise ValueError("A data set must have at least one trace, but has none: ask for more traces.")
        pad = torch.nn.utils.rnn.pad_sequence
        self.lengths = torch.tensor([len(trace.points) for trace in traces])
        self.mask = pad([torch.as_tensor(trace.observed) for trace in traces], padding_value=False)
        self.x = pad([torch.as_tensor(trace.points, dtype=torch.float32) for trace in traces])
        self.x[~self.mask] = torch.nan
        labels = torch.tensor([trace.label for trace in traces])
        missing = (labels < 0).nonzero().flatten().tolist()
        if 0 < len(missing) < len(traces):
            raise ValueError(
                f"All traces or none must have a label, but {len(missing)} of {len(traces)} have none, first of them number "
                f"{missing[0]}, counted from 0: give each a label."
            )
        self.condition = _exogenous(traces) if traces[0].exogenous is not None else None if missing else labels
        empty = (~self.mask.any(0)).nonzero().flatten().tolist()
        if empty:
            raise ValueError(
                f"Every trace must have an observed point, but {len(empty)} of {len(traces)} traces have none, first of them "
                f"number {empty[0]}, counted from 0: hide fewer points (data.gaps.share), or draw longer traces (data.steps)."
            )

    def __len__(self) -> int:
        return self.x.shape[1]

    def batch(self, traces: Sequence[int] | NDArray[np.int64], begin: int, end: int) -> Batch:
        """Return the steps begin, …, end - 1 of the traces with the given indices."""
        index = torch.as_tensor(traces)
        start = torch.full((len(index),), begin == 0)
        condition = of_traces(of_steps(self.condition, begin, end), index)
        return Batch(self.x[begin:end, index], self.mask[begin:end, index], start, condition)


def _exogenous(traces: Sequence[Trace]) -> Tensor:
    """Return the exogenous series of traces, (T, N, c), 0 after a trace's end."""
    given = [trace.exogenous for trace in traces]
    if without := [i for i, series in enumerate(given) if series is None]:
        raise ValueError(
            f"All traces or none must have exogenous series, but number {without[0]}, counted from 0, has none: give each some."
        )
    return torch.nn.utils.rnn.pad_sequence([torch.as_tensor(series, dtype=torch.float32) for series in given])


class TraceLoader:
    """A stream of batches in an order that is a function of the seed, from a position that can be saved and restored.

    An epoch takes the traces in a random order, a function of (seed, epoch), in groups of `batch_size`. The batches of a
    group are its windows in order of time: the model's state at the end of a window is carried to the next one (truncated
    backpropagation through time), unless `start` says that a trace begins. The stream goes through as many epochs as needed.

    Args:
        traces: The traces.
        batch_size: Traces per batch. An epoch's last group may be smaller.
        window: Steps per window. None: whole traces.
        seed: Of the order.
        batches: The number of batches in the stream.

    Attributes:
        position: How many batches have been served: the loader's whole state.
    """

    def __init__(self, traces: TraceSet, batch_size: int, window: int | None, seed: int, batches: int):
        self.traces, self.batch_size, self.seed, self.batches = traces, batch_size, seed, batches
        self.window = window or len(traces.x)
        self.position = 0

    def __len__(self) -> int:
        return self.batches

    def __iter__(self) -> Iterator[Batch]:
        if self.position >= self.batches:  # after its end the stream starts again: validation reads it many times
            self.position = 0
        for members, begin in islice(self._windows(), self.position, self.batches):
            self.position += 1
            yield self.traces.batch(members, begin, begin + self.window)

    def _windows(self) -> Iterator[tuple[NDArray[np.int64], int]]:
        """Yield the indices of a group's traces and the first step of a window, without end.

        A group's windows end with its longest trace.
        """
        for epoch in count():
            order = np.random.default_rng([self.seed, epoch]).permutation(len(self.traces))
            for first in range(0, len(order), self.batch_size):
                members = order[first : first + self.batch_size]
                for begin in range(0, int(self.traces.lengths[members].max()), self.window):
                    yield members, begin

    def state_dict(self) -> dict[str, int]:
        """Return the position."""
        return {"position": self.position}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Continue after the batch at which the state was saved."""
        self.position = state["position"]
