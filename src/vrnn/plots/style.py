"""What all figures share: colours safe for colour-blind eyes, quiet axes, how a figure becomes a file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from numpy.typing import NDArray

from vrnn.files import write_atomically

Array = NDArray[np.float64]

# viridis without its last, palest tenth, which fades on white
TIME = LinearSegmentedColormap.from_list("time", colormaps["viridis"](np.linspace(0.0, 0.9, 256)))
# Okabe and Ito's palette, vermilion kept for what is wrong
HUES = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#8C6D00")
WRONG, QUIET, INK = "#D55E00", "#B8BEC4", "#333A40"

INVALID = "invalid"  # the label of laps that are no pattern's


def save(figure: Figure, path: Path) -> None:
    """Write a figure as a file whose suffix names the format; its folder is made where it is missing."""
    write_atomically(path, lambda file: figure.savefig(file, format=path.suffix.removeprefix(".") or "png"))


def roomy() -> ConstrainedLayoutEngine:
    """Return a layout that leaves a margin around titles, which TensorBoard's thumbnails would cut close."""
    return ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.1)


def plain_axes(ax: Axes) -> None:
    """Quiet ticks, frame and grid for charts."""
    ax.tick_params(labelsize=8, length=0, colors=INK)
    ax.spines[["top", "right"]].set_visible(False)
    ax.spines[:].set_color(QUIET)
    ax.grid(color=QUIET, linewidth=0.4, alpha=0.5)
    ax.set_axisbelow(True)
