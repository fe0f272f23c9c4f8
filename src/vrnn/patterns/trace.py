"""A sequence with the truth about how it was drawn, and the interface of everything that draws sequences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from vrnn.patterns.units import Units

Split = Literal["train", "val", "test"]

# What the numbers of a step are. plane: a position (x, y); strokes: a move (pen, dx, dy), see `vrnn.patterns.strokes`;
# image: one row of pixels, each from 0 (white) to 1 (black); series: one number of each channel; piano_roll: 1 for each of 88
# keys that is down.
SequenceKind = Literal["plane", "strokes", "image", "series", "piano_roll"]


@dataclass(frozen=True)
class Trace:
    """One sequence of T steps, such as the positions of a pen at equal intervals of time.

    Attributes:
        points: (T, x_dim) float64, the numbers of each step; `SequenceKind` says what they are.
        state: (T,) int, the automaton's state at each step, an index into the pattern's `names`; -1 where it is unknown.
        lap: (T,) int, the lap that each step belongs to, counted from 0 over the whole trace; -1 where it is unknown.
        observed: (T,) bool, False where the point is hidden from the model. The point itself stays in `points`, so that an
            evaluation can compare with it. Default: all True.
        label: The trace's class, an index into the pattern's `units.labels`; -1 where traces have no classes.
        exogenous: (T, c), numbers of each step that the sequence depends on, such as a temperature that is given; a model with
            condition=series is given them. None where there are none.
    """

    points: NDArray[np.float64]
    state: NDArray[np.int64]
    lap: NDArray[np.int64]
    observed: NDArray[np.bool_] = None  # type: ignore[assignment]  # its default needs the length
    label: int = -1
    exogenous: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        if self.observed is None:
            object.__setattr__(self, "observed", np.ones(len(self.points), dtype=bool))

    @classmethod
    def of_unknown_origin(cls, points: NDArray[np.float64]) -> Trace:
        """Return a trace of points (T, x_dim) whose states and laps are unknown; a step with NaN is not observed."""
        unknown = np.full(len(points), -1, dtype=np.int64)
        return cls(points, unknown, unknown.copy(), np.asarray(np.isfinite(points).all(axis=1)))

    def cut(self, steps: slice) -> Trace:
        """Return some of the steps."""
        return replace(
            self,
            points=self.points[steps],
            state=self.state[steps],
            lap=self.lap[steps],
            observed=self.observed[steps],
            exogenous=None if self.exogenous is None else self.exogenous[steps],
        )

    def until(self, steps: int) -> Trace:
        """Return the first `steps` steps."""
        return self.cut(slice(steps))


class Pattern(Protocol):
    """A source of sequences: an automaton drawn by a pen, drawings, handwriting, images.

    Derive a pattern of your own from it, or give it the same attributes. They must be attributes of the class, since they
    are also read without an instance, where no data are needed.

    Attributes:
        x_dim: How many numbers a step has. 0, of the class: as many as `units` of the object have.
        form: What these numbers are. It decides how sequences are plotted and written to files.
        names: The names of the states in its traces; () where states are unknown.
        units: How `draw` has scaled the data's points. The default, of class and object, is not at all; a pattern that scales
            sets its own when it is made.
    """

    x_dim: int = 2
    form: SequenceKind = "plane"
    names: Sequence[str] = ()
    units: Units = Units()

    def draw(self, split: Split, n: int, steps: int, rng: np.random.Generator) -> list[Trace]:
        """Return traces of one split.

        Args:
            split: Traces of different splits must not share data, as far as the pattern's data are finite.
            n: The number of traces. A pattern with fewer of them returns those it has.
            steps: The number of points in each. A trace with fewer points is returned whole.
            rng: The source of all randomness: the same generator state gives the same traces.
        """
        ...
