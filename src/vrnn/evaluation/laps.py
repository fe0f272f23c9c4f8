"""The judge: what laps is a trace made of?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from vrnn.evaluation.cuts import SAMPLES, approach, find_cuts, resample, rms
from vrnn.patterns import Automaton, AutomatonPattern, Trace
from vrnn.patterns.automaton import PIECE_SEGMENTS

Points = NDArray[np.float64]

INVALID, UNFINISHED = -1, -2
NEAR = 4  # steps by which a cut, at the closest approach, may miss the true boundary: tremor makes one or two


@dataclass(frozen=True)
class Lap:
    """A stretch of a trace between two cuts.

    piece: index into `Automaton.pieces`; INVALID: no piece looks like it or takes as long; UNFINISHED: cut off by the
        trace's end, nobody can tell.
    label: the piece's label, "invalid" or "unfinished".
    state: the automaton's state, -1 where there is none.
    laps: how much of a lap it counts in a visit (a crossing piece less than 1).
    start, end: times in steps, with fractions.
    """

    piece: int
    label: str
    state: int
    laps: float
    start: float
    end: float


@dataclass(frozen=True)
class LapJudge:
    """Cuts a trace at the closest approaches to the cut points and names each lap after the nearest template.

    All thresholds come from true traces (`calibrate`), never from a model. A lap is invalid if its RMS distance to the
    nearest template is over that template's limit, or its duration outside that template's range. Neighbouring invalid
    laps are one invalid stretch; a pen that never comes back, stands still, runs away or turns NaN leaves one as well, and
    so does one that begins elsewhere than at a cut point, where the hand's traces all begin, until it comes to one.

    Which laps may be counted. The lap that the trace's end cuts off is long more often than a lap is in general: to
    count complete laps only biases the odds against the longer pattern. So a lap counts if it *starts* before
    `lap_horizon(steps)`, the trace's end minus the longest duration that is valid. Whatever is counted is then sure to
    be complete, and the number of laps counted is a stopping time (whether lap n counts is known when it starts, before
    it is chosen), for which Wald's identity holds: E[laps of a kind] = P(kind) E[laps]. What starts before the horizon
    and does not come back in time is invalid.

    Visits likewise: one counts if it starts before `visit_horizon(steps)`, which leaves room for the longest right
    visit and the first lap of the next one, so that its laps and where it leads to are observed whatever they are.

    automaton: the truth.
    templates: (P, SAMPLES, 2) the mean true lap of each piece.
    rms_limit: (P,) in units of the drawing.
    shortest, longest: (P,) in steps.
    radius: within it the pen passes a cut point.
    gap: steps below which two passages of one cut point are one.
    mean_duration: steps of a true piece on average; an invalid stretch counts as so many laps as it would have held.
    """

    automaton: Automaton
    templates: Points
    rms_limit: Points
    shortest: Points
    longest: Points
    radius: float
    gap: float
    mean_duration: float

    @classmethod
    def calibrate(cls, pattern: AutomatonPattern, steps: int = 2048, seed: int = 0, traces: int = 48) -> LapJudge:
        """Measure true traces of the pattern.

        radius: 1.5 times the farthest that a true lap boundary stays from its cut point. gap: half the shortest time
        between two true boundaries at one cut point. RMS limit: 1.25 times the 99.9 % quantile of the piece's true
        laps. Durations: from the 0.1 % quantile / 1.1 to the 99.9 % quantile * 1.1.

        Raises:
            ValueError: fewer than 20 laps of some piece were drawn, or less than 99 % of the true laps are found at
                their closest approaches (a curve that comes back to its own start in mid-lap, a hand too shaky).
        """
        automaton = pattern.automaton
        rng = np.random.default_rng([seed, *b"judge"])  # of its own: [seed, 0] are the training traces
        drawn = pattern.draw("train", traces, steps, rng)
        radius, gap = _passage(automaton, drawn)
        shapes, durations, pieces = _true_laps(automaton, drawn, radius, gap)
        count = len(automaton.pieces)
        templates, limit = np.zeros((count, SAMPLES, 2)), np.zeros(count)
        shortest, longest = np.zeros(count), np.zeros(count)
        for i, piece in enumerate(automaton.pieces):
            own = pieces == i
            if own.sum() < 20:
                raise ValueError(
                    f"LapJudge.calibrate: expected 20 or more laps of {piece.label!r} in {traces} traces of {steps} "
                    f"steps, got {own.sum()}; draw more or longer traces"
                )
            templates[i] = shapes[own].mean(axis=0)
            limit[i] = 1.25 * np.quantile(rms(shapes[own], templates[i][None]), 0.999)
            shortest[i], longest[i] = np.quantile(durations[own], [0.001, 0.999]) * [1 / 1.1, 1.1]
        return cls(automaton, templates, limit, shortest, longest, radius, gap, float(durations.mean()))

    def judge(self, points: Points) -> list[Lap]:
        """Return the stretches a trace (T, 2) is made of, in order and without holes, up to T - 1.

        Raises:
            ValueError: points are not (T, 2).
        """
        points = np.asarray(points, dtype=float)
        if points.ndim != 2 or points.shape[1] != 2:
            raise ValueError(f"LapJudge.judge: expected points of shape (T, 2), got {points.shape}")
        broken = ~np.isfinite(points).all(axis=1)
        sound = np.clip(points[: np.argmax(broken)] if broken.any() else points, -1e6, 1e6)
        cuts, begins = find_cuts(sound, self.automaton.cut_points, self.radius, self.gap)
        laps = [] if begins or not len(cuts) else [self._lap(INVALID, 0.0, cuts[0])]
        laps += self._name(sound, cuts)
        last, end = cuts[-1] if len(cuts) else 0.0, len(points) - 1.0
        if last < end:
            lost = bool(broken.any()) or end - last > self.longest.max()  # no lap takes that long
            laps.append(self._lap(INVALID if lost else UNFINISHED, last, end))
        return _merge_invalid(laps)

    def lap_horizon(self, steps: int) -> float:
        """Return the time before which a lap must start to be counted, in a trace of `steps` points."""
        return steps - 1.0 - float(self.longest.max())

    def visit_horizon(self, steps: int) -> float:
        """Return the time before which a visit must start to be counted, in a trace of `steps` points."""
        rows = range(len(self.automaton.names))
        routes = [self.automaton.visit(i, int(j)) for i in rows for j in np.flatnonzero(self.automaton.matrix[i])]
        return self.lap_horizon(steps) - max(float(self.longest[route].sum()) for route in routes)

    def _name(self, points: Points, cuts: Points) -> list[Lap]:
        """Classify what lies between neighbouring cuts."""
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
        known = self.automaton.pieces[piece]
        return Lap(piece, known.label, known.state, known.laps, float(start), float(end))


def judge_the_judge(
    judge: LapJudge, pattern: AutomatonPattern, steps: int, seed: int, traces: int = 48
) -> dict[str, float]:
    """Judge fresh true traces and compare with their truth.

    Returns laps (how many were judged), invalid_fraction (of them), label_errors (share of the valid ones that are not
    mostly one true lap of the state they were named after).
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
    """Make one stretch of neighbouring invalid laps."""
    merged: list[Lap] = []
    for lap in laps:
        if merged and lap.piece == merged[-1].piece == INVALID:
            merged[-1] = replace(merged[-1], end=lap.end)
        else:
            merged.append(lap)
    return merged


def lap_begins(trace: Trace) -> NDArray[np.int64]:
    """Return the first step (n,) of every lap, the trace's first lap included; none where laps are not known."""
    return np.flatnonzero(np.diff(trace.lap, prepend=-1))


def _passage(automaton: Automaton, traces: list[Trace]) -> tuple[float, float]:
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
    """Cut true traces and return the shapes (n, SAMPLES, 2), durations (n,) and pieces (n,) of the laps found."""
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
    if len(shapes) < 0.99 * expected:
        raise ValueError(
            f"LapJudge.calibrate: expected to find 99 % of the true laps at their cut points, got {len(shapes)} of "
            f"{expected}; let the curves start where they do not pass again, or calm the hand"
        )
    distance = rms(np.stack(shapes), nominal)
    distance[states != np.array(owners)[:, None]] = np.inf
    return np.stack(shapes), np.array(durations), distance.argmin(axis=1)
