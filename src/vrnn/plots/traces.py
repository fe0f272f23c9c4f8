"""Figures of sequences: traces coloured by time, from dark to light, images, and laps on top of each other."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from vrnn.plots.style import HUES, INK, INVALID, QUIET, TIME, WRONG, Array, roomy

LAPS_DRAWN = 300  # more lines than this in one panel only make a blot


class Lap(Protocol):
    """What `plot_laps` needs to know of a lap: it lasts from `start` to `end`, in steps, fractions allowed."""

    @property
    def label(self) -> str:
        """The pattern's name, or "invalid"."""

    @property
    def start(self) -> float:
        """When it begins."""

    @property
    def end(self) -> float:
        """When it ends: the next one's start."""


def plot_traces(panels: Mapping[str, Array]) -> Figure:
    """Draw traces side by side, coloured by time, all within the limits of the first.

    panels: title -> points (T, 2); T may differ. The axes show the first trace's box and a margin, so that a diverging
    one cannot squash the picture: a panel says which share of its points lies outside, and from where they are NaN.

    Raises:
        ValueError: no panels, or points that are not (T, 2).
    """
    if not panels:
        raise ValueError("expected at least one trace to draw, got none")
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
        ax.text(0.02, 0.02, _strays(points, limits), transform=ax.transAxes, fontsize=8, color=WRONG)
    bar = figure.colorbar(lines, ax=list(axes), fraction=0.03, pad=0.02, aspect=30)
    bar.outline.set_visible(False)
    bar.ax.tick_params(labelsize=8, length=0, colors=INK)
    bar.locator = MaxNLocator(4, integer=True)
    bar.set_label("step", fontsize=8, color=INK)
    return figure


def plot_trace_grid(
    traces: Array, titles: Sequence[str] | None = None, lifted: NDArray[np.bool_] | None = None
) -> Figure:
    """Draw n traces (n, T, 2) in a grid with common limits, coloured by time.

    lifted: (n, T), True where no line leads from a point to the next one.

    The limits hold every trace of a normal size; one more than three times as large as the median is cut off.

    Raises:
        ValueError: traces of another shape, none of them, or a number of titles other than n.
    """
    traces = np.asarray(traces, dtype=np.float64)
    if traces.ndim != 3 or traces.shape[-1] != 2 or traces.size == 0:
        raise ValueError(f"expected traces of shape (n, T, 2) with n, T >= 1, got {traces.shape}")
    if titles is not None and len(titles) != len(traces):
        raise ValueError(f"expected one title for each of {len(traces)} traces, got {len(titles)}")
    limits = _grown(_common_box([_box(points) for points in traces]), 0.08)
    columns = int(np.ceil(np.sqrt(len(traces))))
    rows = int(np.ceil(len(traces) / columns))
    width, height = _panel_size(limits, max(1.4, 3.2 - 0.4 * columns))
    size = 8 if any(len(title) > 11 * width for title in titles or ()) else 10
    if titles is not None:
        titles = [textwrap.fill(title, max(8, int(13 * width)), break_long_words=False) for title in titles]
    gap = 0.0 if titles is None else 0.08 + 0.17 * max(title.count("\n") + 1 for title in titles)
    figure = Figure(figsize=(width * columns + 0.4, (height + gap) * rows + 0.4), dpi=110, layout="compressed")
    axes = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).ravel()
    for i, ax in enumerate(axes):
        if i >= len(traces):
            ax.set_visible(False)
            continue
        steps = Normalize(0, max(1, traces.shape[1] - 1))
        _draw_trace(ax, traces[i], limits, steps, None if lifted is None else lifted[i])
        _frame(ax, limits, "" if titles is None else titles[i], ticks=False, size=size)
    return figure


