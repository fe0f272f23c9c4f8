"""What a pen leaves behind, together with the truth about how it was drawn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

Split = Literal["train", "val", "test"]


@dataclass(frozen=True)
class Trace:
    """One pen trace.

    points: (T, x_dim) float64, the pen's positions at equal time steps.
    state: (T,) int, the automaton's state at each step (an index into `Automaton.names`), or -1 where nobody knows.
    lap: (T,) int, the lap each step belongs to, counted from 0 over the whole trace, or -1 where nobody knows.
    """

    points: NDArray[np.float64]
    state: NDArray[np.int64]
    lap: NDArray[np.int64]


class Pattern(Protocol):
    """Anything that can be asked for traces: an automaton drawn by a hand, or somebody's own drawings."""

    def draw(self, split: Split, n: int, steps: int, rng: np.random.Generator) -> list[Trace]:
        """Return n traces of `steps` points; the same generator state gives the same traces."""
        ...
