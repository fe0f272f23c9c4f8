"""Figures of images."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure

from vrnn.plots.style import HUES, INK, QUIET, Array, Sequences, roomy


def plot_images(panels: Mapping[str, Sequences]) -> Figure:
    """Plot panels of images, each image a cell of a grid.

    Args:
        panels: title -> images, each (height, width) with the first row at the top, pixels from 0 (white) to 1 (black). NaN, a
            pixel that is unknown, is orange. Below an image with fewer rows than others the cell is grey.

    Raises:
        ValueError: There are no panels, a panel has no images, or an image has another shape.
    """
    if not panels:
        raise ValueError("panels must have at least one image, but there are no panels.")
    grids = {title: _tile(title, images) for title, images in panels.items()}
    columns = min(len(grids), 4)
    rows = int(np.ceil(len(grids) / columns))
    side = 5.0 if len(grids) == 1 else 3.2
    figure = Figure(figsize=(side * columns + 0.2, (side + 0.3) * rows + 0.2), dpi=110, layout=roomy())
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    greys = colormaps["Greys"].with_extremes(bad=HUES[1], under=QUIET)
    for ax, (title, grid) in zip(axes, grids.items(), strict=False):
        ax.imshow(grid, cmap=greys, vmin=0.0, vmax=1.0, interpolation="nearest")
        ax.set_title(title, fontsize=10, color=INK)
    for ax in axes:
        ax.set_axis_off()
    return figure


def _tile(title: str, images: Sequences) -> Array:
    """Return one image of all images in a nearly square grid, with -1 between and around them."""
    tiles = [np.asarray(image, dtype=np.float64) for image in images]
    shapes = [tile.shape for tile in tiles]
    if not tiles or any(tile.ndim != 2 or not tile.size for tile in tiles) or len({shape[1] for shape in shapes}) > 1:
        name = title or "images"
        raise ValueError(f"{name} must be images of the shape (height, width), all of one width, but have {shapes}.")
    height, width = max(shape[0] for shape in shapes), shapes[0][1]
    columns = int(np.ceil(np.sqrt(len(tiles))))
    rows = int(np.ceil(len(tiles) / columns))
    grid = np.full((rows * (height + 1) + 1, columns * (width + 1) + 1), -1.0)
    for i, tile in enumerate(tiles):
        top, left = 1 + i // columns * (height + 1), 1 + i % columns * (width + 1)
        grid[top : top + len(tile), left : left + width] = np.clip(tile, 0.0, 1.0)
    return grid
