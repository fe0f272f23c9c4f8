"""Figures of piano rolls: time to the right, low keys at the bottom."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure

from vrnn.plots.style import HUES, INK, QUIET, Array, Sequences, plain_axes, roomy

FIRST_C, OCTAVE = 3, 12  # the lowest key of a piano is A0, the first C is C1
COLUMNS = 4  # of a grid


def plot_rolls(panels: Mapping[str, Array]) -> Figure:
    """Plot piano rolls below each other, with common limits.

    Args:
        panels: title -> (T, 88): the probability that a key is down, from 0 (white) to 1 (black). A step with NaN is orange,
            one past the end of a shorter roll grey. Only the octaves are shown in which a key is down in one of the rolls.

    Raises:
        ValueError: There are no panels.
    """
    return _plot_rolls(list(panels.values()), list(panels), 1, 8.4, 2.3)


def plot_roll_grid(rolls: Sequences, titles: Sequence[str] | None = None) -> Figure:
    """Plot piano rolls, each (T, 88), in a grid with common limits.

    Raises:
        ValueError: There are no rolls.
    """
    return _plot_rolls(list(rolls), titles or [""] * len(rolls), min(COLUMNS, len(rolls)), 3.6, 1.9)


def _plot_rolls(rolls: Sequence[Array], titles: Sequence[str], columns: int, width: float, height: float) -> Figure:
    if not rolls:
        raise ValueError("Piano rolls to plot must be at least one, but there are none.")
    steps, rows = max(map(len, rolls)), int(np.ceil(len(rolls) / columns))
    low, high = _octaves(rolls)
    figure = Figure(figsize=(width * columns, height * rows + 0.4), dpi=110, layout=roomy())
    axes = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).ravel()
    greys = colormaps["Greys"].with_extremes(bad=HUES[1], under=QUIET)
    for ax, roll, title in zip(axes, rolls, titles, strict=False):
        padded = np.full((steps, roll.shape[1]), -1.0)
        padded[: len(roll)] = roll
        ax.imshow(padded.T, cmap=greys, vmin=0.0, vmax=1.0, origin="lower", aspect="auto", interpolation="nearest")
        ax.set_title(title, fontsize=9, color=INK)
        ax.set_ylim(low - 0.5, high - 0.5)
        ax.set_yticks([key for key in range(FIRST_C, roll.shape[1], OCTAVE) if low <= key < high])
        ax.set_yticklabels([f"C{1 + (int(key) - FIRST_C) // OCTAVE}" for key in ax.get_yticks()])
        plain_axes(ax)
    for ax in axes[len(rolls) :]:
        ax.set_visible(False)
    figure.supxlabel("step", fontsize=8, color=INK)
    return figure


def _octaves(rolls: Sequence[Array]) -> tuple[int, int]:
    """Return the first key and the one after the last of the octaves that are used."""
    used = np.flatnonzero(np.max([np.nanmax(roll, axis=0, initial=0.0) for roll in rolls], axis=0) > 0.5)
    keys = rolls[0].shape[1]
    if not used.size:
        return 0, keys
    low = (used[0] - FIRST_C) // OCTAVE * OCTAVE + FIRST_C
    high = ((used[-1] - FIRST_C) // OCTAVE + 1) * OCTAVE + FIRST_C + 1
    return max(0, int(low)), min(keys, int(high))
