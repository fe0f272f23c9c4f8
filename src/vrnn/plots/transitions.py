"""The figure of transition probabilities: the truth beside the model."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from vrnn.plots.style import INK, Array, roomy


def plot_transitions(names: Sequence[str], truth: Array, model: Array, se: Array) -> Figure:
    """Plot the transition matrices of the truth and of a model as heat maps with numbers.

    Args:
        names: The n states' names.
        truth: (n, n), probabilities from rows to columns.
        model: (n, n), the model's. NaN, for a state that never occurs, is shown as a dash.
        se: (n, n), the standard errors of the model's.

    Raises:
        ValueError: A matrix does not have the shape (n, n).
    """
    n = len(names)
    for what, matrix in (("truth", truth), ("model", model), ("se", se)):
        if np.shape(matrix) != (n, n):
            raise ValueError(f"{what} must have the shape {(n, n)} for {n} names, but has {np.shape(matrix)}.")
    cell = 0.9
    figure = Figure(figsize=(2 * n * cell + 2.2, n * cell + 1.2), dpi=110, layout=roomy())
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
