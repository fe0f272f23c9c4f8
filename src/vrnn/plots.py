"""Every figure: what was drawn, how it was judged, and what the latent variables carry.

Each function returns a matplotlib `Figure` that belongs to nobody else: no pyplot, no global state, no display. The
caller saves or logs it. Colours are safe for colour-blind eyes; time runs from dark to light along a trace.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

Array = NDArray[np.float64]

# viridis without its last, palest tenth, which fades on white
TIME = LinearSegmentedColormap.from_list("time", colormaps["viridis"](np.linspace(0.0, 0.9, 256)))
# Okabe and Ito's palette, vermilion kept for what is wrong
HUES = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#8C6D00")
WRONG, QUIET, INK = "#D55E00", "#B8BEC4", "#333A40"

INVALID = "invalid"  # the label of laps that are no pattern's
LAPS_DRAWN = 300  # more lines than this in one panel only make a blot
ACTIVE = 0.01  # nats a step from which a latent dimension counts as used


class Lap(Protocol):
    """What `laps_figure` needs to know of a lap: it lasts from `start` to `end`, in steps, fractions allowed."""

    @property
    def label(self) -> str:
        """The pattern's name, or "invalid"."""

    @property
    def start(self) -> float:
        """When it begins."""

    @property
    def end(self) -> float:
        """When it ends: the next one's start."""


def save(figure: Figure, path: Path) -> None:
    """Write a figure as a file whose suffix names the format; its folder is made where it is missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)


def traces_figure(panels: Mapping[str, Array]) -> Figure:
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


def sheet_figure(traces: Array, titles: Sequence[str] | None = None) -> Figure:
    """Draw n traces (n, T, 2) in a grid with common limits, coloured by time.

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
    titles = None if titles is None else [textwrap.fill(title, max(8, int(11 * width))) for title in titles]
    gap = 0.0 if titles is None else 0.08 + 0.17 * max(title.count("\n") + 1 for title in titles)
    figure = Figure(figsize=(width * columns + 0.4, (height + gap) * rows + 0.4), dpi=110, layout="compressed")
    axes = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).ravel()
    for i, ax in enumerate(axes):
        if i >= len(traces):
            ax.set_visible(False)
            continue
        _draw_trace(ax, traces[i], limits, Normalize(0, max(1, traces.shape[1] - 1)))
        _frame(ax, limits, "" if titles is None else titles[i], ticks=False)
    return figure


def transition_figure(names: Sequence[str], truth: Array, model: Array, se: Array) -> Figure:
    """Draw the transition matrix of the truth beside the model's, as heat maps with numbers.

    names: n states. truth, model, se: (n, n), rows = from, columns = to; NaN (a state never left) is drawn as a dash.

    Raises:
        ValueError: a matrix that is not (n, n).
    """
    n = len(names)
    for what, matrix in (("truth", truth), ("model", model), ("se", se)):
        if np.shape(matrix) != (n, n):
            raise ValueError(f"{what}: expected a matrix of shape {(n, n)} for {n} names, got {np.shape(matrix)}")
    cell = 0.9
    figure = Figure(figsize=(2 * n * cell + 2.2, n * cell + 1.2), dpi=110, layout=_roomy())
    axes = figure.subplots(1, 2, sharey=True)
    for ax, title, matrix, errors in ((axes[0], "truth", truth, None), (axes[1], "model", model, se)):
        ax.imshow(np.asarray(matrix, dtype=np.float64), vmin=0.0, vmax=1.0, cmap="Blues")
        for (row, column), share in np.ndenumerate(matrix):
            error = "" if errors is None else f"\n± {errors[row][column]:.3f}"
            label = f"{share:.2f}{error}" if np.isfinite(share) else "-"
            ax.text(column, row, label, ha="center", va="center", fontsize=9, color="white" if share > 0.55 else INK)
        ax.set_xticks(range(n), labels=names, fontsize=9, rotation=0 if max(map(len, names)) < 10 else 30, color=INK)
        ax.set_yticks(range(n), labels=names, fontsize=9, color=INK)
        ax.set_title(title, fontsize=11, color=INK)
        ax.set_xlabel("to", fontsize=9, color=INK)
        ax.tick_params(length=0)
        ax.spines[:].set_visible(False)
    axes[0].set_ylabel("from", fontsize=9, color=INK)
    return figure


