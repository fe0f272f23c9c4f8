"""How sequences of each kind are plotted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from matplotlib.figure import Figure
from typing_extensions import override

from vrnn.patterns.strokes import to_plane
from vrnn.patterns.trace import SequenceKind
from vrnn.plots.images import plot_images
from vrnn.plots.rolls import plot_roll_grid, plot_rolls
from vrnn.plots.series import plot_series, plot_series_grid
from vrnn.plots.style import Sequences
from vrnn.plots.traces import plot_trace_grid, plot_traces


class SequencePlots(Protocol):
    """How sequences of one kind are plotted. The lengths of sequences may differ, and missing points (NaN) are left out.

    Attributes:
        per_panel: How many sequences a panel shows.
        per_grid: How many sequences a grid shows.
    """

    per_panel: int
    per_grid: int

    def plot_panels(self, panels: Mapping[str, Sequences]) -> Figure:
        """Plot panels side by side, title -> sequences."""

    def plot_grid(self, sequences: Sequences, titles: Sequence[str] | None = None) -> Figure:
        """Plot sequences in a grid, with a title for each if titles are given."""


class PlanePlots(SequencePlots):
    """Positions (x, y), as lines coloured by time."""

    per_panel, per_grid = 1, 12

    @override
    def plot_panels(self, panels: Mapping[str, Sequences]) -> Figure:
        return plot_traces({title: sequences[0] for title, sequences in panels.items()})

    @override
    def plot_grid(self, sequences: Sequences, titles: Sequence[str] | None = None) -> Figure:
        return plot_trace_grid(sequences, titles)


class StrokePlots(SequencePlots):
    """Moves (pen, dx, dy), added up to lines coloured by time, with gaps where the pen is lifted."""

    per_panel, per_grid = 1, 12

    @override
    def plot_panels(self, panels: Mapping[str, Sequences]) -> Figure:
        # In a grid, which has common limits: one line of writing may be much longer than another.
        return self.plot_grid([sequences[0] for sequences in panels.values()], list(panels))

    @override
    def plot_grid(self, sequences: Sequences, titles: Sequence[str] | None = None) -> Figure:
        points, lifted = zip(*map(to_plane, sequences), strict=True)
        return plot_trace_grid(points, titles, lifted)


class ImagePlots(SequencePlots):
    """Rows of pixels, as images."""

    per_panel, per_grid = 25, 100

    @override
    def plot_panels(self, panels: Mapping[str, Sequences]) -> Figure:
        return plot_images(panels)

    @override
    def plot_grid(self, sequences: Sequences, titles: Sequence[str] | None = None) -> Figure:
        if titles is None:
            return plot_images({"": sequences})
        return plot_images({title: [image] for title, image in zip(titles, sequences, strict=True)})


class SeriesPlots(SequencePlots):
    """Numbers over time, one row or one line per channel."""

    per_panel, per_grid = 1, 12

    @override
    def plot_panels(self, panels: Mapping[str, Sequences]) -> Figure:
        return plot_series(panels)

    @override
    def plot_grid(self, sequences: Sequences, titles: Sequence[str] | None = None) -> Figure:
        return plot_series_grid(sequences, titles)


class RollPlots(SequencePlots):
    """Piano rolls: which keys are down, over time."""

    per_panel, per_grid = 1, 12

    @override
    def plot_panels(self, panels: Mapping[str, Sequences]) -> Figure:
        return plot_rolls({title: sequences[0] for title, sequences in panels.items()})

    @override
    def plot_grid(self, sequences: Sequences, titles: Sequence[str] | None = None) -> Figure:
        return plot_roll_grid(sequences, titles)


SEQUENCE_PLOTS: dict[SequenceKind, SequencePlots] = {
    "plane": PlanePlots(),
    "strokes": StrokePlots(),
    "image": ImagePlots(),
    "series": SeriesPlots(),
    "piano_roll": RollPlots(),
}
