"""Figures of series: each channel over time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from vrnn.plots.style import HUES, INK, QUIET, Array, Sequences, plain_axes, roomy

MOST_CHANNELS = 8  # rows of a figure


def plot_series(panels: Mapping[str, Sequences], names: Sequence[str] = ()) -> Figure:
    """Plot sequences over time, a row for each of the first 8 channels and a colour for each panel.

    Args:
        panels: title -> sequences, each (T, d); a missing number (NaN) is a gap in its line.
        names: What the channels are called; (): their numbers.

    Raises:
        ValueError: There are no sequences.
    """
    figure, axes = _rows(_width(panels), names)
    for row, ax in enumerate(axes):
        for i, (title, sequences) in enumerate(panels.items()):
            for j, sequence in enumerate(sequences):
                label = title if j == 0 else None
                ax.plot(sequence[:, row], color=HUES[i % len(HUES)], linewidth=1.0, alpha=0.8, label=label)
    return _finished(figure, axes)


def plot_series_grid(sequences: Sequences, titles: Sequence[str] | None = None) -> Figure:
    """Plot sequences (T, d) in a grid with common limits, with a line for each channel.

    Raises:
        ValueError: There are no sequences.
    """
    if not len(sequences):
        raise ValueError("sequences must be at least one, but there are none.")
    columns = min(2, len(sequences))
    rows = int(np.ceil(len(sequences) / columns))
    figure = Figure(figsize=(4.6 * columns, 1.5 * rows + 0.4), dpi=110, layout=roomy())
    axes = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).ravel()
    for i, ax in enumerate(axes):
        if i >= len(sequences):
            ax.set_visible(False)
            continue
        for channel, values in enumerate(sequences[i].T):
            ax.plot(values, color=HUES[channel % len(HUES)], linewidth=0.9)
        ax.set_title("" if titles is None else titles[i], fontsize=9, color=INK)
        plain_axes(ax)
    figure.supxlabel("step", fontsize=8, color=INK)
    return figure


def plot_fan(truth: Array, reconstruction: Array, samples: Array, begin: int, names: Sequence[str] = ()) -> Figure:
    """Plot a sequence, its reconstruction, and a fan of ways in which a model continues it.

    Args:
        truth: (T, d), NaN where a number is missing.
        reconstruction: (T, d).
        samples: (n, T, d); they are shown from step `begin` on.
        begin: The first step that the samples did not see.
        names: What the channels are called; (): their numbers.
    """
    figure, axes = _rows(truth.shape[1], names)
    steps = np.arange(begin, len(truth))
    for row, ax in enumerate(axes):
        for j, sample in enumerate(samples[:, begin:, row]):
            label = "continued by the model" if j == 0 else None
            ax.plot(steps, sample, color=HUES[1], linewidth=0.7, alpha=0.35, label=label)
        ax.plot(reconstruction[:, row], color=HUES[2], linewidth=1.0, label="reconstruction")
        ax.plot(truth[:, row], color=HUES[0], linewidth=1.0, label="truth")
        ax.axvline(begin - 0.5, color=QUIET, linewidth=0.8)
    return _finished(figure, axes)


def _width(panels: Mapping[str, Sequences]) -> int:
    sequences = [sequence for panel in panels.values() for sequence in panel]
    if not sequences:
        raise ValueError("panels must have at least one sequence, but have none.")
    return int(sequences[0].shape[1])


def _rows(width: int, names: Sequence[str]) -> tuple[Figure, Sequence[Axes]]:
    count = min(width, MOST_CHANNELS)
    figure = Figure(figsize=(8.4, 1.3 * count + 0.9), dpi=110, layout=roomy())
    axes = figure.subplots(count, 1, sharex=True, squeeze=False)[:, 0]
    for row, ax in enumerate(axes):
        ax.set_ylabel(names[row] if names else f"x{row}", fontsize=8, color=INK)
    if count < width:
        axes[0].set_title(f"the first {count} of {width} channels", fontsize=8, color=INK, loc="left")
    return figure, list(axes)


def _finished(figure: Figure, axes: Sequence[Axes]) -> Figure:
    for ax in axes:
        plain_axes(ax)
    axes[-1].set_xlabel("step", fontsize=8, color=INK)
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper right", ncols=4, fontsize=8, frameon=False, labelcolor=INK)
    return figure
