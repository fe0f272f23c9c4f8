"""Several patterns side by side: each trace is of one class, and has its label."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from typing_extensions import override

from vrnn.checks import require
from vrnn.patterns.pen import AutomatonPattern
from vrnn.patterns.trace import Pattern, Split, Trace
from vrnn.patterns.units import Units


class ClassesPattern(Pattern):
    """Traces of several automata, as many of each: a trace's label says which one drew it.

    Args:
        classes: The patterns by label.

    Attributes:
        units: Hold the labels.
        names: The names of all states, as in circle.circle: label, then the automaton's own name.

    Raises:
        ValueError: Fewer than two classes.
    """

    def __init__(self, classes: Mapping[str, AutomatonPattern]) -> None:
        require(len(classes) > 1, "dataset.classes", "two patterns or more", list(classes), "use one pattern by itself")
        self.classes = dict(classes)
        self.units = Units(labels=tuple(self.classes))
        self.names = tuple(f"{label}.{name}" for label, pattern in self.classes.items() for name in pattern.names)

    @override
    def draw(self, split: Split, n: int, steps: int, rng: np.random.Generator) -> list[Trace]:
        """Return n traces, the classes in turn."""
        counts = [len(range(label, n, len(self.classes))) for label in range(len(self.classes))]
        drawn, states = [], 0
        for label, (pattern, count) in enumerate(zip(self.classes.values(), counts, strict=True)):
            traces = pattern.draw(split, count, steps, rng) if count else []
            drawn.append([replace(trace, state=trace.state + states, label=label) for trace in traces])
            states += len(pattern.names)
        return [drawn[i % len(drawn)][i // len(drawn)] for i in range(n)]