def laps_figure(points: Array, laps: Sequence[Lap]) -> Figure:
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


def latent_figure(kl: Array) -> Figure:
    """Draw how much each latent dimension carries: its mean KL as a bar, and when it does so as a heat map over time.

    kl: (T, z_dim), KL(q‖p) in nats a step. Dimensions of at least 0.01 nats a step count as active and are coloured.

    Raises:
        ValueError: kl that is not (T, z_dim) with T, z_dim >= 1.
    """
    kl = np.asarray(kl, dtype=np.float64)
    if kl.ndim != 2 or kl.size == 0:
        raise ValueError(f"expected kl of shape (T, z_dim) with T, z_dim >= 1, got {kl.shape}")
    known = np.where(np.isfinite(kl), kl, 0.0)
    means = known.sum(axis=0) / np.maximum(1, np.isfinite(kl).sum(axis=0))
    active = means >= ACTIVE
    dims = np.arange(kl.shape[1])
    figure = Figure(figsize=(8.4, float(np.clip(1.2 + 0.22 * len(dims), 2.4, 8.0))), dpi=110, layout=_roomy())
    bars, heat = figure.subplots(1, 2, sharey=True, width_ratios=(2, 3))
    bars.barh(dims, means, color=np.where(active, HUES[0], QUIET), height=0.75)
    bars.axvline(ACTIVE, color=INK, linewidth=0.8, linestyle=(0, (4, 3)))
    bars.set_xlim(0.0, 1.08 * max(means.max(), 2 * ACTIVE))
    bars.set_xlabel("nats a step", fontsize=9, color=INK)
    bars.set_ylabel("latent dimension", fontsize=9, color=INK)
    bars.set_title(f"KL: {means.sum():.3g} nats a step, {active.sum()} of {len(dims)} active", fontsize=10, color=INK)
    image = heat.imshow(kl.T, aspect="auto", interpolation="nearest", cmap="Blues", vmin=0.0, vmax=_bright(known))
    heat.set_xlabel("step", fontsize=9, color=INK)
    heat.set_title("when", fontsize=10, color=INK)
    bar = figure.colorbar(image, ax=heat, fraction=0.04, pad=0.02)
    bar.outline.set_visible(False)
    for ax in (bars, heat, bar.ax):
        ax.spines[:].set_visible(False)
        ax.tick_params(labelsize=8, length=0, colors=INK)
    bars.yaxis.set_major_locator(MaxNLocator(16, integer=True))
    bars.set_ylim(len(dims) - 0.5, -0.5)
    return figure


def _roomy() -> ConstrainedLayoutEngine:
    """Return a layout that leaves a margin around titles, which TensorBoard's thumbnails would cut close."""
    return ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.1)


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


def _draw_trace(ax: Axes, points: Array, limits: Array, steps: Normalize) -> LineCollection:
    """Draw one trace coloured by time, its start marked; stretches that are not finite are left out."""
    tamed = _tamed(points, limits)
    segments = np.stack([tamed[:-1], tamed[1:]], axis=1)
    finite = np.isfinite(segments).all(axis=(1, 2))
    width = float(np.clip(30.0 / np.sqrt(len(points)), 0.7, 1.8))
    lines = LineCollection(list(segments[finite]), cmap=TIME, norm=steps, linewidths=width, capstyle="round")
    lines.set_array(np.flatnonzero(finite))
    ax.add_collection(lines)
    ax.plot(*tamed[0], "o", markersize=4.5, markerfacecolor="white", markeredgecolor=TIME(0.0), zorder=3)
    return lines


