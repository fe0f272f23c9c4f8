"""Cutting a trace where it passes the cut points, and comparing what lies between by arc length."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]

SAMPLES = 64  # points a piece is resampled to before shapes are compared


def approach(points: Points, target: Points) -> tuple[Points, Points]:
    """Return for each of the T - 1 straight steps of `points` (T, 2) how near it comes to `target` (2,), and when.

    Returns (distance (T - 1,), time (T - 1,)); time counts steps and lies between those of the step's two ends.
    """
    offset, step = points[:-1] - target, np.diff(points, axis=0)
    square = np.maximum((step**2).sum(axis=1), 1e-300)
    along = np.clip(-(offset * step).sum(axis=1) / square, 0.0, 1.0)
    distance = np.linalg.norm(offset + along[:, None] * step, axis=1)
    return distance, np.arange(len(step)) + along


def find_cuts(points: Points, cut_points: Points, radius: float, gap: float) -> tuple[Points, bool]:
    """Return when the trace passes the cut points, in order, and whether it begins at one.

    Each stay within `radius` of a cut point is one passage, at its closest approach; of two passages of the same cut
    point less than `gap` steps apart only the closer counts (a trembling pen, not a lap).

    Returns (times (n,), begins): begins says whether the first passage is under way when the trace starts.
    """
    found: list[float] = []
    begins = False
    for target in cut_points:
        distance, time = approach(points, target)
        inside = np.concatenate([[False], distance < radius, [False]])
        edges = np.flatnonzero(np.diff(inside))
        kept: list[int] = []
        for enter, leave in edges.reshape(-1, 2):
            step = int(enter + np.argmin(distance[enter:leave]))
            begins = begins or enter == 0
            if time[step] == len(distance):
                continue  # still coming closer when the trace ends
            if kept and time[step] - time[kept[-1]] < gap:
                kept[-1] = min(kept[-1], step, key=lambda i: distance[i])
            else:
                kept.append(step)
        found.extend(time[kept])
    return np.sort(np.array(found)), begins


def resample(points: Points, begin: float, end: float) -> Points:
    """Return SAMPLES points (SAMPLES, 2), evenly spaced by arc length, of the trace from time `begin` to `end`."""
    inner = np.arange(int(np.floor(begin)) + 1, int(np.ceil(end)))
    times = np.concatenate([[begin], inner, [end]])
    steps = np.arange(len(points))
    path = np.stack([np.interp(times, steps, points[:, axis]) for axis in (0, 1)], axis=1)
    arc = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(path, axis=0), axis=1))])
    even = np.linspace(0.0, arc[-1], SAMPLES)
    return np.stack([np.interp(even, arc, path[:, axis]) for axis in (0, 1)], axis=1)


def rms(shapes: Points, templates: Points) -> Points:
    """Return the root mean square distance (n, P) of shapes (n, SAMPLES, 2) to templates (P, SAMPLES, 2)."""
    return np.stack([np.sqrt(((shapes - t) ** 2).sum(axis=-1).mean(axis=-1)) for t in templates], axis=-1)
