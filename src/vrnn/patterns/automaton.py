"""The automaton behind a trace: its curves, the laps per visit, and the probabilities of what comes next."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from vrnn.checks import Points, check_choice, check_pair, check_positive, require
from vrnn.patterns.curves import Curve

KEY = "dataset.automaton"  # of its settings, in error messages

PIECE_SEGMENTS = 256  # segments of a piece's polyline; a polygon's corner is cut by less than half of one
MEETING_TOLERANCE = (
    1e-6  # largest distance between two starts that count as one point, relative to the automaton's size
)
SUM_TOLERANCE = 1e-6  # largest difference from 1 of a row's sum of probabilities


@dataclass(frozen=True)
class Piece:
    """What the pen draws between two cut points: one lap, or the last part of a visit and the line to the next state.

    Attributes:
        label: The state's name, or "from->to" for a piece that crosses to another state.
        state: Index of the state it belongs to.
        laps: How much of a lap it counts: 1 for a lap; for a piece that crosses, the rest of the visit's laps, which is less
            than 1, and 0 if the piece is the line alone.
        points: (PIECE_SEGMENTS + 1, 2), the polyline from cut point to cut point, evenly spaced by arc length.
        length: Its arc length.
    """

    label: str
    state: int
    laps: float
    points: Points
    length: float


class Automaton:
    """States, each a closed curve and a number of laps per visit, and the probabilities of what follows a visit.

    Args:
        states: name -> {"curve": Curve, "laps": number of laps per visit}.
        transitions: from -> {to: probability}, a number or a fraction such as "2/3". A transition that is not listed has
            probability 0.
        start: The state of the first visit.
        junction: The point [x, y] where all curves must start. None: where the curve of the start state starts.
        crossing: How the pen gets from one state to the next. None: all curves start at the junction, and a visit is a whole
            number of laps. "line": the curves are apart; the pen leaves its curve after `laps` laps (2.5 laps: half-way
            round) and follows a straight line to the start of the next curve.

    Attributes:
        names: The n states' names. A state's index is its place in this list.
        curves: Each state's curve.
        laps: (n,), each state's laps per visit.
        start: Index of the start state.
        matrix: (n, n), transition probabilities, from rows to columns.
        pieces: Every different piece that the pen can draw.

    Raises:
        ValueError: An entry is missing or unknown; a transition or the start is no state; a probability is outside [0, 1], or
            a row of them does not sum to 1; a state cannot be reached; laps are not > 0; a curve does not start at the
            junction, or its laps are not a whole number there. The message names the entry.
    """

    def __init__(
        self,
        states: Mapping[str, Mapping[str, Any]],
        transitions: Mapping[str, Mapping[str, float | str]],
        start: str,
        junction: Sequence[float] | None = None,
        crossing: Literal["line"] | None = None,
    ) -> None:
        require(len(states) > 0, f"{KEY}.states", "at least one state", states)
        self.crossing = check_choice(f"{KEY}.crossing", crossing, (None, "line"))
        self.names = [str(name) for name in states]
        self.curves = [_curve(name, entry) for name, entry in states.items()]
        self.laps = np.array(
            [check_positive(f"{KEY}.states.{name}.laps", entry["laps"]) for name, entry in states.items()]
        )
        self.start = self._index(f"{KEY}.start", start)
        self.matrix = self._read_matrix(transitions)
        self._check_reachable()
        self._check_meeting(junction)
        self._lap_pieces, self._crossings, self.pieces = self._compile()

    @property
    def starts(self) -> Points:
        """(n, 2), where each state's curve starts."""
        return np.stack([curve.start for curve in self.curves])

    @cached_property
    def size(self) -> float:
        """The larger side of the box around all curves."""
        cloud = np.concatenate([curve.at(np.linspace(0.0, curve.length, 200)) for curve in self.curves])
        return float(np.ptp(cloud, axis=0).max())

    @cached_property
    def cut_points(self) -> Points:
        """(c, 2), the different starts. Every piece begins and ends at one of them."""
        found: list[Points] = []
        for point in self.starts:
            if all(np.linalg.norm(point - other) > MEETING_TOLERANCE * self.size for other in found):
                found.append(point)
        return np.stack(found)

    @cached_property
    def stationary(self) -> NDArray[np.float64]:
        """(n,), each state's long-run share of the visits, for a walk that begins with the start state.

        With P the transition matrix, it is the limit of ((I + P) / 2)^k, computed by repeated squaring. This lazy chain has
        the same long-run shares as P and no periods, so that the limit exists.
        """
        lazy = 0.5 * (np.eye(len(self.names)) + self.matrix)
        for _ in range(60):
            lazy = lazy @ lazy
            lazy /= lazy.sum(axis=1, keepdims=True)
        shares: NDArray[np.float64] = lazy[self.start]
        return shares

    @property
    def pattern_fractions(self) -> NDArray[np.float64]:
        """(n,), each state's long-run share of the laps: its share of the visits times its laps per visit, normalised."""
        laps = self.stationary * self.laps
        return laps / laps.sum()

    def walk(self, rng: np.random.Generator) -> Iterator[int]:
        """Yield the indices of the states visited, beginning with the start state, without end."""
        edges = np.cumsum(self.matrix, axis=1)
        # A row may sum to 1 - 1e-16: a random number above it selects the row's last possible state.
        last = [int(np.flatnonzero(row)[-1]) for row in self.matrix]
        state = self.start
        while True:
            yield state
            state = min(int(np.searchsorted(edges[state], rng.random(), side="right")), last[state])

    def piece_walk(self, rng: np.random.Generator) -> Iterator[int]:
        """Yield the pieces drawn, as indices into `pieces`, without end."""
        visits = self.walk(rng)
        state = next(visits)
        for following in visits:
            yield from self.visit(state, following)
            state = following

    def visit(self, state: int, following: int) -> list[int]:
        """Return the pieces of a visit to `state` that is followed by a visit to `following`, as indices into `pieces`."""
        laps = [self._lap_pieces[state] for _ in range(int(self.laps[state]))]
        crossing = self._crossings.get((state, following))
        return laps if crossing is None else [*laps, crossing]

    def _index(self, key: str, name: object) -> int:
        return self.names.index(check_choice(key, str(name), self.names))

    def _read_matrix(self, transitions: Mapping[str, Mapping[str, float | str]]) -> NDArray[np.float64]:
        matrix = np.zeros((len(self.names), len(self.names)))
        for source, row in transitions.items():
            i = self._index(f"the name of {KEY}.transitions.{source}", source)
            require(isinstance(row, Mapping), f"{KEY}.transitions.{source}", "{state: probability, …}", row)
            for target, value in row.items():
                key = f"{KEY}.transitions.{source}.{target}"
                matrix[i, self._index(f"the name of {key}", target)] = _probability(key, value)
        for name, total in zip(self.names, matrix.sum(axis=1).tolist(), strict=True):
            ok = abs(total - 1.0) <= SUM_TOLERANCE
            require(ok, f"the sum of {KEY}.transitions.{name}", "1", total, "change the probabilities")
        return matrix / matrix.sum(axis=1, keepdims=True)

    def _check_reachable(self) -> None:
        reached, border = {self.start}, [self.start]
        while border:
            new = set(np.flatnonzero(self.matrix[border.pop()]).tolist()) - reached
            reached |= new
            border.extend(new)
        for i, name in enumerate(self.names):
            if i not in reached:
                raise ValueError(
                    f"{KEY}.states.{name} must be reachable from the start state {self.names[self.start]}, but no transitions "
                    "lead to it: add a transition to it, or remove it."
                )

    def _check_meeting(self, junction: Sequence[float] | None) -> None:
        if self.crossing:
            require(junction is None, f"{KEY}.junction", "null with crossing: line", junction, "remove one of them")
            return
        for name, laps in zip(self.names, self.laps, strict=True):
            fix = "only then does a visit end at the junction; for others set crossing: line"
            require(laps == int(laps), f"{KEY}.states.{name}.laps", "a whole number", float(laps), fix)
        point = self.curves[self.start].start if junction is None else check_pair(f"{KEY}.junction", junction)
        for name, begin in zip(self.names, self.starts, strict=True):
            if np.linalg.norm(begin - point) > MEETING_TOLERANCE * self.size:
                raise ValueError(
                    f"{KEY}.states.{name}.curve must start at the junction {np.round(point, 6).tolist()}, but starts at "
                    f"{np.round(begin, 6).tolist()}: move it, or set crossing: line."
                )

    def _compile(self) -> tuple[dict[int, int], dict[tuple[int, int], int], list[Piece]]:
        """Cut every possible visit into pieces.

        Returns:
            The piece of each state's lap: {state: piece}; the piece that crosses between two states: {(from, to): piece}; and
            the list of different pieces that these numbers are indices of.
        """
        pieces: list[Piece] = []
        lap_pieces: dict[int, int] = {}
        crossings: dict[tuple[int, int], int] = {}
        for i, (name, curve) in enumerate(zip(self.names, self.curves, strict=True)):
            if self.laps[i] >= 1.0:
                lap_pieces[i] = len(pieces)
                pieces.append(_piece(name, i, 1.0, curve.at(np.linspace(0.0, curve.length, 4096))))
            for j in np.flatnonzero(self.matrix[i]) if self.crossing else ():
                rest = float(self.laps[i] % 1.0)
                path = curve.at(np.linspace(0.0, rest * curve.length, 4096 if rest else 1))
                gap = np.linalg.norm(self.starts[j] - path[-1])
                if rest or gap > MEETING_TOLERANCE * self.size:
                    crossings[i, int(j)] = len(pieces)
                    path = np.concatenate([path, self.starts[j][None]])
                    pieces.append(_piece(f"{name}->{self.names[j]}", i, rest, path))
        return lap_pieces, crossings, pieces


