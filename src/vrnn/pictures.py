"""How sequences are drawn: one kind of picture for each form a pattern's sequences may have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from vrnn import plots
from vrnn.patterns.strokes import to_plane
from vrnn.patterns.trace import Form

Array = NDArray[np.float64]


class Picture(Protocol):
    """One way to draw sequences (n, T, x_dim); NaN is left out.

    together: how many sequences a panel holds. on_a_sheet: how many a sheet does.
    """

    together: int
    on_a_sheet: int

    def panels(self, panels: Mapping[str, Array]) -> Figure:
        """Draw panels side by side, title -> sequences (n, T, x_dim); T may differ between them."""

    def sheet(self, traces: Array, titles: Sequence[str] | None = None) -> Figure:
        """Draw many sequences (n, T, x_dim), on request each under a title."""


class PlanePicture:
    """Positions (x, y): lines coloured by time."""

    together, on_a_sheet = 1, 12

    def panels(self, panels: Mapping[str, Array]) -> Figure:
        """One trace a panel, within the limits of the first panel's."""
        return plots.traces_figure({title: traces[0] for title, traces in panels.items()})

    def sheet(self, traces: Array, titles: Sequence[str] | None = None) -> Figure:
        """A grid with common limits."""
        return plots.sheet_figure(traces, titles)


class StrokesPicture:
    """Moves (pen, dx, dy): added up to lines coloured by time, interrupted where the pen is lifted."""

    together, on_a_sheet = 1, 12

    def panels(self, panels: Mapping[str, Array]) -> Figure:
        """One sequence a panel, with common limits: a line of writing may end far from where another does."""
        longest = max(traces.shape[1] for traces in panels.values())
        padded = [np.pad(x[0], ((0, longest - x.shape[1]), (0, 0)), constant_values=np.nan) for x in panels.values()]
        return self.sheet(np.stack(padded), list(panels))

    def sheet(self, traces: Array, titles: Sequence[str] | None = None) -> Figure:
        """A grid with common limits."""
        points, lifted = zip(*map(to_plane, traces), strict=True)
        return plots.sheet_figure(np.stack(points), titles, np.stack(lifted))


class ImagePicture:
    """Rows of pixels, from 0 (white) to 1 (black): images, first row at the top."""

    together, on_a_sheet = 25, 100

    def panels(self, panels: Mapping[str, Array]) -> Figure:
        """A block of images a panel."""
        return plots.images_figure(panels)

    def sheet(self, traces: Array, titles: Sequence[str] | None = None) -> Figure:
        """All in one block, or each under its title."""
        return plots.images_figure(
            {"": traces} if titles is None else {title: traces[i : i + 1] for i, title in enumerate(titles)}
        )


PICTURES: dict[Form, Picture] = {"plane": PlanePicture(), "strokes": StrokesPicture(), "image": ImagePicture()}
