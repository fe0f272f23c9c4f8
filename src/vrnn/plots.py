"""Every figure: what was drawn, how it was judged, and what the latent variables carry.

Each function returns a matplotlib `Figure` that belongs to nobody else: no pyplot, no global state, no display. The
caller saves or logs it. Colours are safe for colour-blind eyes; time runs from dark to light along a trace.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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


def sheet_figure(traces: Array, titles: Sequence[str] | None = None, lifted: NDArray[np.bool_] | None = None) -> Figure:
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
    titles = None if titles is None else [textwrap.fill(title, max(8, int(11 * width))) for title in titles]
    gap = 0.0 if titles is None else 0.08 + 0.17 * max(title.count("\n") + 1 for title in titles)
    figure = Figure(figsize=(width * columns + 0.4, (height + gap) * rows + 0.4), dpi=110, layout="compressed")
    axes = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).ravel()
    for i, ax in enumerate(axes):
        if i >= len(traces):
            ax.set_visible(False)
            continue
        steps = Normalize(0, max(1, traces.shape[1] - 1))
        _draw_trace(ax, traces[i], limits, steps, None if lifted is None else lifted[i])
        _frame(ax, limits, "" if titles is None else titles[i], ticks=False)
    return figure


def images_figure(panels: Mapping[str, Array]) -> Figure:
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
    figure = Figure(figsize=(side * columns + 0.2, (side + 0.3) * rows + 0.2), dpi=110, layout=_roomy())
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


@dataclass(frozen=True)
class Spread:
    """How wide the prior is along a trace. title: what the values (T, n) are; stacked: whether a step's n add up to 1."""

    title: str
    values: Array
    stacked: bool = False


Marks = Sequence[tuple[float, str]]  # when a lap begins, and what it is called


def latent_figure(kl: Array, marks: Marks, spreads: Sequence[Spread], generated_marks: Marks) -> Figure:
    """Draw where the latent variables work: the KL along a held-out trace, and below it the prior along a generated one.

    kl: (T,), KL(q‖p) in nats a step. spreads: a panel each, for example the prior's standard deviations as lines, or a
    variable's class probabilities stacked. marks, generated_marks: (step, name) where a lap begins.

    Raises:
        ValueError: kl that is not (T,) with T >= 1, or no spreads.
    """
    kl = np.asarray(kl, dtype=np.float64)
    if kl.ndim != 1 or kl.size == 0 or not spreads:
        raise ValueError(f"expected kl of shape (T,) with T >= 1 and a spread or more, got {kl.shape}, {len(spreads)}")
    names = sorted({name for _, name in (*marks, *generated_marks)} - {INVALID})
    hues = {name: HUES[i % len(HUES)] for i, name in enumerate(names)} | {INVALID: WRONG}
    height = 2.2 + 1.6 * len(spreads)
    figure = Figure(figsize=(10.5, height), dpi=110, layout=_roomy())
    axes = figure.subplots(1 + len(spreads), 1, sharex=True)
    axes[0].fill_between(np.arange(len(kl)), kl, color=QUIET, step="mid", linewidth=0)
    axes[0].plot(kl, color=INK, linewidth=0.9, drawstyle="steps-mid")
    axes[0].set_ylim(bottom=0.0)
    axes[0].set_title("KL along a held-out trace, nats a step", fontsize=10, color=INK, pad=20)
    _mark(axes[0], marks, hues, len(kl))
    for i, (ax, spread) in enumerate(zip(axes[1:], spreads, strict=True)):
        steps, values = np.arange(len(spread.values)), np.asarray(spread.values, dtype=np.float64)
        colours = [HUES[n % len(HUES)] for n in range(values.shape[1])]
        if spread.stacked:
            ax.stackplot(steps, values.T, colors=colours, alpha=0.55, linewidth=0)
            ax.set_ylim(0.0, 1.0)
        else:
            for line, colour in zip(values.T, colours, strict=True):
                ax.plot(steps, line, color=colour, linewidth=1.0)
            ax.set_ylim(bottom=0.0)
        ax.set_title(f"{spread.title} along a generated trace", fontsize=10, color=INK, pad=6 if i else 20)
        _mark(ax, generated_marks, hues, len(values), named=not i)
    axes[-1].set_xlabel("step", fontsize=9, color=INK)
    axes[-1].set_xlim(0, max(len(kl), *(len(spread.values) for spread in spreads)) - 1)
    for ax in axes:
        _plain_axes(ax)
        ax.grid(axis="x", visible=False)
    return figure


def _mark(ax: Axes, marks: Marks, hues: Mapping[str, str], steps: int, named: bool = True) -> None:
    """Draw a line where each lap begins, in its name's colour, and write the name above it."""
    for step, name in marks:
        if 0 <= step < steps:
            ax.axvline(step, color=hues[name], linewidth=1.0, linestyle=(0, (4, 2)))
            if named:
                ax.text(
                    step, 1.02, name, transform=ax.get_xaxis_transform(), fontsize=7, color=hues[name], clip_on=False
                )


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
        ax.plot(at, [np.nanmean(scores[places == x]) for x in at], "_-", markersize=14, linewidth=0.8, color=INK)
        ax.set_title(key, fontsize=10, color=INK)
        _plain_axes(ax)
    for ax in axes[len(parameters) :]:
        ax.set_visible(False)
    figure.supylabel(name, fontsize=9, color=INK)
    return figure


def _places(ax: Axes, values: Sequence[object]) -> Array:
    """Say where a parameter's values lie on the x axis, and set it up."""
    numbers = [value for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
    if len(numbers) == len(values):
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
