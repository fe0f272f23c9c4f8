"""Figures of sequences: one way to plot them for each kind of sequence that a pattern may have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from vrnn import plots
from vrnn.patterns.strokes import to_plane
from vrnn.patterns.trace import SequenceKind

Array = NDArray[np.float64]


class SequencePlots(Protocol):
    """One way to plot sequences (n, T, x_dim). NaN is left out.

    Attributes:
        per_panel: How many sequences a panel holds.
        per_grid: How many sequences a grid holds.
    """

    per_panel: int
    per_grid: int

    def plot_panels(self, panels: Mapping[str, Array]) -> Figure:
        """Plot panels side by side, title -> sequences (n, T, x_dim). T may differ between them."""

    def plot_grid(self, traces: Array, titles: Sequence[str] | None = None) -> Figure:
        """Plot many sequences (n, T, x_dim), on request each under a title."""


class PlanePlots:
    """Positions (x, y): lines coloured by time."""

    per_panel, per_grid = 1, 12

    def plot_panels(self, panels: Mapping[str, Array]) -> Figure:
        """One trace a panel, within the limits of the first panel's."""
        return plots.plot_traces({title: traces[0] for title, traces in panels.items()})

    def plot_grid(self, traces: Array, titles: Sequence[str] | None = None) -> Figure:
        """A grid with common limits."""
        return plots.plot_trace_grid(traces, titles)


class StrokePlots:
    """Moves (pen, dx, dy): added up to lines coloured by time, interrupted where the pen is lifted."""

    per_panel, per_grid = 1, 12

    def plot_panels(self, panels: Mapping[str, Array]) -> Figure:
        """One sequence a panel, with common limits: a line of writing may end far from where another does."""
        longest = max(traces.shape[1] for traces in panels.values())
        padded = [np.pad(x[0], ((0, longest - x.shape[1]), (0, 0)), constant_values=np.nan) for x in panels.values()]
        return self.plot_grid(np.stack(padded), list(panels))

    def plot_grid(self, traces: Array, titles: Sequence[str] | None = None) -> Figure:
        """A grid with common limits."""
        points, lifted = zip(*map(to_plane, traces), strict=True)
        return plots.plot_trace_grid(np.stack(points), titles, np.stack(lifted))


class ImagePlots:
    """Rows of pixels, from 0 (white) to 1 (black): images, first row at the top."""

    per_panel, per_grid = 25, 100

    def plot_panels(self, panels: Mapping[str, Array]) -> Figure:
        """A block of images a panel."""
        return plots.plot_images(panels)

    def plot_grid(self, traces: Array, titles: Sequence[str] | None = None) -> Figure:
        """All in one block, or each under its title."""
        return plots.plot_images(
            {"": traces} if titles is None else {title: traces[i : i + 1] for i, title in enumerate(titles)}
        )


SEQUENCE_PLOTS: dict[SequenceKind, SequencePlots] = {
    "plane": PlanePlots(),
    "strokes": StrokePlots(),
    "image": ImagePlots(),
}
