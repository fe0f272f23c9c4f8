"""The transition matrix of the truth beside the model's."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from vrnn.plots.style import INK, Array, roomy


def plot_transitions(names: Sequence[str], truth: Array, model: Array, se: Array) -> Figure:
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
