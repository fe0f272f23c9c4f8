"""The LightningDataModule: train, validation and test traces of one pattern, from separate seeds."""

from __future__ import annotations

import numpy as np
from pytorch_lightning import LightningDataModule

from vrnn.data.windows import TraceLoader, TraceSet
from vrnn.patterns.trace import Pattern, Split, Trace

SPLITS: tuple[Split, ...] = ("train", "val", "test")


class TraceDataModule(LightningDataModule):
    """Draws the traces of a pattern and serves them.

    traces, steps: how many training traces, and points in each. window: steps a window of truncated backpropagation through
    time (None: whole traces). batch_size: traces side by side. total: training batches to serve. val_traces, test_traces and
    eval_steps: the held-out traces. seed: the whole data set is a function of it.
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
    ):
        super().__init__()
        self.pattern, self.total, self.seed = pattern, total, seed
        self.counts: dict[Split, tuple[int, int]] = {
            "train": (traces, steps),
            "val": (val_traces, eval_steps),
            "test": (test_traces, eval_steps),
        }
        self.window, self.batch_size = window, batch_size
        self.drawn: dict[Split, list[Trace]] = {}

    def traces(self, split: Split) -> list[Trace]:
        """Return the traces of a split; they are drawn once, from a seed of their own."""
        if split not in self.drawn:
            n, steps = self.counts[split]
            rng = np.random.default_rng([self.seed, SPLITS.index(split)])
            self.drawn[split] = self.pattern.draw(split, n, steps, rng)
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
