"""The figure of which points of a sequence a model did not expect."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from numpy.typing import NDArray

from vrnn.plots.series import MOST_CHANNELS
from vrnn.plots.style import INK, QUIET, WRONG, Array, plain_axes, roomy


def plot_surprise(points: Array, surprise: Array, limit: float | None, names: Sequence[str] = ()) -> Figure:
    """Plot a sequence coloured by the surprise of its points, and the surprise over time.

    Args:
        points: (T, 2), a trace in the plane if the names are x and y or none; else (T, d), a series. NaN: a missing number.
        surprise: (T,), -log p(x_t | x_<t) in nats, NaN where a point is missing.
        limit: What few points of the model's own data exceed; points above it are marked. None: no limit.
        names: What the coordinates are called.

    Raises:
        ValueError: The shapes are others.
    """
    points, surprise = np.asarray(points, dtype=np.float64), np.asarray(surprise, dtype=np.float64)
    plane = tuple(names) in ((), ("x", "y"))
    if points.ndim != 2 or surprise.shape != points.shape[:1] or (plane and points.shape[1] != 2):
        raise ValueError(f"points and surprise must be (T, 2) and (T,), but are {points.shape} and {surprise.shape}.")
    high = np.zeros(0, dtype=int) if limit is None else np.flatnonzero(surprise > limit)
    figure = Figure(figsize=(11.0, 4.0), dpi=110, layout=roomy())
    if plane:
        trace, time = figure.subplots(1, 2, width_ratios=(1, 1.6))
        _plot_trace(figure, trace, points, surprise, high)
    else:
        figure.set_size_inches(9.0, 1.3 * min(points.shape[1], MOST_CHANNELS) + 2.6)
        *channels, time = figure.subplots(min(points.shape[1], MOST_CHANNELS) + 1, 1, sharex=True)
        for i, ax in enumerate(channels):
            ax.plot(points[:, i], color=INK, linewidth=0.8)
            ax.plot(high, points[high, i], "o", color=WRONG, markersize=4, fillstyle="none")
            ax.set_ylabel(names[i], fontsize=8, color=INK)
    time.plot(surprise, color=INK, linewidth=0.8)
    if limit is not None:
        time.plot(high, surprise[high], "o", color=WRONG, markersize=4, fillstyle="none")
        time.axhline(limit, color=QUIET, linewidth=1.0, linestyle="--")
        time.text(0.0, limit, "99 % of the test traces' points are below", fontsize=8, color=INK, va="bottom")
    time.set_xlabel("step", fontsize=9, color=INK)
    time.set_title("surprise, -log p(x at this step | all before), nats", fontsize=10, color=INK)
    for ax in figure.axes:
        if ax.get_label() != "<colorbar>":
            plain_axes(ax)
    return figure


def _plot_trace(figure: Figure, ax: Axes, points: Array, surprise: Array, high: NDArray[np.intp]) -> None:
    """Plot a trace (T, 2) coloured by its surprise, with marks at the steps `high`."""
    lines = LineCollection(list(np.stack([points[:-1], points[1:]], axis=1)), cmap="viridis", linewidths=1.4)
    lines.set_array(np.clip(surprise, *np.nanquantile(surprise, [0.02, 0.995]))[1:])
    ax.add_collection(lines)
    ax.autoscale_view()
    ax.set_aspect("equal")
    ax.set_title("the sequence, coloured by its surprise", fontsize=10, color=INK)
    figure.colorbar(lines, ax=ax, label="nats", fraction=0.05)
    ax.plot(*points[high].T, "o", color=WRONG, markersize=4, fillstyle="none")
