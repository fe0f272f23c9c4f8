"""One sheet with a coloured dot for each point: TensorBoard's projector shows them in place of grey ones."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.colors import to_rgb
from numpy.typing import NDArray

from vrnn.plots.style import HUES

DOT = 16  # pixels of a dot's side


def dot_sheet(kinds: Sequence[int]) -> NDArray[np.uint8]:
    """Return an image with a dot for each point, row by row, in as many rows as columns.

    Args:
        kinds: The number of each point's colour; the colours repeat after the last.

    Returns:
        (side, side, 4), red, green, blue and opacity.
    """
    across = math.ceil(math.sqrt(len(kinds)))
    y, x = np.mgrid[:DOT, :DOT] - (DOT - 1) / 2
    opacity = np.clip(DOT / 2 - 0.5 - np.hypot(y, x), 0.0, 1.0)
    dots = np.zeros((across * across, DOT, DOT, 4))
    colours = np.array([to_rgb(hue) for hue in HUES])
    dots[: len(kinds), ..., :3] = colours[np.asarray(kinds) % len(colours)][:, None, None]
    dots[: len(kinds), ..., 3] = opacity
    sheet = dots.reshape(across, across, DOT, DOT, 4).swapaxes(1, 2).reshape(across * DOT, across * DOT, 4)
    return (255 * sheet).round().astype(np.uint8)