def _piece(label: str, state: int, laps: float, path: Points) -> Piece:
    """Return a piece whose points are those of a path (k, 2), evenly spaced by arc length."""
    arc = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(path, axis=0), axis=1))])
    even = np.linspace(0.0, arc[-1], PIECE_SEGMENTS + 1)
    points = np.stack([np.interp(even, arc, path[:, axis]) for axis in (0, 1)], axis=1)
    return Piece(label, state, laps, points, float(arc[-1]))


def _curve(name: object, entry: Mapping[str, Any]) -> Curve:
    """Return a state's curve, after a check of the state's entries."""
    key = f"{KEY}.states.{name}"
    ok = isinstance(entry, Mapping) and set(entry) == {"curve", "laps"}
    found = list(entry) if isinstance(entry, Mapping) else entry
    require(ok, key, "a mapping with the entries ['curve', 'laps']", found)
    require(isinstance(entry["curve"], Curve), f"{key}.curve", "a Curve", entry["curve"])
    curve: Curve = entry["curve"]
    return curve


def _probability(key: str, value: float | str) -> float:
    """Return a probability that is given as a number or as text such as "2/3"."""
    try:
        probability = float(Fraction(value))
    except (ValueError, TypeError, ZeroDivisionError, OverflowError):
        probability = math.nan
    require(0.0 <= probability <= 1.0 and not isinstance(value, bool), key, "a probability such as 0.25 or 2/3", value)
    return probability
