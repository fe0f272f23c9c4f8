"""The truth behind a trace: which curves there are, how many laps each visit takes, and what comes next."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from vrnn.checks import Points, number, pair
from vrnn.patterns.curves import Curve

PIECE_SEGMENTS = 256  # segments of a piece's polyline; a polygon's corner is cut by less than half of one
_JOINT = 1e-6  # how exactly starts must meet, relative to the pattern's size
_ROW = 1e-6  # how exactly a row's probabilities must sum to 1


@dataclass(frozen=True)
class Piece:
    """What the pen draws between two cut points: one lap, or the last part of a visit and the line to the next state.

    label: the state's name, or "from->to" for a piece that crosses over.
    state: index of the state it belongs to.
    laps: how much of a lap it counts: 1 for a lap, the remaining fraction (or 0: only the line) where it crosses over.
    points: (PIECE_SEGMENTS + 1, 2) the polyline from cut point to cut point, evenly spaced by arc length.
    length: its arc length.
    """

    label: str
    state: int
    laps: float
    points: Points
    length: float


class Automaton:
    """States (a closed curve and laps a visit), transition probabilities, and where the pen goes from one to the next.

    states: name -> {"curve": Curve, "laps": number}.
    transitions: name -> {name: probability}; a number or a fraction such as "2/3"; what is missing is 0.
    start: the state of the first visit.
    junction: the point [x, y] where all curves must start (default: where the start state's curve starts).
    crossing: None, all curves start at the junction and a visit is a whole number of laps; "line", the curves are
        apart, the pen leaves after `laps` laps (2.5: half-way round) and goes straight to the next state's start.

    Raises:
        ValueError: names what is wrong in the automaton: a missing or odd entry, an unknown state (in transitions or as
            start), a probability that is not one, a row that does not sum to 1, an unreachable state, laps <= 0, a
            curve that misses the junction (also by a fractional lap without crossing).
    """

    def __init__(
        self,
        states: Mapping[str, Mapping[str, Any]],
        transitions: Mapping[str, Mapping[str, float | str]],
        start: str,
        junction: Sequence[float] | None = None,
        crossing: Literal["line"] | None = None,
    ) -> None:
        if not states:
            raise ValueError("automaton.states: expected at least one state, got none")
        if crossing not in (None, "line"):
            raise ValueError(f"automaton.crossing: expected null or 'line', got {crossing!r}")
        self.crossing = crossing
        self.names = [str(name) for name in states]
        self.curves = [_curve(name, entry) for name, entry in states.items()]
        self.laps = np.array([_laps(name, entry) for name, entry in states.items()])
        self.start = self._index("start", start)
        self.matrix = self._read_matrix(transitions)
        self._check_reachable()
        self._check_meeting(junction)
        self._lap_pieces, self._crossings, self.pieces = self._compile()

    @property
    def starts(self) -> Points:
        """(n, 2): where each state's curve starts."""
        return np.stack([curve.start for curve in self.curves])

    @cached_property
    def size(self) -> float:
        """The larger side of the box around all curves."""
        cloud = np.concatenate([curve.at(np.linspace(0.0, curve.length, 200)) for curve in self.curves])
        return float(np.ptp(cloud, axis=0).max())

    @cached_property
    def cut_points(self) -> Points:
        """(c, 2): the different starts; every piece leads from one of them to one of them."""
        found: list[Points] = []
        for point in self.starts:
            if all(np.linalg.norm(point - other) > _JOINT * self.size for other in found):
                found.append(point)
        return np.stack(found)

    @cached_property
    def stationary(self) -> NDArray[np.float64]:
        """(n,): the long-run share of visits that each state gets, from the start state on.

        Found as the limit of ((I + P) / 2)^k by repeated squaring: the lazy chain has the same long-run shares and no
        periods.
        """
        lazy = 0.5 * (np.eye(len(self.names)) + self.matrix)
        for _ in range(60):
            lazy = lazy @ lazy
            lazy /= lazy.sum(axis=1, keepdims=True)
        shares: NDArray[np.float64] = lazy[self.start]
        return shares

    @property
    def pattern_fractions(self) -> NDArray[np.float64]:
        """(n,): the long-run share of laps that each state gets: stationary visits times laps a visit, normalised."""
        laps = self.stationary * self.laps
        return laps / laps.sum()

    def walk(self, rng: np.random.Generator) -> Iterator[int]:
        """Yield the states visited, for ever, beginning with the start state."""
        edges = np.cumsum(self.matrix, axis=1)
        last = [int(np.flatnonzero(row)[-1]) for row in self.matrix]  # where a sum of 1 - 1e-16 must not lead past
        state = self.start
        while True:
            yield state
            state = min(int(np.searchsorted(edges[state], rng.random(), side="right")), last[state])

    def piece_walk(self, rng: np.random.Generator) -> Iterator[int]:
        """Yield the pieces drawn (indices into `pieces`), for ever."""
        visits = self.walk(rng)
        state = next(visits)
        for following in visits:
            yield from self.visit(state, following)
            state = following

    def visit(self, state: int, following: int) -> list[int]:
        """Return the pieces of a visit to `state` that is followed by a visit to `following`."""
        laps = [self._lap_pieces[state] for _ in range(int(self.laps[state]))]
        crossing = self._crossings.get((state, following))
        return laps if crossing is None else [*laps, crossing]

    def _index(self, where: str, name: object) -> int:
        if name not in self.names:
            raise ValueError(f"automaton.{where}: unknown state {name!r}; the states are {', '.join(self.names)}")
        return self.names.index(str(name))

    def _read_matrix(self, transitions: Mapping[str, Mapping[str, float | str]]) -> NDArray[np.float64]:
        matrix = np.zeros((len(self.names), len(self.names)))
        for source, row in transitions.items():
            i = self._index("transitions", source)
            if not isinstance(row, Mapping):
                raise ValueError(f"automaton.transitions.{source}: expected {{state: probability, …}}, got {row!r}")
            for target, value in row.items():
                j = self._index(f"transitions.{source}", target)
                matrix[i, j] = _probability(f"automaton.transitions.{source}.{target}", value)
        for name, total in zip(self.names, matrix.sum(axis=1), strict=True):
            if abs(total - 1.0) > _ROW:
                raise ValueError(f"automaton.transitions.{name}: expected probabilities that sum to 1, got {total:.6g}")
        return matrix / matrix.sum(axis=1, keepdims=True)

    def _check_reachable(self) -> None:
        reached, border = {self.start}, [self.start]
        while border:
            fresh = set(np.flatnonzero(self.matrix[border.pop()]).tolist()) - reached
            reached |= fresh
            border.extend(fresh)
        lost = [name for i, name in enumerate(self.names) if i not in reached]
        if lost:
            raise ValueError(
                f"automaton.states.{lost[0]}: unreachable from the start state {self.names[self.start]!r}; "
                "give it a transition or remove it"
            )

    def _check_meeting(self, junction: Sequence[float] | None) -> None:
        if self.crossing:
            if junction is not None:
                raise ValueError("automaton.junction: expected none with crossing: line; remove one of them")
            return
        for name, laps in zip(self.names, self.laps, strict=True):
            if laps != int(laps):
                raise ValueError(
                    f"automaton.states.{name}.laps: {laps:g} laps end away from the junction; "
                    "expected a whole number, or crossing: line"
                )
        point = self.curves[self.start].start if junction is None else pair("automaton.junction", junction)
        for name, begin in zip(self.names, self.starts, strict=True):
            gap = float(np.linalg.norm(begin - point))
            if gap > _JOINT * self.size:
                raise ValueError(
                    f"automaton.states.{name}.curve misses the junction {np.round(point, 6).tolist()} by {gap:.3g}: "
                    f"it starts at {np.round(begin, 6).tolist()}; move it, or set crossing: line"
                )

    def _compile(self) -> tuple[dict[int, int], dict[tuple[int, int], int], list[Piece]]:
        """Cut every possible visit into pieces, each kind once."""
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
                if rest or gap > _JOINT * self.size:
                    crossings[i, int(j)] = len(pieces)
                    path = np.concatenate([path, self.starts[j][None]])
                    pieces.append(_piece(f"{name}->{self.names[j]}", i, rest, path))
        return lap_pieces, crossings, pieces


def _piece(label: str, state: int, laps: float, path: Points) -> Piece:
    """Space a path evenly."""
    arc = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(path, axis=0), axis=1))])
    even = np.linspace(0.0, arc[-1], PIECE_SEGMENTS + 1)
    points = np.stack([np.interp(even, arc, path[:, axis]) for axis in (0, 1)], axis=1)
    return Piece(label, state, laps, points, float(arc[-1]))


def _curve(name: object, entry: Mapping[str, Any]) -> Curve:
    if not isinstance(entry, Mapping) or set(entry) != {"curve", "laps"}:
        got = sorted(entry) if isinstance(entry, Mapping) else entry
        raise ValueError(f"automaton.states.{name}: expected the entries 'curve' and 'laps', got {got!r}")
    if not isinstance(entry["curve"], Curve):
        raise ValueError(f"automaton.states.{name}.curve: expected a curve, got {entry['curve']!r}")
    return entry["curve"]


def _laps(name: object, entry: Mapping[str, Any]) -> float:
    laps = number(f"automaton.states.{name}.laps", entry["laps"])
    if laps <= 0.0:
        raise ValueError(f"automaton.states.{name}.laps: expected laps > 0, got {laps:g}")
    return laps


def _probability(name: str, value: float | str) -> float:
    try:
        chance = float(Fraction(value)) if isinstance(value, str) else number(name, value)
    except (ValueError, ZeroDivisionError):
        chance = math.nan
    if not 0.0 <= chance <= 1.0:
        raise ValueError(f"{name}: expected a probability such as 0.25 or 2/3, got {value!r}")
    return chance
