"""Figures of many runs: scores against settings, intervals, learning curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from vrnn.plots.style import HUES, INK, QUIET, Array, literal, plain_axes, roomy

LONGEST_TICK, LONGEST_TITLE, LONGEST_LABEL = 28, 60, 100  # characters: longer ones would not fit


def plot_sweep(scores: Array, parameters: Mapping[str, Sequence[object]], name: str) -> Figure:
    """Plot a score against each parameter of a sweep, a panel each: every run as a dot, and the mean for each value.

    Args:
        scores: (n,), of n runs.
        parameters: name -> its value in each of the n runs. Numbers are on a linear axis, or on a logarithmic one if they span
            more than a factor of 30. Other values are side by side.
        name: The score's name.

    Raises:
        ValueError: There are no parameters, or a parameter does not have a value for each run.
    """
    if not parameters or any(len(values) != len(scores) for values in parameters.values()):
        counts = {key: len(values) for key, values in parameters.items()}
        raise ValueError(f"parameters must have a value for each of {len(scores)} runs, but have {counts}.")
    columns = min(4, len(parameters))
    height = int(np.ceil(len(parameters) / columns))
    figure = Figure(figsize=(3.2 * columns + 0.6, 2.8 * height + 0.3), dpi=110, layout=roomy())
    axes = figure.subplots(height, columns, sharey=True, squeeze=False).ravel()
    for ax, (key, values) in zip(axes, parameters.items(), strict=False):
        places = _places(ax, values)
        ax.plot(places, scores, "o", markersize=4, alpha=0.5, color=HUES[0], markeredgewidth=0)
        at = np.unique(places)
        means = [np.nanmean(scores[places == x]) for x in at]
        line = "-" if _numbers(values) else "none"  # no line between names
        ax.plot(at, means, "_", linestyle=line, markersize=14, linewidth=0.8, color=INK)
        ax.set_title(literal(key, LONGEST_TITLE), fontsize=10, color=INK)
        plain_axes(ax)
    for ax in axes[len(parameters) :]:
        ax.set_visible(False)
    figure.supylabel(name, fontsize=9, color=INK)
    return figure


def _numbers(values: Sequence[object]) -> list[float]:
    """Return the values if all are numbers; otherwise none."""
    numbers = [value for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
    return numbers if len(numbers) == len(values) else []


def _places(ax: Axes, values: Sequence[object]) -> Array:
    """Return the positions of a parameter's values on the x axis, and set the axis up for them."""
    if numbers := _numbers(values):
        if min(numbers) > 0 and max(numbers) > 30 * min(numbers):
            ax.set_xscale("log")
        return np.array(numbers, dtype=np.float64)
    names = sorted({str(value) for value in values})
    labels = [literal(name, LONGEST_TICK) for name in names]
    ax.set_xticks(range(len(names)), labels=labels, rotation=20 if max(map(len, names)) > 8 else 0)
    ax.set_xlim(-0.5, len(names) - 0.5)
    return np.array([names.index(str(value)) for value in values], dtype=np.float64)


def plot_intervals(scores: Mapping[str, Mapping[str, tuple[float, float, float]]]) -> Figure:
    """Plot scores with their intervals: a panel per score, a row per setting, from top to bottom.

    Args:
        scores: score -> {setting: (mean, low, high)}, with the same settings for each score; NaN where there is no value.

    Raises:
        ValueError: There are no scores, or no settings.
    """
    if not scores or not (labels := list(next(iter(scores.values())))):
        raise ValueError("scores must have at least one score of one setting, but have none.")
    figure = Figure(figsize=(2.0 + 2.3 * len(scores), 0.9 + 0.26 * len(labels)), dpi=110, layout=roomy())
    axes = figure.subplots(1, len(scores), sharey=True, squeeze=False)[0]
    places = np.arange(len(labels))
    for i, (ax, (name, rows)) in enumerate(zip(axes, scores.items(), strict=True)):
        means, low, high = np.array([rows[label] for label in labels]).T
        low, high = np.where(np.isnan(low), means, low), np.where(np.isnan(high), means, high)
        ax.hlines(places, low, high, color=QUIET, linewidth=3)
        ax.plot(means, places, "o", markersize=5, color=HUES[i % len(HUES)])
        ax.set_title(name.replace("_", " "), fontsize=9, color=INK)
        ax.xaxis.set_major_locator(MaxNLocator(4))
        plain_axes(ax)
    axes[0].set_yticks(places, labels=labels)
    axes[0].set_ylim(len(labels) - 0.5, -0.5)
    return figure


def plot_curves(curves: Mapping[str, tuple[NDArray[np.int64], Array]], name: str) -> Figure:
    """Plot learning curves: the first six in colour, as mean and range over runs; the means of the others in grey.

    The lowest tenth of all values is outside the figure: the first values of a training would flatten the rest.

    Args:
        curves: label -> (steps (T,), values (n, T) of n runs), NaN where a run has no value.
        name: What the values are.

    Raises:
        ValueError: There are no curves.
    """
    if not curves:
        raise ValueError("curves must be at least one, but there are none.")
    figure = Figure(figsize=(8.4, 4.4), dpi=110, layout=roomy())
    ax = figure.subplots()
    for i, (label, (steps, values)) in enumerate(curves.items()):
        counts = np.isfinite(values).sum(axis=0)
        mean = np.nansum(values, axis=0) / np.where(counts, counts, np.nan)
        if i >= len(HUES):
            ax.plot(steps, mean, color=QUIET, linewidth=0.7, zorder=1)
            continue
        ax.plot(
            steps,
            mean,
            color=HUES[i],
            linewidth=1.4,
            label=literal(label, LONGEST_LABEL),
            marker="o" if len(steps) == 1 else None,
        )
        has_values = counts > 0
        low, high = np.nanmin(values[:, has_values], axis=0), np.nanmax(values[:, has_values], axis=0)
        ax.fill_between(steps[has_values], low, high, color=HUES[i], alpha=0.18, linewidth=0)
    finite = np.concatenate([values[np.isfinite(values)] for _, values in curves.values()])
    if len(finite):
        low, high = np.quantile(finite, [0.1, 1.0])
        margin = 0.05 * (high - low) or 1.0
        ax.set_ylim(low - margin, high + margin)
    ax.set_xlabel("step", fontsize=9, color=INK)
    ax.set_ylabel(name, fontsize=9, color=INK)
    legend = ax.legend(fontsize=7, frameon=False, labelcolor=INK)
    legend.set_in_layout(False)  # long labels must not push the axes out of the figure
    plain_axes(ax)
    return figure