def _strays(points: Array, limits: Array) -> str:
    """Say what the panel does not show: the share of points outside, and where they stop being finite."""
    finite = np.isfinite(points).all(axis=1)
    outside = finite & ((points < limits[0]) | (points > limits[1])).any(axis=1)
    said = []
    if outside.any():
        said.append(f"{100 * outside.mean():.1f} % outside")
    if not finite.all():
        said.append(f"not finite from step {int(np.argmin(finite))}")
    return ", ".join(said)


def _frame(ax: Axes, limits: Array, title: str, ticks: bool = True) -> None:
    """Set limits, equal aspect, a title, few ticks and a quiet frame."""
    ax.set_xlim(limits[0, 0], limits[1, 0])
    ax.set_ylim(limits[0, 1], limits[1, 1])
    ax.set_aspect("equal")
    if title:
        ax.set_title(title, fontsize=10, color=INK)
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
    ax.tick_params(labelsize=8, length=0, colors=INK, labelbottom=ticks, labelleft=ticks)
    ax.spines[:].set_color(QUIET)
    ax.spines[:].set_linewidth(0.6)
    ax.grid(color=QUIET, linewidth=0.4, alpha=0.5)
    ax.set_axisbelow(True)


def _bright(values: Array) -> float:
    """Return the value to draw darkest: the 99th percentile, so that one peak does not pale the rest."""
    return float(max(np.quantile(values, 0.99), ACTIVE))


def sweep_figure(scores: Array, parameters: Mapping[str, Sequence[object]], name: str) -> Figure:
    """Draw a score against each swept parameter, one panel each: every run as a dot, and the mean of each value.

    scores: (n,). parameters: {its name: its value in each of the n runs}; numbers are placed by size, on a logarithmic axis
    where they span more than a factor of 30, anything else side by side. name: the score's.

    Raises:
        ValueError: no parameters, or a parameter without a value for each run.
    """
    if not parameters or any(len(values) != len(scores) for values in parameters.values()):
        counts = {key: len(values) for key, values in parameters.items()}
        raise ValueError(f"expected a value of each parameter for each of {len(scores)} runs, got {counts}")
    columns = min(4, len(parameters))
    height = int(np.ceil(len(parameters) / columns))
    figure = Figure(figsize=(3.2 * columns + 0.6, 2.8 * height + 0.3), dpi=110, layout=_roomy())
    axes = figure.subplots(height, columns, sharey=True, squeeze=False).ravel()
    for ax, (key, values) in zip(axes, parameters.items(), strict=False):
        places = _places(ax, values)
        ax.plot(places, scores, "o", markersize=4, alpha=0.5, color=HUES[0], markeredgewidth=0)
        at = np.unique(places)
        means = [np.nanmean(scores[places == x]) for x in at]
        line = "-" if _numbers(values) else "none"  # between names there is nothing
        ax.plot(at, means, "_", linestyle=line, markersize=14, linewidth=0.8, color=INK)
        ax.set_title(key, fontsize=10, color=INK)
        _plain_axes(ax)
    for ax in axes[len(parameters) :]:
        ax.set_visible(False)
    figure.supylabel(name, fontsize=9, color=INK)
    return figure


