"""Figures of traces: lines coloured by time, from dark to light, and laps on top of each other."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from vrnn.plots.style import HUES, INK, INVALID, QUIET, TIME, WRONG, Array, Sequences, literal

LAPS_DRAWN = 300  # per panel: more lines would cover the whole panel


class LabelledSpan(Protocol):
    """A labelled stretch of a trace, such as a lap of `vrnn.evaluation`: what `plot_laps` needs of it."""

    @property
    def label(self) -> str:
        """A pattern's name, or "invalid"."""

    @property
    def start(self) -> float:
        """Time of its beginning, in steps with fractions."""

    @property
    def end(self) -> float:
        """Time of its end."""


def plot_traces(panels: Mapping[str, Array]) -> Figure:
    """Plot traces side by side, coloured by time, all with the limits of the first.

    The limits are the box around the first trace and a margin, so that a diverging trace cannot make the others too small to
    see. A panel says which share of its points is outside or missing, and from which step on they are not finite.

    Args:
        panels: title -> points (T, 2); T may differ between panels.

    Raises:
        ValueError: There are no panels, or points do not have the shape (T, 2).
    """
    if not panels:
        raise ValueError("panels must be at least one, but there are none.")
    traces = {title: _plane(title, points) for title, points in panels.items()}
    limits = _grown(_box(next(iter(traces.values()))), 0.2)
    width, height = _panel_size(limits, 3.2)
    figure = Figure(figsize=(width * len(traces) + 0.6, height + 0.6), dpi=110, layout="compressed")
    axes = figure.subplots(1, len(traces), sharex=True, sharey=True, squeeze=False)[0]
    steps = Normalize(0, max(1, *(len(points) - 1 for points in traces.values())))
    for ax, (title, points) in zip(axes, traces.items(), strict=True):
        lines = _draw_trace(ax, points, limits, steps)
        _frame(ax, limits, title)
        ax.label_outer()
        ax.text(0.02, 0.02, _hidden_points(points, limits), transform=ax.transAxes, fontsize=8, color=WRONG)
    bar = figure.colorbar(lines, ax=list(axes), fraction=0.03, pad=0.02, aspect=30)
    bar.outline.set_visible(False)
    bar.ax.tick_params(labelsize=8, length=0, colors=INK)
    bar.locator = MaxNLocator(4, integer=True)
    bar.set_label("step", fontsize=8, color=INK)
    return figure


def plot_trace_grid(
    traces: Sequences, titles: Sequence[str] | None = None, lifted: Sequence[NDArray[np.bool_]] | None = None
) -> Figure:
    """Plot traces in a grid with common limits, coloured by time.

    The limits contain every trace of a usual size. A trace more than three times as large as the median is cut off.

    Args:
        traces: n traces, each (T, 2); T may differ between them.
        titles: One for each trace. None: no titles.
        lifted: For each trace (T,), True where no line leads from a point to the next one. None: nowhere.

    Raises:
        ValueError: There are no traces, one does not have the shape (T, 2), or the number of titles is not n.
    """
    traces = [_plane(f"trace {i}", points) for i, points in enumerate(traces)]
    if not traces:
        raise ValueError("traces must be at least one, but there are none.")
    if titles is not None and len(titles) != len(traces):
        raise ValueError(f"titles must be one for each of {len(traces)} traces, but are {len(titles)}.")
    limits = _grown(_common_box([_box(points) for points in traces]), 0.08)
    columns = int(np.ceil(np.sqrt(len(traces))))
    rows = int(np.ceil(len(traces) / columns))
    width, height = _panel_size(limits, max(1.4, 3.2 - 0.4 * columns))
    size = 8 if any(len(title) > 11 * width for title in titles or ()) else 10
    if titles is not None:
        titles = [textwrap.fill(literal(title), max(8, int(13 * width)), break_long_words=False) for title in titles]
    gap = 0.0 if titles is None else 0.08 + 0.17 * max(title.count("\n") + 1 for title in titles)
    figure = Figure(figsize=(width * columns + 0.4, (height + gap) * rows + 0.4), dpi=110, layout="compressed")
    axes = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).ravel()
    steps = Normalize(0, max(1, *(len(points) - 1 for points in traces)))
    for i, ax in enumerate(axes):
        if i >= len(traces):
            ax.set_visible(False)
            continue
        _draw_trace(ax, traces[i], limits, steps, None if lifted is None else lifted[i])
        _frame(ax, limits, "" if titles is None else titles[i], size=size)
        ax.label_outer()
    return figure


