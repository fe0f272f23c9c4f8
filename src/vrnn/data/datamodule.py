"""The LightningDataModule: train, validation and test traces of one pattern, from separate seeds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from pytorch_lightning import LightningDataModule

from vrnn.data.gaps import Gaps
from vrnn.data.loader import TraceLoader, TraceSet
from vrnn.patterns.trace import Pattern, Split, Trace

SPLITS: tuple[Split, ...] = ("train", "val", "test")


class TraceDataModule(LightningDataModule):
    """Draws the traces of a pattern and serves them.

    traces, steps: how many training traces, and points in each (at most: some patterns have no more). window: steps a window
    of truncated backpropagation through time (None: whole traces). batch_size: traces side by side. total: training batches
    to serve. val_traces, test_traces, eval_steps: the held-out traces. seed: the whole data set is a function of it.
    min_steps: a number cuts each training trace to a length drawn uniformly from [min_steps, steps]; held-out traces stay
    whole, so that scores of different runs remain comparable. gaps: arguments of `Gaps`, which hides points in every split: a
    model is measured as it was trained, on what it sees, and the hidden points stay known to judge what it fills in.

    Raises:
        ValueError: min_steps outside [1, steps], or gaps out of their range.
    """

    def __init__(
        self,
        pattern: Pattern,
        total: int,
        seed: int,
        traces: int = 256,
        steps: int = 2048,
        window: int | None = 64,
        batch_size: int = 32,
        val_traces: int = 16,
        test_traces: int = 64,
        eval_steps: int = 1024,
        min_steps: int | None = None,
        gaps: Mapping[str, Any] | None = None,
    ):
        super().__init__()
        self.pattern, self.total, self.seed = pattern, total, seed
        self.counts: dict[Split, tuple[int, int]] = {
            "train": (traces, steps),
            "val": (val_traces, eval_steps),
            "test": (test_traces, eval_steps),
        }
        if min_steps is not None and not 1 <= min_steps <= steps:
            raise ValueError(f"data.min_steps must be in [1, data.steps = {steps}], but is {min_steps}.")
        self.min_steps, self.gaps = min_steps, Gaps(**(gaps or {}))
        self.window, self.batch_size = window, batch_size
        self.drawn: dict[Split, list[Trace]] = {}

    def traces(self, split: Split) -> list[Trace]:
        """Return the traces of a split; they are drawn once, from a seed of their own."""
        if split not in self.drawn:
            n, steps = self.counts[split]
            key = [self.seed, SPLITS.index(split)]
            drawn = self.pattern.draw(split, n, steps, np.random.default_rng(key))
            if split == "train" and self.min_steps is not None:
                rng = np.random.default_rng([*key, 1])  # of its own: what is drawn does not depend on how it is cut
                drawn = [trace.until(int(rng.integers(self.min_steps, steps, endpoint=True))) for trace in drawn]
            if self.gaps.share:
                rng = np.random.default_rng([*key, 2])
                drawn = [self.gaps.hide(trace, rng) for trace in drawn]
            self.drawn[split] = drawn
        return self.drawn[split]

    def train_dataloader(self) -> TraceLoader:
        """Windows, in the order of (seed, epoch)."""
        return TraceLoader(TraceSet(self.traces("train")), self.batch_size, self.window, self.seed, self.total)

    def val_dataloader(self) -> TraceLoader:
        """All validation traces whole, as one batch."""
        return self._whole("val")

    def test_dataloader(self) -> TraceLoader:
        """All test traces whole, as one batch."""
        return self._whole("test")

    def _whole(self, split: Split) -> TraceLoader:
        traces = TraceSet(self.traces(split))
        return TraceLoader(traces, len(traces), None, self.seed, total=1)