def _numbers(values: Sequence[object]) -> list[float]:
    """The values, if all are numbers; else none."""
    numbers = [value for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
    return numbers if len(numbers) == len(values) else []


def _places(ax: Axes, values: Sequence[object]) -> Array:
    """Say where a parameter's values lie on the x axis, and set it up."""
    if numbers := _numbers(values):
        if min(numbers) > 0 and max(numbers) > 30 * min(numbers):
            ax.set_xscale("log")
        return np.array(numbers, dtype=np.float64)
    names = sorted({str(value) for value in values})
    ax.set_xticks(range(len(names)), labels=names, rotation=20 if max(map(len, names)) > 8 else 0)
    ax.set_xlim(-0.5, len(names) - 0.5)
    return np.array([names.index(str(value)) for value in values], dtype=np.float64)


def intervals_figure(scores: Mapping[str, Mapping[str, tuple[float, float, float]]]) -> Figure:
    """Draw scores with their intervals, a panel a score, a row a setting; the first row stands on top.

    scores: {score: {setting: (mean, low, high)}}, the same settings in each; NaN where there is none.

    Raises:
        ValueError: no scores, or none has a setting.
    """
    if not scores or not (labels := list(next(iter(scores.values())))):
        raise ValueError("expected at least one score of one setting to draw, got none")
    figure = Figure(figsize=(2.0 + 2.3 * len(scores), 0.9 + 0.26 * len(labels)), dpi=110, layout=_roomy())
    axes = figure.subplots(1, len(scores), sharey=True, squeeze=False)[0]
    places = np.arange(len(labels))
    for i, (ax, (name, rows)) in enumerate(zip(axes, scores.items(), strict=True)):
        means, low, high = np.array([rows[label] for label in labels]).T
        low, high = np.where(np.isnan(low), means, low), np.where(np.isnan(high), means, high)
        ax.hlines(places, low, high, color=QUIET, linewidth=3)
        ax.plot(means, places, "o", markersize=5, color=HUES[i % len(HUES)])
        ax.set_title(name.replace("_", " "), fontsize=9, color=INK)
        ax.xaxis.set_major_locator(MaxNLocator(4))
        _plain_axes(ax)
    axes[0].set_yticks(places, labels=labels)
    axes[0].set_ylim(len(labels) - 0.5, -0.5)
    return figure


def curves_figure(curves: Mapping[str, tuple[NDArray[np.int64], Array]], name: str) -> Figure:
    """Draw learning curves: the first six in colour as mean and range over runs, the others' means in grey.

    curves: {label: (steps (T,), values (n, T))}, NaN where a run has no value. name: of the values. The axis is cut at
    the lowest tenth of all values, since a start from chance would flatten everything that matters.

    Raises:
        ValueError: no curves.
    """
    if not curves:
        raise ValueError("expected at least one curve to draw, got none")
    figure = Figure(figsize=(8.4, 4.4), dpi=110, layout=_roomy())
    ax = figure.subplots()
    for i, (label, (steps, values)) in enumerate(curves.items()):
        counts = np.isfinite(values).sum(axis=0)
        mean = np.nansum(values, axis=0) / np.where(counts, counts, np.nan)
        if i >= len(HUES):
            ax.plot(steps, mean, color=QUIET, linewidth=0.7, zorder=1)
            continue
        ax.plot(steps, mean, color=HUES[i], linewidth=1.4, label=label, marker="o" if len(steps) == 1 else None)
        there = counts > 0
        low, high = np.nanmin(values[:, there], axis=0), np.nanmax(values[:, there], axis=0)
        ax.fill_between(steps[there], low, high, color=HUES[i], alpha=0.18, linewidth=0)
    known = np.concatenate([values[np.isfinite(values)] for _, values in curves.values()])
    if len(known):
        low, high = np.quantile(known, [0.1, 1.0])
        margin = 0.05 * (high - low) or 1.0
        ax.set_ylim(low - margin, high + margin)
    ax.set_xlabel("step", fontsize=9, color=INK)
    ax.set_ylabel(name, fontsize=9, color=INK)
    ax.legend(fontsize=7, frameon=False, labelcolor=INK)
    _plain_axes(ax)
    return figure


def _plain_axes(ax: Axes) -> None:
    """Quiet ticks, frame and grid for charts."""
    ax.tick_params(labelsize=8, length=0, colors=INK)
    ax.spines[["top", "right"]].set_visible(False)
    ax.spines[:].set_color(QUIET)
    ax.grid(color=QUIET, linewidth=0.4, alpha=0.5)
    ax.set_axisbelow(True)
