"""Cuts a trace where it passes the cut points, and compares the shapes between the cuts."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]

SAMPLES = 64  # points per shape


def approach(points: Points, target: Points) -> tuple[Points, Points]:
    """Find the point of closest approach to a target on each straight segment of a trace.

    Args:
        points: (T, 2), the trace.
        target: (2,).

    Returns:
        The distance of each segment from the target, (T - 1,), and the time of its closest point, (T - 1,), in steps with
        fractions.
    """
    offset, step = points[:-1] - target, np.diff(points, axis=0)
    square = np.maximum((step**2).sum(axis=1), 1e-300)
    along = np.clip(-(offset * step).sum(axis=1) / square, 0.0, 1.0)
    distance = np.linalg.norm(offset + along[:, None] * step, axis=1)
    return distance, np.arange(len(step)) + along


def find_cuts(points: Points, cut_points: Points, radius: float, gap: float) -> tuple[Points, bool]:
    """Find the times at which a trace passes the cut points.

    Each stretch within `radius` of a cut point is one passage, at its closest approach. Of two passages of the same cut point
    less than `gap` steps apart only the closer one counts: noise on the points makes two of one.

    Args:
        points: (T, 2), the trace.
        cut_points: (c, 2).
        radius: In the units of the points.
        gap: In steps.

    Returns:
        The times (n,) in increasing order, in steps with fractions, and whether the trace begins within the radius of a cut
        point.
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
                continue  # the closest approach comes after the trace's end
            if kept and time[step] - time[kept[-1]] < gap:
                kept[-1] = min(kept[-1], step, key=lambda i: distance[i])
            else:
                kept.append(step)
        found.extend(time[kept])
    return np.sort(np.array(found)), begins


def resample(points: Points, begin: float, end: float) -> Points:
    """Return the shape of a stretch of a trace: points evenly spaced by arc length.

    Args:
        points: (T, 2), the trace.
        begin: Time of the stretch's first point, in steps with fractions.
        end: Time of its last point.

    Returns:
        (SAMPLES, 2).
    """
    inner = np.arange(int(np.floor(begin)) + 1, int(np.ceil(end)))
    times = np.concatenate([[begin], inner, [end]])
    steps = np.arange(len(points))
    path = np.stack([np.interp(times, steps, points[:, axis]) for axis in (0, 1)], axis=1)
    arc = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(path, axis=0), axis=1))])
    even = np.linspace(0.0, arc[-1], SAMPLES)
    return np.stack([np.interp(even, arc, path[:, axis]) for axis in (0, 1)], axis=1)


def rms(shapes: Points, templates: Points) -> Points:
    """Return the root mean square distances (n, P) of shapes (n, SAMPLES, 2) from templates (P, SAMPLES, 2)."""
    return np.stack([np.sqrt(((shapes - t) ** 2).sum(axis=-1).mean(axis=-1)) for t in templates], axis=-1)
