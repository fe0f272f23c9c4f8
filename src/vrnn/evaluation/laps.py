"""The judge: names the laps that a trace consists of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from vrnn.evaluation.twins import find_twins, tell_apart
from vrnn.patterns import Automaton, AutomatonPattern, Trace
from vrnn.patterns.automaton import PIECE_SEGMENTS
from vrnn.patterns.cuts import SAMPLES, approach, find_cuts, resample, rms

Points = NDArray[np.float64]

INVALID, UNFINISHED = -1, -2
NEAR = 4  # steps between a cut and the true boundary that are tolerated; the pen's noise causes one or two
FEWEST_LAPS = 20  # of each piece, to calibrate a judge


@dataclass(frozen=True)
class Lap:
    """A stretch of a trace between two cuts.

    Attributes:
        piece: Index into `Automaton.pieces`. INVALID: no piece has this shape and duration. UNFINISHED: the trace ends before
            the lap does, so that its piece is unknown.
        label: The piece's label, "invalid" or "unfinished".
        state: The automaton's state; -1 where there is none.
        laps: How much of a lap it counts in a visit, see `Piece.laps`.
        start: Time of its beginning, in steps with fractions.
        end: Time of its end.
        certain: False where states share the lap's curve and nothing tells which of them it is, see `twins.tell_apart`.
    """

    piece: int
    label: str
    state: int
    laps: float
    start: float
    end: float
    certain: bool = True


@dataclass(frozen=True)
class LapJudge:
    """Cuts a trace where it passes the cut points and names each lap after the template with the nearest shape.

    All thresholds are measured on true traces (`calibrate`), never on a model's. A lap is invalid if its RMS distance to the
    nearest template is above that template's limit, or its duration is outside that template's range. Neighbouring invalid
    laps are joined to one invalid stretch. A pen that never returns to a cut point, stops, leaves the region or becomes NaN
    makes an invalid stretch as well. So does a trace that does not begin at a cut point, as all true traces do, until it
    reaches one.

    Which laps count: the lap that is cut off by the trace's end is longer than laps are on average. To count all complete laps
    would therefore favour the shorter curve. Instead a lap counts if it *starts* before `lap_horizon(steps)`, the trace's end
    minus the longest valid duration. Every lap that counts is then complete, and the number of laps that count is a stopping
    time (whether lap n counts is known when it starts, before its curve is chosen), for which Wald's identity holds: E[laps of
    a kind] = P(kind) E[laps]. A lap that starts before the horizon and does not end in time is invalid.

    Which visits count: a visit counts if it starts before `visit_horizon(steps)`, which leaves time for the longest correct
    visit and the first lap of the next one. The number of its laps and its successor are then always observed.

    Attributes:
        automaton: The truth.
        templates: (P, SAMPLES, 2), the mean shape of each piece's true laps.
        rms_limit: (P,), the largest valid RMS distance from each template, in the units of the points.
        shortest: (P,), the shortest valid duration of each piece, in steps.
        longest: (P,), the longest one.
        radius: Distance from a cut point within which the pen passes it, in the units of the points.
        gap: Steps below which two passages of one cut point count as one.
        mean_duration: Mean duration of a true piece, in steps. An invalid stretch counts as the number of pieces that fit in.
        twins: (n,), the first state with the same curve as each state, see `find_twins`.
    """

    automaton: Automaton
    templates: Points
    rms_limit: Points
    shortest: Points
    longest: Points
    radius: float
    gap: float
    mean_duration: float
    twins: NDArray[np.int64]

    @classmethod
    def calibrate(cls, pattern: AutomatonPattern, steps: int = 2048, seed: int = 0, traces: int = 48) -> LapJudge:
        """Measure a judge's thresholds on true traces.

        The radius is 1.5 times the largest distance of a true lap boundary from its cut point, and the gap half the shortest
        time between two true boundaries at one cut point. The RMS limit is 1.25 times the 99.9 % quantile of a piece's true
        laps. Valid durations are from the 0.1 % quantile / 1.1 to the 99.9 % quantile * 1.1.

        Args:
            pattern: Draws the true traces.
            steps: Points per trace.
            seed: Of the traces. They differ from the training traces of the same seed.
            traces: The number of traces.

        Raises:
            ValueError: Fewer than 20 laps of some piece are drawn, or less than 99 % of the true laps are found by the cuts:
                a curve passes its own start in the middle of a lap, or the pen's noise is too large.
        """
        automaton = pattern.automaton
        twins = find_twins(automaton)
        # A key of its own: [seed, 0] are the training traces.
        rng = np.random.default_rng([seed, *b"judge"])
        true = pattern.draw("train", traces, steps, rng)
        radius, gap = _measure_passages(automaton, true)
        shapes, durations, pieces = _true_laps(automaton, true, radius, gap)
        count = len(automaton.pieces)
        templates, limit = np.zeros((count, SAMPLES, 2)), np.zeros(count)
        shortest, longest = np.zeros(count), np.zeros(count)
        for i, piece in enumerate(automaton.pieces):
            own = pieces == i
            if own.sum() < FEWEST_LAPS:
                raise ValueError(
                    f"LapJudge.calibrate must find at least {FEWEST_LAPS} laps of {piece.label!r} in {traces} traces of "
                    f"{steps} steps, but finds {own.sum()}: let dataset.automaton visit it more often, or raise "
                    "dataset.pen.speed."
                )
            templates[i] = shapes[own].mean(axis=0)
            limit[i] = 1.25 * np.quantile(rms(shapes[own], templates[i][None]), 0.999)
            shortest[i], longest[i] = np.quantile(durations[own], [0.001, 0.999]) * [1 / 1.1, 1.1]
        return cls(automaton, templates, limit, shortest, longest, radius, gap, float(durations.mean()), twins)

    def judge(self, points: Points) -> list[Lap]:
        """Return the laps of a trace.

        Args:
            points: (T, 2), the trace; it may contain NaN and infinite values.

        Returns:
            The stretches of the trace, in order and without holes, up to time T - 1.

        Raises:
            ValueError: The points do not have the shape (T, 2).
        """
        points = np.asarray(points, dtype=float)
        if points.ndim != 2 or points.shape[1] != 2:
            raise ValueError(f"points must have the shape (T, 2), but have {points.shape}.")
        broken = ~np.isfinite(points).all(axis=1)
        finite = np.clip(points[: np.argmax(broken)] if broken.any() else points, -1e6, 1e6)
        cuts, begins = find_cuts(finite, self.automaton.cut_points, self.radius, self.gap)
        laps = [] if begins or not len(cuts) else [self._lap(INVALID, 0.0, cuts[0])]
        laps += self._name_laps(finite, cuts)
        last, end = cuts[-1] if len(cuts) else 0.0, len(points) - 1.0
        if last < end:
            is_invalid = bool(broken.any()) or end - last > self.longest.max()
            laps.append(self._lap(INVALID if is_invalid else UNFINISHED, last, end))
        return self._tell_apart(_merge_invalid(laps))

    def _tell_apart(self, laps: list[Lap]) -> list[Lap]:
        """Return the laps with the states that the visits before them tell."""
        if len(np.unique(self.twins)) == len(self.twins):
            return laps
        states, certain = tell_apart(np.array([lap.state for lap in laps], dtype=int), self.automaton, self.twins)
        return [
            lap if lap.piece < 0 else replace(self._lap(int(state), lap.start, lap.end), certain=bool(sure))
            for lap, state, sure in zip(laps, states, certain, strict=True)  # each state with a twin is one piece
        ]

    def lap_horizon(self, steps: int) -> float:
        """Return the time before which a lap must start to count, in a trace of `steps` points."""
        return steps - 1.0 - float(self.longest.max())

    def visit_horizon(self, steps: int) -> float:
        """Return the time before which a visit must start to count, in a trace of `steps` points."""
        rows = range(len(self.automaton.names))
        routes = [self.automaton.visit(i, int(j)) for i in rows for j in np.flatnonzero(self.automaton.matrix[i])]
        return self.lap_horizon(steps) - max(float(self.longest[route].sum()) for route in routes)

    def _name_laps(self, points: Points, cuts: Points) -> list[Lap]:
        """Return the laps between neighbouring cuts."""
        if len(cuts) < 2:
            return []
        distance = rms(np.stack([resample(points, a, b) for a, b in pairwise(cuts)]), self.templates)
        nearest, duration = distance.argmin(axis=1), np.diff(cuts)
        valid = distance.min(axis=1) <= self.rms_limit[nearest]
        valid &= (self.shortest[nearest] <= duration) & (duration <= self.longest[nearest])
        named = np.where(valid, nearest, INVALID)
        return [self._lap(int(piece), a, b) for piece, (a, b) in zip(named, pairwise(cuts), strict=True)]

    def _lap(self, piece: int, start: float, end: float) -> Lap:
        if piece < 0:
            return Lap(piece, "invalid" if piece == INVALID else "unfinished", -1, 0.0, float(start), float(end))
        true = self.automaton.pieces[piece]
        return Lap(piece, true.label, true.state, true.laps, float(start), float(end))


def judge_the_judge(
    judge: LapJudge, pattern: AutomatonPattern, steps: int, seed: int, traces: int = 48
) -> dict[str, float]:
    """Judge new true traces and compare the result with the truth.

    Args:
        judge: The judge.
        pattern: Draws the true traces.
        steps: Points per trace.
        seed: Of the traces.
        traces: The number of traces.

    Returns:
        The scores by name:

        - laps: The number of laps that count.
        - invalid_fraction: The share of them that is invalid.
        - label_errors: The share of the valid ones that are not, for more than half of their steps, one true lap of the state
          that they are named after.
    """
    valid = invalid = wrong = 0
    for trace in pattern.draw("test", traces, steps, np.random.default_rng(seed)):
        horizon = judge.lap_horizon(steps)
        for lap in judge.judge(trace.points):
            if lap.start >= horizon or lap.piece == UNFINISHED:
                continue
            valid += lap.piece >= 0
            invalid += lap.piece == INVALID
            own = trace.lap[round(lap.start) : round(lap.end) + 1]
            middle = round(0.5 * (lap.start + lap.end))
            one = (own == trace.lap[middle]).mean() > 0.5
            wrong += lap.piece >= 0 and not (one and trace.state[middle] == lap.state)
    laps = valid + invalid
    return {"laps": laps, "invalid_fraction": invalid / max(laps, 1), "label_errors": wrong / max(valid, 1)}


def _merge_invalid(laps: Sequence[Lap]) -> list[Lap]:
    """Join neighbouring invalid laps to one stretch."""
    merged: list[Lap] = []
    for lap in laps:
        if merged and lap.piece == merged[-1].piece == INVALID:
            merged[-1] = replace(merged[-1], end=lap.end)
        else:
            merged.append(lap)
    return merged


def lap_begins(trace: Trace) -> NDArray[np.int64]:
    """Return the first step of every lap, (n,), the trace's first lap included; none where laps are unknown."""
    return np.flatnonzero(np.diff(trace.lap, prepend=-1))