def plot_images(panels: Mapping[str, Array]) -> Figure:
    """Draw blocks of images side by side, pixels from 0 (white) to 1 (black); NaN, a pixel nobody saw, is coloured.

    panels: title -> images (n, height, width), the first row at the top.

    Raises:
        ValueError: no panels, or images of another shape, or none.
    """
    if not panels:
        raise ValueError("expected at least one panel of images to draw, got none")
    blocks = {title: _block(title, images) for title, images in panels.items()}
    columns = min(len(blocks), 4)
    rows = int(np.ceil(len(blocks) / columns))
    side = 5.0 if len(blocks) == 1 else 3.2
    figure = Figure(figsize=(side * columns + 0.2, (side + 0.3) * rows + 0.2), dpi=110, layout=roomy())
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    ink = colormaps["Greys"].with_extremes(bad=HUES[1], under=QUIET)
    for ax, (title, block) in zip(axes, blocks.items(), strict=False):
        ax.imshow(block, cmap=ink, vmin=0.0, vmax=1.0, interpolation="nearest")
        ax.set_title(title, fontsize=10, color=INK)
    for ax in axes:
        ax.set_axis_off()
    return figure


def _block(what: str, images: Array) -> Array:
    """Return images (n, height, width) in a grid of few columns more than rows, with lines of -1 between and around them."""
    images = np.asarray(images, dtype=np.float64)
    if images.ndim != 3 or images.size == 0:
        raise ValueError(f"{what or 'images'}: expected shape (n, height, width), each >= 1, got {images.shape}")
    n, height, width = images.shape
    columns = int(np.ceil(np.sqrt(n)))
    rows = int(np.ceil(n / columns))
    block = np.full((rows * (height + 1) + 1, columns * (width + 1) + 1), -1.0)
    for i, image in enumerate(images):
        top, left = 1 + i // columns * (height + 1), 1 + i % columns * (width + 1)
        block[top : top + height, left : left + width] = np.clip(image, 0.0, 1.0)
    return block


def plot_laps(points: Array, laps: Sequence[Lap]) -> Figure:
    """Draw a trace's laps on top of each other, one panel a label with its count and share, invalid ones last.

    points: (T, 2). laps: anything with `label`, `start` and `end`. At most 300 laps a panel are drawn, evenly chosen;
    the counts are of all. The limits are those of the valid laps.

    Raises:
        ValueError: points that are not (T, 2).
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
        lines = [_tamed(_stretch(points, lap), limits) for lap in chosen]
        colour = WRONG if label == INVALID else HUES[i % len(HUES)]
        alpha = float(np.clip(12.0 / max(1, len(lines)), 0.12, 0.9))
        ax.add_collection(LineCollection(lines, colors=colour, linewidths=0.8, alpha=alpha))
        share = f"{100 * len(members) / len(laps):.1f} %" if laps else "-"
        _frame(ax, limits, f"{label}: {share} ({len(members)})")
        ax.label_outer()
    return figure


def _stretch(points: Array, lap: Lap) -> Array:
    """The points (n, 2) nearest to a lap's beginning, its end, and all between."""
    return points[round(lap.start) : round(lap.end) + 1]


def _plane(what: str, points: Array) -> Array:
    points = np.asarray(points, dtype=np.float64)
    if points.ndim != 2 or points.shape[1] != 2 or len(points) == 0:
        raise ValueError(f"{what}: expected points of shape (T, 2) with T >= 1, got {points.shape}")
    return points


def _box(points: Array) -> Array:
    """Return the lower and upper corner (2, 2) of the finite points (T, 2); NaN where there are none."""
    finite = points[np.isfinite(points).all(axis=1)]
    return np.stack([finite.min(axis=0), finite.max(axis=0)]) if len(finite) else np.full((2, 2), np.nan)


