"""Scores of traces against the automaton that should have drawn them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vrnn.evaluation.laps import INVALID, Lap, LapJudge
from vrnn.patterns import Automaton

Array = NDArray[np.float64]

RESAMPLES = 400  # of the bootstrap: an error of 4 % on a standard error
EPS = 1e-9


@dataclass
class Visit:
    """A run of laps of one state.

    state: the automaton's state. start: time in steps. laps: how many. following: the state of the next visit, None
    where an invalid lap or the trace's end comes next. whole: False if it touches an invalid lap.
    """

    state: int
    start: float
    laps: float = 0.0
    following: int | None = None
    whole: bool = True


def find_visits(laps: Sequence[Lap], automaton: Automaton) -> list[Visit]:
    """Group the laps of one trace into visits.

    A visit is a maximal run of laps of one state. Where the automaton may stay in a state of m laps, a run of L laps is
    ceil(L / m) visits, of which the last is short if m does not divide L. An invalid lap ends a visit; the one before
    and the one after are not `whole`.
    """
    stays = np.diag(automaton.matrix) > 0.0
    visits: list[Visit] = []
    current: Visit | None = None
    whole = True
    for lap in laps:
        if lap.piece < 0:
            if lap.piece == INVALID and current:
                current.whole = False
            whole = whole and lap.piece != INVALID
            current = None
            continue
        full = stays[lap.state] and current and current.laps >= automaton.laps[lap.state] - EPS and lap.laps > 0.0
        if current is None or current.state != lap.state or full:
            if current:
                current.following = lap.state
            current = Visit(lap.state, lap.start, whole=whole)
            visits.append(current)
            whole = True
        current.laps += lap.laps
    return visits


def score(traces: Sequence[NDArray[np.floating[Any]]], judge: LapJudge) -> dict[str, Any]:
    """Judge traces, each (T, 2), and compare them with the judge's automaton; ready for JSON (None: not defined).

    laps: pieces counted, of which invalid_fraction are invalid (an invalid stretch counts as the laps it could have
        held, at least one, so stopping does not pay).
    pattern_fractions: {state: share of the valid laps}, without each trace's first visit: its state is given, not
        chosen. Unbiased where choices are independent (eye); where they depend on the state, what follows the start
        is a little more frequent than in the long run, by the order of one visit a trace.
    visits: counted as `find_visits` says; laps_right_fraction of them have exactly the automaton's laps and touch no
        invalid lap.
    transition_matrix: {from: {to: share}} over pairs of visits that follow each other without an invalid lap between.
    transition_tv_rows, transition_tv: total variation distance 0.5 sum |p_hat - p| of each row, and their mean. A row
        that was never seen counts 1: a model does not score by leaving a state out.
    <key>_se: standard errors by the bootstrap over traces, seeded; the TV of a perfect model is not 0 but of the order
        of its standard error.
    truth: the automaton's own pattern_fractions, transition_matrix and laps (a visit).

    Which laps and visits are counted, and why that is unbiased, is told in `LapJudge`.

    Raises:
        ValueError: no traces, or one that is not (T, 2).
    """
    if not len(traces):
        raise ValueError("score: expected one trace or more, got none")
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
    """Return what a perfect model's scores tend to, and the laps of a visit, ready for JSON."""
    return {
        "pattern_fractions": _plain(automaton.pattern_fractions, automaton.names),
        "transition_matrix": _plain(automaton.matrix, automaton.names),
        "laps_per_visit": _plain(automaton.laps, automaton.names),
    }


class _Counts:
    """Names for the columns of counts (…, 4 + n + n²): what one trace, or a sum of traces, amounts to."""

    def __init__(self, columns: Array, states: int) -> None:
        self.valid, self.invalid, self.visits, self.right = np.moveaxis(columns[..., :4], -1, 0)
        self.laps = columns[..., 4 : 4 + states]
        self.transitions = columns[..., 4 + states :].reshape(*columns.shape[:-1], states, states)


def _count(points: Array, judge: LapJudge) -> Array:
    """Return the counts of one trace, see `_Counts`."""
    states = len(judge.automaton.names)
    counts = np.zeros(4 + states + states**2)
    pieces, laps, moves = counts[:4], counts[4 : 4 + states], counts[4 + states :].reshape(states, states)
    found = judge.judge(points)
    visits = find_visits(found, judge.automaton)
    chosen = visits[1].start if len(visits) > 1 else np.inf
    horizon = judge.lap_horizon(len(points))
    for lap in found:
        if lap.start >= horizon:
            break
        if lap.piece >= 0:
            pieces[0] += 1
            laps[lap.state] += lap.laps * (lap.start >= chosen)
        elif lap.piece == INVALID:
            pieces[1] += max(1, round((min(lap.end, horizon) - lap.start) / judge.mean_duration))
    for visit in visits:
        if visit.start < judge.visit_horizon(len(points)):
            pieces[2] += 1
            pieces[3] += visit.whole and abs(visit.laps - judge.automaton.laps[visit.state]) < EPS
            if visit.following is not None:
                moves[visit.state, visit.following] += 1
    return counts


def _estimate(columns: Array, automaton: Automaton) -> dict[str, Array]:
    """Return the estimates for counts (…, columns), NaN where there is nothing to estimate from.

    Where there are laps and no visit, none of those is right, and the worst that can be is what there is.
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
        "pattern_fractions": _ratio(counts.laps, counts.laps.sum(axis=-1, keepdims=True)),
        "laps_right_fraction": right,
        "transition_matrix": matrix,
        "transition_tv_rows": rows,
        "transition_tv": rows.mean(axis=-1),
    }


def _ratio(part: Array, whole: Array) -> Array:
    """Divide, 0 / 0 being NaN."""
    whole = np.broadcast_to(whole, np.shape(part))
    return np.divide(part, whole, out=np.full(np.shape(part), np.nan), where=whole > 0)


def _deviation(draws: Array, traces: int) -> Array:
    """Return the standard deviation over the draws that are defined, corrected for resampling n traces, not n - 1."""
    defined = np.isfinite(draws)
    n = defined.sum(axis=0)
    mean = _ratio(np.where(defined, draws, 0.0).sum(axis=0), n)
    square = np.where(defined, (draws - mean) ** 2, 0.0).sum(axis=0)
    if traces < 2:
        return np.full(np.shape(mean), np.nan)
    return np.sqrt(_ratio(square, n) * traces / (traces - 1))


def _plain(value: Array, names: list[str]) -> Any:
    """Return a scalar as float or None, an array as dictionaries by state."""
    if np.ndim(value):
        return {name: _plain(entry, names) for name, entry in zip(names, value, strict=True)}
    return float(value) if np.isfinite(value) else None