def plot_continued(prefix: Array, traces: Sequences) -> Figure:
    """Plot a trace, grey, and the ways in which it continues, coloured by time from where it ends.

    Args:
        prefix: (T, 2), what all traces continue.
        traces: n traces, each (T', 2).

    Raises:
        ValueError: There are no traces, or points do not have the shape (T, 2).
    """
    # One point is repeated, so that a line leads from the prefix to its continuation.
    figure = plot_trace_grid([np.concatenate([prefix[-1:], points]) for points in traces])
    limits = _grown(_common_box([_box(prefix), *map(_box, traces)]), 0.08)
    for ax in figure.axes[: len(traces)]:
        ax.plot(*_near(prefix, limits).T, color=QUIET, linewidth=0.8, zorder=0)
        ax.set_xlim(limits[0, 0], limits[1, 0])
        ax.set_ylim(limits[0, 1], limits[1, 1])
    figure.suptitle(f"{len(prefix)} given points, grey, and what follows", fontsize=10, color=INK)
    return figure


def plot_laps(points: Array, laps: Sequence[LabelledSpan]) -> Figure:
    """Plot a trace's laps on top of each other: a panel per label, with its share and number, the invalid ones last.

    The limits are those of the valid laps.

    Args:
        points: (T, 2), the trace.
        laps: Its laps. Of each label at most 300 are plotted, evenly chosen; the numbers are of all.

    Raises:
        ValueError: The points do not have the shape (T, 2).
    """
    points = _plane("points", points)
    labels = [*sorted({lap.label for lap in laps} - {INVALID}), INVALID]
    valid = [_box(_stretch(points, lap)) for lap in laps if lap.label != INVALID]
    limits = _grown(_common_box(valid) if valid else _box(points), 0.12)
    width, height = _panel_size(limits, 3.0)
    figure = Figure(figsize=(width * len(labels) + 0.6, height + 0.7), dpi=110, layout="compressed")
    axes = figure.subplots(1, len(labels), sharex=True, sharey=True, squeeze=False)[0]
    for i, (ax, label) in enumerate(zip(axes, labels, strict=True)):
        members = [lap for lap in laps if lap.label == label]
        chosen = members[:: int(np.ceil(len(members) / LAPS_DRAWN)) or 1]
        lines = [_near(_stretch(points, lap), limits) for lap in chosen]
        colour = WRONG if label == INVALID else HUES[i % len(HUES)]
        alpha = float(np.clip(12.0 / max(1, len(lines)), 0.12, 0.9))
        ax.add_collection(LineCollection(lines, colors=colour, linewidths=0.8, alpha=alpha))
        share = f"{100 * len(members) / len(laps):.1f} %" if laps else "-"
        _frame(ax, limits, f"{label}: {share} ({len(members)})")
        ax.label_outer()
    return figure


def _stretch(points: Array, lap: LabelledSpan) -> Array:
    """Return the points (n, 2) of a lap, from the one nearest to its beginning to the one nearest to its end."""
    return points[round(lap.start) : round(lap.end) + 1]


def _plane(what: str, points: Array) -> Array:
    """Return the points of a trace as an array, after a check of its shape."""
    points = np.asarray(points, dtype=np.float64)
    if points.ndim != 2 or points.shape[1] != 2 or len(points) == 0:
        raise ValueError(f"{what} must have the shape (T, 2) with T >= 1, but has {points.shape}.")
    return points


def _box(points: Array) -> Array:
    """Return the lower and upper corner (2, 2) of the finite points (T, 2); NaN where there are none."""
    finite = points[np.isfinite(points).all(axis=1)]
    return np.stack([finite.min(axis=0), finite.max(axis=0)]) if len(finite) else np.full((2, 2), np.nan)