def _common_box(boxes: Sequence[Array]) -> Array:
    """Return the box around all boxes, but for those more than three times as large as the median."""
    stacked = np.array([box for box in boxes if np.isfinite(box).all()])
    if not len(stacked):
        return np.full((2, 2), np.nan)
    sizes = (stacked[:, 1] - stacked[:, 0]).max(axis=1)
    usual = stacked[sizes <= 3.0 * np.median(sizes)]
    return np.stack([usual[:, 0].min(axis=0), usual[:, 1].max(axis=0)])


def _grown(box: Array, margin: float) -> Array:
    """Return the box with a margin, a share of its longer side; a box without extent or NaN becomes one of size 2."""
    if not np.isfinite(box).all():
        return np.array([[-1.0, -1.0], [1.0, 1.0]])
    side = (box[1] - box[0]).max() or 2.0 / (2 * margin)
    # A flat trace still gets a panel one can look at: at least a third as high as wide.
    half = np.maximum((box[1] - box[0]) / 2 + margin * side, side / 6)
    return np.stack([box.mean(axis=0) - half, box.mean(axis=0) + half])


def _panel_size(limits: Array, longer: float) -> tuple[float, float]:
    """Return a panel's width and height in inches: the limits' shape, with the longer side given."""
    extent = limits[1] - limits[0]
    width, height = longer * extent / extent.max()
    return float(width), float(height)


def _tamed(points: Array, limits: Array) -> Array:
    """Return the points, those far outside moved to where they are still out of sight: no renderer likes 1e30."""
    reach = 10.0 * (limits[1] - limits[0])
    tamed: Array = np.clip(points, limits[0] - reach, limits[1] + reach)
    return tamed


def _draw_trace(
    ax: Axes, points: Array, limits: Array, steps: Normalize, lifted: NDArray[np.bool_] | None = None
) -> LineCollection:
    """Draw one trace coloured by time, its start marked; stretches that are lifted or not finite are left out."""
    tamed = _tamed(points, limits)
    segments = np.stack([tamed[:-1], tamed[1:]], axis=1)
    finite = np.isfinite(segments).all(axis=(1, 2))
    if lifted is not None:
        finite &= ~lifted[:-1]
    width = float(np.clip(30.0 / np.sqrt(len(points)), 0.7, 1.8))
    lines = LineCollection(list(segments[finite]), cmap=TIME, norm=steps, linewidths=width, capstyle="round")
    lines.set_array(np.flatnonzero(finite))
    ax.add_collection(lines)
    ax.plot(*tamed[0], "o", markersize=4.5, markerfacecolor="white", markeredgecolor=TIME(0.0), zorder=3)
    return lines


def _strays(points: Array, limits: Array) -> str:
    """Say what the panel does not show: the shares of points outside and missing, and where they stop being finite."""
    finite = np.asarray(np.isfinite(points).all(axis=1))
    end = len(points) - int(np.argmax(finite[::-1])) if finite.any() else 0
    outside = finite & ((points < limits[0]) | (points > limits[1])).any(axis=1)
    said = []
    if outside.any():
        said.append(f"{100 * outside.mean():.1f} % outside")
    if not finite[:end].all():
        said.append(f"{100 * (~finite[:end]).mean():.1f} % missing")
    if end < len(points):
        said.append(f"not finite from step {end}")
    return ", ".join(said)


def _frame(ax: Axes, limits: Array, title: str, ticks: bool = True, size: int = 10) -> None:
    """Set limits, equal aspect, a title, few ticks and a quiet frame."""
    ax.set_xlim(limits[0, 0], limits[1, 0])
    ax.set_ylim(limits[0, 1], limits[1, 1])
    ax.set_aspect("equal")
    if title:
        ax.set_title(title, fontsize=size, color=INK)
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
    ax.tick_params(labelsize=8, length=0, colors=INK, labelbottom=ticks, labelleft=ticks)
    ax.spines[:].set_color(QUIET)
    ax.spines[:].set_linewidth(0.6)
    ax.grid(color=QUIET, linewidth=0.4, alpha=0.5)
    ax.set_axisbelow(True)