def _measure_passages(automaton: Automaton, traces: list[Trace]) -> tuple[float, float]:
    """Return the judge's radius and gap, measured at the true lap boundaries."""
    farthest, shortest = 0.0, np.inf
    for trace in traces:
        begins = lap_begins(trace)
        inner = begins[(begins >= NEAR) & (begins + NEAR < len(trace.points))]
        for target in automaton.cut_points:
            at_target = np.linalg.norm(automaton.starts - target, axis=1) < 1e-3 * automaton.size
            distance, _ = approach(trace.points, target)
            here = inner[at_target[trace.state[inner]]]
            if len(here):
                farthest = max(farthest, *(distance[b - NEAR : b + NEAR].min() for b in here))
                shortest = min(shortest, *np.diff(here), np.inf)
    return 1.5 * float(farthest), 0.5 * float(shortest)


def _true_laps(
    automaton: Automaton, traces: list[Trace], radius: float, gap: float
) -> tuple[Points, Points, NDArray[np.int64]]:
    """Cut true traces and return shapes (n, SAMPLES, 2), durations (n,) in steps and pieces (n,) of the laps that are found."""
    even = np.linspace(0, PIECE_SEGMENTS, SAMPLES).round().astype(int)
    nominal = np.stack([piece.points[even] for piece in automaton.pieces])
    states = np.array([piece.state for piece in automaton.pieces])
    shapes, durations, owners, expected = [], [], [], 0
    for trace in traces:
        begins = lap_begins(trace)
        expected += len(begins) - 1
        cuts, _ = find_cuts(trace.points, automaton.cut_points, radius, gap)
        for a, b in pairwise(cuts):
            lap = int(np.argmin(np.abs(begins - a)))
            if lap + 1 < len(begins) and max(abs(begins[lap] - a), abs(begins[lap + 1] - b)) <= NEAR:
                shapes.append(resample(trace.points, a, b))
                durations.append(b - a)
                owners.append(trace.state[begins[lap]])
    if not shapes or len(shapes) < 0.99 * expected:
        raise ValueError(
            f"LapJudge.calibrate must find 99 % of the true laps, but finds {len(shapes)} of {expected}: start the curves at "
            "points that they pass once per lap, reduce the noise of dataset.pen, or raise dataset.pen.speed."
        )
    distance = rms(np.stack(shapes), nominal)
    distance[states != np.array(owners)[:, None]] = np.inf
    return np.stack(shapes), np.array(durations), distance.argmin(axis=1)