def _common_box(boxes: Sequence[Array]) -> Array:
    """Return the box around all boxes, except those more than three times as large as the median."""
    stacked = np.array([box for box in boxes if np.isfinite(box).all()])
    if not len(stacked):
        return np.full((2, 2), np.nan)
    sizes = (stacked[:, 1] - stacked[:, 0]).max(axis=1)
    usual = stacked[sizes <= 3.0 * np.median(sizes)]
    return np.stack([usual[:, 0].min(axis=0), usual[:, 1].max(axis=0)])


def _grown(box: Array, margin: float) -> Array:
    """Return the box with a margin, a share of its longer side. A box without extent, or of NaN, becomes one of size 2."""
    if not np.isfinite(box).all():
        return np.array([[-1.0, -1.0], [1.0, 1.0]])
    side = (box[1] - box[0]).max() or 2.0 / (2 * margin)
    # A flat trace gets a panel that is at least a third as high as wide.
    half = np.maximum((box[1] - box[0]) / 2 + margin * side, side / 6)
    return np.stack([box.mean(axis=0) - half, box.mean(axis=0) + half])


def _panel_size(limits: Array, longer: float) -> tuple[float, float]:
    """Return the width and height of a panel in inches: the aspect of its limits, with the given longer side."""
    extent = limits[1] - limits[0]
    width, height = longer * extent / extent.max()
    return float(width), float(height)


def _near(points: Array, limits: Array) -> Array:
    """Return the points with those far outside moved nearer, but still outside: renderers fail at coordinates such as 1e30."""
    reach = 10.0 * (limits[1] - limits[0])
    near: Array = np.clip(points, limits[0] - reach, limits[1] + reach)
    return near


def _draw_trace(
    ax: Axes, points: Array, limits: Array, steps: Normalize, lifted: NDArray[np.bool_] | None = None
) -> LineCollection:
    """Draw one trace coloured by time, with a mark at its start; stretches that are lifted or not finite are left out."""
    near = _near(points, limits)
    segments = np.stack([near[:-1], near[1:]], axis=1)
    finite = np.isfinite(segments).all(axis=(1, 2))
    if lifted is not None:
        finite &= ~lifted[:-1]
    width = float(np.clip(30.0 / np.sqrt(len(points)), 0.7, 1.8))
    lines = LineCollection(list(segments[finite]), cmap=TIME, norm=steps, linewidths=width, capstyle="round")
    lines.set_array(np.flatnonzero(finite))
    ax.add_collection(lines)
    ax.plot(*near[0], "o", markersize=4.5, markerfacecolor="white", markeredgecolor=TIME(0.0), zorder=3)
    return lines


def _hidden_points(points: Array, limits: Array) -> str:
    """Return the text for what a panel does not show: the shares of points outside and missing, and a non-finite end."""
    finite = np.asarray(np.isfinite(points).all(axis=1))
    end = len(points) - int(np.argmax(finite[::-1])) if finite.any() else 0
    outside = finite & ((points < limits[0]) | (points > limits[1])).any(axis=1)
    parts = []
    if outside.any():
        parts.append(f"{100 * outside.mean():.1f} % outside")
    if not finite[:end].all():
        parts.append(f"{100 * (~finite[:end]).mean():.1f} % missing")
    if end < len(points):
        parts.append(f"not finite from step {end}")
    return ", ".join(parts)


def _frame(ax: Axes, limits: Array, title: str, size: int = 10) -> None:
    """Set limits, equal aspect, a title, few ticks and a pale frame."""
    ax.set_xlim(limits[0, 0], limits[1, 0])
    ax.set_ylim(limits[0, 1], limits[1, 1])
    ax.set_aspect("equal")
    if title:
        ax.set_title(title, fontsize=size, color=INK)
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
    ax.tick_params(labelsize=8, length=0, colors=INK)
    ax.spines[:].set_color(QUIET)
    ax.spines[:].set_linewidth(0.6)
    ax.grid(color=QUIET, linewidth=0.4, alpha=0.5)
    ax.set_axisbelow(True)
