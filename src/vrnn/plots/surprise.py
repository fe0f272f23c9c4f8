"""The figure of which points of a sequence a model did not expect."""

from __future__ import annotations

import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from vrnn.plots.style import INK, QUIET, WRONG, Array, plain_axes, roomy


def plot_surprise(points: Array, surprise: Array, limit: float | None) -> Figure:
    """Plot a trace coloured by the surprise of its points, and the surprise over time.

    Args:
        points: (T, 2), NaN where a point is missing.
        surprise: (T,), -log p(x_t | x_<t) in nats, NaN where a point is missing.
        limit: What few points of the model's own data exceed; points above it are marked. None: no limit.

    Raises:
        ValueError: The shapes are others.
    """
    points, surprise = np.asarray(points, dtype=np.float64), np.asarray(surprise, dtype=np.float64)
    if points.ndim != 2 or points.shape[1:] != (2,) or surprise.shape != points.shape[:1]:
        raise ValueError(f"points and surprise must be (T, 2) and (T,), but are {points.shape} and {surprise.shape}.")
    figure = Figure(figsize=(11.0, 4.0), dpi=110, layout=roomy())
    plane, time = figure.subplots(1, 2, width_ratios=(1, 1.6))
    colours = np.clip(surprise, *np.nanquantile(surprise, [0.02, 0.995]))
    segments = np.stack([points[:-1], points[1:]], axis=1)
    lines = LineCollection(list(segments), cmap="viridis", linewidths=1.4)
    lines.set_array(colours[1:])
    plane.add_collection(lines)
    plane.autoscale_view()
    plane.set_aspect("equal")
    plane.set_title("the sequence, coloured by its surprise", fontsize=10, color=INK)
    figure.colorbar(lines, ax=plane, label="nats", fraction=0.05)
    time.plot(surprise, color=INK, linewidth=0.8)
    if limit is not None:
        high = np.flatnonzero(surprise > limit)
        plane.plot(*points[high].T, "o", color=WRONG, markersize=4, fillstyle="none")
        time.plot(high, surprise[high], "o", color=WRONG, markersize=4, fillstyle="none")
        time.axhline(limit, color=QUIET, linewidth=1.0, linestyle="--")
        time.text(0.0, limit, "99 % of the test traces' points are below", fontsize=8, color=INK, va="bottom")
    time.set_xlabel("step", fontsize=9, color=INK)
    time.set_title("surprise, -log p(x at this step | all before), nats", fontsize=10, color=INK)
    for ax in (plane, time):
        plain_axes(ax)
    return figure
