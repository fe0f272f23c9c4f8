"""Patterns of which only recordings are known, in files."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np
from typing_extensions import override

from vrnn.patterns.files.read import shortened
from vrnn.patterns.trace import Pattern, Split, Trace

logger = logging.getLogger(__name__)

Given = TypeVar("Given")
Source = TypeVar("Source")


class RecordedPattern(Pattern):
    """Recordings, of which random windows are drawn. The process behind them is unknown: state and lap are -1 throughout.

    Attributes:
        sources: What each split is drawn from: whole traces.
    """

    automaton = None
    sources: Mapping[Split, Sequence[Trace]]

    @override
    def draw(self, split: Split, n: int, steps: int | None, rng: np.random.Generator) -> list[Trace]:
        """Return traces of up to `steps` points, the recordings in turn: random windows of them.

        A recording with no more than `steps` points, or with `steps` None, is given whole and only once. For training n is
        raised to the number of recordings, so that each is seen; of the other splits with more than n, n are chosen at random.
        """
        chosen, n = choose(self.sources[split], split, n, steps, rng)
        traces = []
        for i in range(n):
            source = chosen[i % len(chosen)]
            if steps is not None and steps < len(source.points):
                traces.append(random_window(source, steps, rng))
            elif i < len(chosen):
                traces.append(replace(source, points=source.points.copy()))
        return traces


def random_window(trace: Trace, steps: int, rng: np.random.Generator) -> Trace:
    """Return so many successive steps of a trace, an observed one among them, or all of it where it has no more."""
    if steps >= len(trace.points):
        return trace
    start = int(rng.integers(len(trace.points) - steps + 1))
    if not trace.observed[start : start + steps].any():
        counts = np.concatenate([[0], trace.observed.cumsum()])
        begins = np.flatnonzero(counts[steps:] > counts[:-steps])
        start = int(begins[rng.integers(len(begins))]) if len(begins) else start
    return trace.cut(slice(start, start + steps))


def choose(
    sources: Sequence[Source], split: Split, n: int, steps: int | None, rng: np.random.Generator
) -> tuple[Sequence[Source], int]:
    """Return the sources of n traces of a split, and n, which is raised for training so that each source is seen.

    Raises:
        ValueError: n or steps below 1.
    """
    if n < 1 or (steps is not None and steps < 1):
        raise ValueError(f"expected n >= 1 traces of steps >= 1 points, got n={n}, steps={steps}")
    if split == "train":
        return sources, max(n, len(sources))
    if n < len(sources):
        return [sources[i] for i in rng.permutation(len(sources))[:n]], n
    return sources, n


def prepare_usable(given: Mapping[str, Given], prepare: Callable[[str, Given], Source]) -> list[Source]:
    """Prepare recordings, and leave those out with a warning that are refused by a ValueError.

    Raises:
        ValueError: All are refused.
    """
    sources, faults = [], []
    for name, recording in given.items():
        try:
            sources.append(prepare(name, recording))
        except ValueError as error:
            faults.append(error)
    if not sources:
        raise faults[0]
    if faults:
        logger.warning("Left out %d of %d recordings: %s", len(faults), len(given), shortened(map(str, faults)))
    return sources
