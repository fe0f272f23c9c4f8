"""Scores of traces against the automaton that a model has learned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vrnn.evaluation.laps import INVALID, UNFINISHED, Lap, LapJudge
from vrnn.patterns import Automaton

Array = NDArray[np.float64]

RESAMPLES = 400  # of the bootstrap: a standard error then has an error of 4 %
OWN = 6  # columns of the counts that belong to no state
EPS = 1e-9  # tolerance of sums of fractions of laps


@dataclass
class Visit:
    """A series of laps of one state.

    Attributes:
        state: The automaton's state.
        start: Time of its beginning, in steps.
        laps: The number of laps.
        following: The state of the next visit; None where an invalid lap or the trace's end comes next, or where states share a
            curve and nothing tells whose visit this is.
        whole: False if an invalid lap comes directly before or after it.
    """

    state: int
    start: float
    laps: float = 0.0
    following: int | None = None
    whole: bool = True


def find_visits(laps: Sequence[Lap], automaton: Automaton) -> list[Visit]:
    """Group the laps of one trace into visits.

    A visit is the longest possible series of laps of one state. If the automaton allows a state of m laps to follow itself, a
    series of L laps is ceil(L / m) visits, of which the last one is short if m does not divide L. An invalid lap ends a visit;
    the visits before and after it are not `whole`.

    Args:
        laps: The laps of one trace, in order.
        automaton: The truth.
    """
    may_stay = np.diag(automaton.matrix) > 0.0
    visits: list[Visit] = []
    current: Visit | None = None
    whole = certain = True
    for lap in laps:
        if lap.piece < 0:
            if lap.piece == INVALID and current:
                current.whole = False
            whole = whole and lap.piece != INVALID
            current = None
            continue
        full = may_stay[lap.state] and current and current.laps >= automaton.laps[lap.state] - EPS and lap.laps > 0.0
        if current is None or current.state != lap.state or full:
            if current and certain:
                current.following = lap.state
            current, certain = Visit(lap.state, lap.start, whole=whole), lap.certain
            visits.append(current)
            whole = True
        current.laps += lap.laps
    return visits


def score(traces: Sequence[NDArray[np.floating[Any]]], judge: LapJudge) -> dict[str, Any]:
    """Judge traces and compare them with the judge's automaton.

    `LapJudge` says which laps and visits count, and why the scores are unbiased.

    Args:
        traces: Each (T, 2).
        judge: The judge.

    Returns:
        A dictionary that is ready for JSON; None is an undefined value.

        - laps: The number of laps that count. An invalid stretch counts as the number of laps that fit in, at least one, so
          that a trace which stops early has no advantage.
        - invalid_fraction: Invalid laps / laps.
        - first_lap_invalid_fraction: The share of the traces whose first lap is invalid, of those in which it counts.
        - pattern_fractions: {state: share of the valid laps}, without each trace's first visit, whose state is not chosen.
          Unbiased if choices are independent of the state (eye). Otherwise the successors of the start state are slightly
          more frequent than in the long run, by about one visit per trace.
        - visits: The number of visits that count, see `find_visits`.
        - laps_right_fraction: The share of the visits that are `whole` and have exactly the automaton's number of laps.
        - transition_matrix: {from: {to: share}}, over pairs of successive visits without an invalid lap in between.
        - transition_tv_rows: {from: total variation distance `0.5 sum_to |share - probability|`}. It is 1 for a state that
          never occurs, so that a model has no advantage from leaving a state out.
        - transition_tv: The mean of transition_tv_rows.
        - <key>_se: The standard error by a bootstrap over traces, with a fixed seed. The total variation distance of a perfect
          model is not 0, but about as large as its standard error.
        - truth: What a perfect model's scores tend to, see `truth`.

    Raises:
        ValueError: There are no traces, or one does not have the shape (T, 2).
    """
    if not len(traces):
        raise ValueError("score needs at least one trace, but got none: generate some.")
    automaton = judge.automaton
    counts = np.stack([_count(np.asarray(trace), judge) for trace in traces])
    estimates = _estimate(counts.sum(axis=0), automaton)
    weights = np.random.default_rng(0).multinomial(len(counts), np.full(len(counts), 1 / len(counts)), RESAMPLES)
    spread = _estimate(weights @ counts, automaton)

    named = _Counts(counts.sum(axis=0), len(automaton.names))
    result: dict[str, Any] = {
        "traces": len(traces),
        "laps": round(float(named.valid + named.invalid)),
        "visits": round(float(named.visits)),
    }
    for key, value in estimates.items():
        result[key] = _plain(value, automaton.names)
        result[f"{key}_se"] = _plain(_deviation(spread[key], len(counts)), automaton.names)
    return result | {"truth": truth(automaton)}


def truth(automaton: Automaton) -> dict[str, Any]:
    """Return what a perfect model's scores tend to, and the laps per visit, ready for JSON."""
    return {
        "pattern_fractions": _plain(automaton.pattern_fractions, automaton.names),
        "transition_matrix": _plain(automaton.matrix, automaton.names),
        "laps_per_visit": _plain(automaton.laps, automaton.names),
    }


