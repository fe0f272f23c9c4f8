"""The automaton behind a drawing: its laps, cut at a junction, grouped by shape, and counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise

import numpy as np
from numpy.typing import NDArray

from vrnn.checks import require
from vrnn.patterns.automaton import Automaton
from vrnn.patterns.curves import Polygon
from vrnn.patterns.cuts import SAMPLES, find_cuts, resample
from vrnn.patterns.resampling import SmoothStroke

Points = NDArray[np.float64]

FINE = 0.01  # distance between the points of a drawing that is cut, in units of the normalised drawing
SHORTEST_LAP = 1.0  # in these units; an oval is about 8 long
CLEAR = 3.0  # two groups of laps are two shapes if they are this many times as far apart as any two groups within one
MOST_SHAPES = 12


@dataclass(frozen=True)
class DrawnLap:
    """One lap of a drawing.

    Attributes:
        path: (n, 2), from one passage of the junction to the next, FINE apart.
        shape: The state it is drawn in: shapes are numbered by their first lap.
    """

    path: Points
    shape: int


def cut_laps(points: Points, junction: Points, radius: float) -> list[Points]:
    """Return the laps of a drawing, each (n, 2) from one passage of the junction to the next.

    Args:
        points: (T, 2), the normalised drawing.
        junction: (2,).
        radius: How near the pen comes to the junction in every lap.
    """
    stroke = SmoothStroke(points)
    fine = stroke.at(np.arange(0.0, stroke.length, FINE))
    cuts, _ = find_cuts(fine, junction[None], radius, SHORTEST_LAP / FINE)
    return [fine[round(a) : round(b) + 1] for a, b in pairwise(cuts)]


def group_by_shape(paths: Sequence[Points], shapes: int | None) -> NDArray[np.int64]:
    """Return the number of the shape of each lap, (n,).

    Laps are joined by the mean distance between their points (average linkage), until `shapes` groups are left; None: until
    the next two groups are CLEAR times as far apart as the last two, or all are one.
    """
    # Half a second, which answers without a drawing do not need.
    from scipy.cluster.hierarchy import fcluster, linkage
    from scipy.spatial.distance import pdist

    if len(paths) < 2:
        return np.zeros(len(paths), dtype=np.int64)
    outlines = np.stack([resample(path, 0.0, len(path) - 1.0) for path in paths])
    tree = linkage(pdist(outlines.reshape(len(paths), -1)) / np.sqrt(SAMPLES), "average")
    if shapes is None:
        heights = tree[-MOST_SHAPES:, 2]
        gaps = heights[1:] / np.maximum(heights[:-1], 1e-12)
        clear = len(gaps) > 0 and gaps.max() >= CLEAR
        shapes = len(gaps) - int(gaps.argmax()) + 1 if clear else 1
    groups = fcluster(tree, shapes, "maxclust")
    order = list(dict.fromkeys(groups.tolist()))
    return np.array([order.index(group) for group in groups], dtype=np.int64)


def estimate_automaton(drawings: Sequence[Sequence[DrawnLap]], junction: Points) -> Automaton:
    """Return the automaton with the laps per visit and the odds that are counted in drawings.

    A series of laps of one shape is one visit or several: the shortest series that does not touch a drawing's end is the number
    of laps per visit (without one: the shortest of all; 1 if there is one shape), and a longer series is several visits. The
    probability of a successor is its share among those counted. A state's curve is the mean of its laps, moved to begin and end
    at the junction.

    Args:
        drawings: The laps of each drawing, in order.
        junction: (2,), where all curves start.

    Raises:
        ValueError: A shape that nothing ever follows.
    """
    count = 1 + max(lap.shape for laps in drawings for lap in laps)
    series = [[(shape, len(list(group))) for shape, group in groupby(laps, lambda lap: lap.shape)] for laps in drawings]
    per_visit = [_shortest(series, shape) for shape in range(count)]
    moves = np.zeros((count, count))
    for runs in series:
        visits = [shape for shape, laps in runs for _ in range(-(-laps // per_visit[shape]))]
        for source, target in pairwise(visits):
            moves[source, target] += 1
    names = [f"shape_{shape + 1}" for shape in range(count)]
    for name, row in zip(names, moves, strict=True):
        fix = "draw more laps, or set dataset.shapes to fewer"
        require(row.sum() > 0 or count == 1, f"what follows {name}", "drawn at least once", "never drawn", fix)
    moves += count == 1  # one shape, drawn once, follows itself
    states = {
        name: {
            "curve": _mean_curve([p for laps in drawings for p in laps if p.shape == k], junction),
            "laps": per_visit[k],
        }
        for k, name in enumerate(names)
    }
    odds = moves / moves.sum(axis=1, keepdims=True)
    transitions = {name: dict(zip(names, row.tolist(), strict=True)) for name, row in zip(names, odds, strict=True)}
    return Automaton(states, transitions, start=names[drawings[0][0].shape], junction=junction.tolist())


def _shortest(series: Sequence[Sequence[tuple[int, int]]], shape: int) -> int:
    """Return the laps per visit of a shape, given the series (shape, laps) of each drawing."""
    if all(found == shape for runs in series for found, _ in runs):
        return 1
    inner = [laps for runs in series for found, laps in runs[1:-1] if found == shape]
    return min(inner or [laps for runs in series for found, laps in runs if found == shape])


def _mean_curve(laps: Sequence[DrawnLap], junction: Points) -> Polygon:
    outlines = np.stack([resample(lap.path, 0.0, len(lap.path) - 1.0) for lap in laps])
    mean = outlines.mean(axis=0)
    along = np.linspace(0.0, 1.0, SAMPLES)[:, None]
    mean = mean + (1.0 - along) * (junction - mean[0]) + along * (junction - mean[-1])
    return Polygon(mean[:-1].tolist())
