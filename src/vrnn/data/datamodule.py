"""The LightningDataModule: training, validation and test traces of one pattern, from separate seeds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from pytorch_lightning import LightningDataModule
from typing_extensions import override

from vrnn.checks import require
from vrnn.data.gaps import Gaps
from vrnn.data.loader import TraceLoader, TraceSet
from vrnn.patterns.trace import Pattern, Split, Trace

SPLITS: tuple[Split, ...] = ("train", "val", "test")


class TraceDataModule(LightningDataModule):
    """Draws the traces of a pattern and serves them in batches.

    The numbers of traces and steps are upper limits: a pattern with less data serves what it has.

    Args:
        pattern: Where the traces come from.
        batches: The number of training batches to serve.
        seed: The whole data set is a function of it.
        traces: The number of training traces.
        steps: The number of points in each training trace.
        window: Steps per window of truncated backpropagation through time. None: whole traces.
        batch_size: Traces per batch.
        val_traces: The number of validation traces.
        test_traces: The number of test traces.
        eval_steps: The number of points in each validation or test trace.
        min_steps: If given, each training trace is cut to a length drawn uniformly from [min_steps, steps]. Validation and
            test traces stay whole, so that the scores of different runs are comparable.
        gaps: Arguments of `Gaps`, which hides points in every split: a model is evaluated under the conditions of its
            training, and the hidden points remain available to score what it fills in.

    Raises:
        ValueError: `min_steps` is not in [1, steps], or `gaps` are out of their range.
    """

    def __init__(
        self,
        pattern: Pattern,
        batches: int,
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
        self.pattern, self.batches, self.seed = pattern, batches, seed
        self.counts: dict[Split, tuple[int, int]] = {
            "train": (traces, steps),
            "val": (val_traces, eval_steps),
            "test": (test_traces, eval_steps),
        }
        if min_steps is not None:
            require(1 <= min_steps <= steps, "data.min_steps", f"in [1, data.steps = {steps}]", min_steps)
        self.min_steps, self.gaps = min_steps, Gaps(**(gaps or {}))
        self.window, self.batch_size = window, batch_size
        self.drawn: dict[Split, list[Trace]] = {}

    def traces(self, split: Split) -> list[Trace]:
        """Return the traces of a split. They are drawn at the first call, from a seed of their own."""
        if split not in self.drawn:
            n, steps = self.counts[split]
            key = [self.seed, SPLITS.index(split)]
            drawn = self.pattern.draw(split, n, steps, np.random.default_rng(key))
            if split == "train" and self.min_steps is not None:
                # A generator of its own, so that the points do not depend on where traces are cut.
                rng = np.random.default_rng([*key, 1])
                drawn = [trace.until(int(rng.integers(self.min_steps, steps, endpoint=True))) for trace in drawn]
            if self.gaps.share:
                rng = np.random.default_rng([*key, 2])
                drawn = [self.gaps.hide(trace, rng) for trace in drawn]
            self.drawn[split] = drawn
        return self.drawn[split]

    @override
    def train_dataloader(self) -> TraceLoader:
        """Return a loader of windows of the training traces, in an order that depends on the seed and the epoch."""
        return TraceLoader(TraceSet(self.traces("train")), self.batch_size, self.window, self.seed, self.batches)

    @override
    def val_dataloader(self) -> TraceLoader:
        """Return a loader of all validation traces, whole, as one batch."""
        return self._one_batch("val")

    @override
    def test_dataloader(self) -> TraceLoader:
        """Return a loader of all test traces, whole, as one batch."""
        return self._one_batch("test")

    def _one_batch(self, split: Split) -> TraceLoader:
        """Return a loader of all traces of a split, whole, as one batch."""
        traces = TraceSet(self.traces(split))
        return TraceLoader(traces, len(traces), None, self.seed, batches=1)