class _Counts:
    """Names for the columns of the counts of one trace, or of a sum over traces.

    Args:
        columns: (…, 6 + n + n²) for n states.
        states: n.

    Attributes:
        valid: (…,), the number of valid laps.
        invalid: (…,), the number of invalid laps.
        visits: (…,), the number of visits.
        right: (…,), the number of visits with the right laps.
        begun: (…,), the number of traces whose first lap counts.
        begun_badly: (…,), the number of traces whose first lap is invalid.
        laps: (…, n), the valid laps of each state.
        transitions: (…, n, n), the pairs of successive visits.
    """

    def __init__(self, columns: Array, states: int) -> None:
        own = np.moveaxis(columns[..., :OWN], -1, 0)
        self.valid, self.invalid, self.visits, self.right, self.begun, self.begun_badly = own
        self.laps = columns[..., OWN : OWN + states]
        self.transitions = columns[..., OWN + states :].reshape(*columns.shape[:-1], states, states)


def _count(points: Array, judge: LapJudge) -> Array:
    """Return the counts of one trace (T, 2): the columns of `_Counts`."""
    states = len(judge.automaton.names)
    counts = np.zeros(OWN + states + states**2)
    pieces, laps, moves = counts[:OWN], counts[OWN : OWN + states], counts[OWN + states :].reshape(states, states)
    found = judge.judge(points)
    visits = find_visits(found, judge.automaton)
    first_choice = visits[1].start if len(visits) > 1 else np.inf
    horizon = judge.lap_horizon(len(points))
    for lap in found:
        if lap.start >= horizon:
            break
        if lap.piece >= 0:
            pieces[0] += 1
            laps[lap.state] += lap.laps * (lap.start >= first_choice)
        elif lap.piece == INVALID:
            pieces[1] += max(1, round((min(lap.end, horizon) - lap.start) / judge.mean_duration))
    pieces[4] = horizon > 0 and found[0].piece != UNFINISHED
    pieces[5] = horizon > 0 and found[0].piece == INVALID
    for visit in visits:
        if visit.start < judge.visit_horizon(len(points)):
            pieces[2] += 1
            pieces[3] += visit.whole and abs(visit.laps - judge.automaton.laps[visit.state]) < EPS
            if visit.following is not None:
                moves[visit.state, visit.following] += 1
    return counts


def _estimate(columns: Array, automaton: Automaton) -> dict[str, Array]:
    """Return the estimates for counts (…, columns), see `score`; NaN where they are undefined.

    With laps but no visits, `laps_right_fraction` is 0 and the distances are 1, the worst values.
    """
    counts = _Counts(columns, len(automaton.names))
    laps = counts.valid + counts.invalid
    matrix = _ratio(counts.transitions, counts.transitions.sum(axis=-1, keepdims=True))
    rows = 0.5 * np.abs(matrix - automaton.matrix).sum(axis=-1)
    rows = np.where(np.isnan(rows), 1.0, rows)
    rows = np.where(laps[..., None] > 0, rows, np.nan)
    right = np.where((counts.visits == 0) & (laps > 0), 0.0, _ratio(counts.right, counts.visits))
    return {
        "invalid_fraction": _ratio(counts.invalid, laps),
        "first_lap_invalid_fraction": _ratio(counts.begun_badly, counts.begun),
        "pattern_fractions": _ratio(counts.laps, counts.laps.sum(axis=-1, keepdims=True)),
        "laps_right_fraction": right,
        "transition_matrix": matrix,
        "transition_tv_rows": rows,
        "transition_tv": rows.mean(axis=-1),
    }


def _ratio(part: Array, whole: Array) -> Array:
    """Return part / whole, NaN for 0 / 0."""
    whole = np.broadcast_to(whole, np.shape(part))
    return np.divide(part, whole, out=np.full(np.shape(part), np.nan), where=whole > 0)


def _deviation(draws: Array, traces: int) -> Array:
    """Return the standard deviation of bootstrap draws (RESAMPLES, …) over those that are finite.

    It is multiplied by sqrt(n / (n - 1)) for n traces, as a bootstrap over n values underestimates by this factor.
    """
    defined = np.isfinite(draws)
    n = defined.sum(axis=0)
    mean = _ratio(np.where(defined, draws, 0.0).sum(axis=0), n)
    square = np.where(defined, (draws - mean) ** 2, 0.0).sum(axis=0)
    if traces < 2:
        return np.full(np.shape(mean), np.nan)
    return np.sqrt(_ratio(square, n) * traces / (traces - 1))


def _plain(value: Array, names: list[str]) -> Any:
    """Return a scalar as float, or None for NaN, and an array as nested dictionaries by state."""
    if np.ndim(value):
        return {name: _plain(entry, names) for name, entry in zip(names, value, strict=True)}
    return float(value) if np.isfinite(value) else None
