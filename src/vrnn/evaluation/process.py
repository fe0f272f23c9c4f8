"""How generated traces differ from the true process in what the laps' odds do not show: durations, shapes, memory."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import wasserstein_distance

from vrnn.evaluation.laps import LapJudge
from vrnn.evaluation.scores import Visit, find_visits
from vrnn.patterns.cuts import resample, rms

Array = NDArray[np.float64]


def process_scores(generated: Sequence[Array], true: Sequence[Array], judge: LapJudge) -> dict[str, Any]:
    """Compare generated with true traces.

    Args:
        generated: Traces, each (T, 2).
        true: Traces of the true process.
        judge: The judge.

    Returns:
        By name:

        - lap_steps_distance: {piece: Wasserstein distance between the durations of its valid laps, in steps}; None without such
          laps.
        - lap_jitter_distance: {piece: that of the RMS distances of its laps from the mean true lap, in units of the points}.
        - memory_nats: see `memory`.
    """
    model, truth = (_valid_laps(traces, judge) for traces in (generated, true))
    scores: dict[str, Any] = {"lap_steps_distance": {}, "lap_jitter_distance": {}}
    for k, piece in enumerate(judge.automaton.pieces):
        for column, name in enumerate(scores):
            samples = [found[found[:, 0] == k, 1 + column] for found in (model, truth)]
            both = min(map(len, samples)) > 0
            scores[name][piece.label] = float(wasserstein_distance(*samples)) if both else None
    visits = [
        [
            visit
            for visit in find_visits(judge.judge(trace), judge.automaton)
            if visit.start < judge.visit_horizon(len(trace))
        ]
        for trace in generated
    ]
    return scores | {"memory_nats": memory(visits, len(judge.automaton.names))}


def memory(visits: Sequence[Sequence[Visit]], states: int) -> float | None:
    """Return how much the state before tells of the next choice beyond the present state, in nats per choice.

    It is the mutual information I(next; before | present) over successive visits, 0 for an automaton, whose choices depend on
    the present state alone. The plug-in estimate is too large by about (cells that can vary) / (2 n) (Miller 1955); this is
    subtracted, so that the result can be slightly negative.

    Args:
        visits: Of each trace.
        states: The number of the automaton's states.

    Returns:
        The estimate; None without three successive visits.
    """
    counts = np.zeros((states, states, states))  # before, present, next
    for of_trace in visits:
        for before, present in pairwise(of_trace):
            if before.following is not None and present.following is not None:
                counts[before.state, present.state, present.following] += 1
    n = counts.sum()
    if not n:
        return None
    expected = counts.sum(2, keepdims=True) * counts.sum(0, keepdims=True) / counts.sum((0, 2), keepdims=True).clip(1)
    seen = counts > 0
    information = float((counts[seen] * np.log(counts[seen] / expected[seen])).sum() / n)
    befores, nexts = ((counts.sum(axis) > 0).sum(axis=other) for axis, other in ((2, 0), (0, 1)))
    freedom = ((befores - 1).clip(0) * (nexts - 1).clip(0)).sum()
    return information - float(freedom) / (2.0 * float(n))


def _valid_laps(traces: Sequence[Array], judge: LapJudge) -> Array:
    """Return piece, duration in steps and RMS distance from the template of the valid laps that count, (n, 3)."""
    found = [np.zeros((0, 3))]
    for trace in traces:
        horizon = judge.lap_horizon(len(trace))
        for lap in judge.judge(trace):
            if lap.piece >= 0 and lap.start < horizon:
                away = rms(resample(trace, lap.start, lap.end)[None], judge.templates[lap.piece][None])[0, 0]
                found.append(np.array([[lap.piece, lap.end - lap.start, away]]))
    return np.concatenate(found)
