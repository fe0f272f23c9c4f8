"""What a pen leaves behind, together with the truth about how it was drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

Split = Literal["train", "val", "test"]

# What the numbers of a step are: a pen's place (x, y), its move (pen, dx, dy), or a row of an image's pixels.
SequenceKind = Literal["plane", "strokes", "image"]


@dataclass(frozen=True)
class Trace:
    """One sequence of T steps, in the first place a pen's trace.

    points: (T, x_dim) float64, at equal time steps: in the plane the pen's positions; else see `SequenceKind`.
    state: (T,) int, the automaton's state at each step (an index into the pattern's `names`), or -1 where nobody knows.
    lap: (T,) int, the lap each step belongs to, counted from 0 over the whole trace, or -1 where nobody knows.
    observed: (T,) bool, False where the point is hidden from the model; the point itself stays for evaluation to compare
        with. Default: all True.
    """

    points: NDArray[np.float64]
    state: NDArray[np.int64]
    lap: NDArray[np.int64]
    observed: NDArray[np.bool_] = None  # type: ignore[assignment]  # its default needs the length

    def __post_init__(self) -> None:
        if self.observed is None:
            object.__setattr__(self, "observed", np.ones(len(self.points), dtype=bool))

    @classmethod
    def of_unknown_origin(cls, points: NDArray[np.float64]) -> Trace:
        """Return points about which nobody knows more."""
        unknown = np.full(len(points), -1, dtype=np.int64)
        return cls(points, unknown, unknown.copy())

    def until(self, steps: int) -> Trace:
        """Return the first `steps` steps."""
        return replace(self, **{name: part[:steps] for name, part in vars(self).items()})


class Pattern(Protocol):
    """Anything that can be asked for sequences: an automaton drawn by a hand, drawings, handwriting, images.

    Derive a pattern of your own from it, or give it the same attributes; the class itself must have them.

    x_dim: how many numbers a step has. form: what they are, which decides how they are drawn and written to files.
    names: what the states of its traces are called; () where nobody knows them.
    """

    x_dim: int = 2
    form: SequenceKind = "plane"
    names: Sequence[str] = ()

    def draw(self, split: Split, n: int, steps: int, rng: np.random.Generator) -> list[Trace]:
        """Return up to n traces of up to `steps` points; the same generator state gives the same traces."""
        ...
