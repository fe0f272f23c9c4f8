"""What all figures share: colours that are safe for colour-blind readers, plain axes, and `save`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from numpy.typing import NDArray

from vrnn.files import write_atomically
from vrnn.text import printable

Array = NDArray[np.float64]
Sequences = Array | Sequence[Array]  # n sequences, each (T, x_dim); T may differ between them

# viridis without its last, palest tenth, which is hard to see on white
TIME = LinearSegmentedColormap.from_list("time", colormaps["viridis"](np.linspace(0.0, 0.9, 256)))
# Okabe and Ito's palette; vermilion is reserved for what is wrong
HUES = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#8C6D00")
WRONG, QUIET, INK = "#D55E00", "#B8BEC4", "#333A40"

INVALID = "invalid"  # the label of invalid laps


def save(figure: Figure, path: Path) -> None:
    """Write a figure to a file, atomically.

    Args:
        figure: The figure.
        path: The file. Its suffix is the format, without one it is PNG. Its directory is made if it is missing. A symbolic
            link at this path is replaced, not followed.
    """
    write_atomically(path, lambda file: figure.savefig(file, format=path.suffix[1:] or "png"))


def literal(name: object, longest: int = 200) -> str:
    """Return a name from a file as a figure shows it: no formula between dollars, no control characters.

    Args:
        name: The name.
        longest: Characters that are shown of it.
    """
    text = printable(name).replace("\n", " ")
    text = text if len(text) <= longest else text[: longest - 1] + "…"
    return text.replace("$", r"\$")


def roomy() -> ConstrainedLayoutEngine:
    """Return a layout with a margin around titles, which TensorBoard's thumbnails would cut off."""
    return ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.1)


def plain_axes(ax: Axes) -> None:
    """Give a chart pale ticks, frame and grid."""
    ax.tick_params(labelsize=8, length=0, colors=INK)
    ax.spines[["top", "right"]].set_visible(False)
    ax.spines[:].set_color(QUIET)
    ax.grid(color=QUIET, linewidth=0.4, alpha=0.5)
    ax.set_axisbelow(True)
