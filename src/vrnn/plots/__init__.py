"""Every figure: sequences, laps, transitions, latent variables, and many runs side by side.

Each function `plot_…` returns a new matplotlib `Figure`, without pyplot, global state or a display. The caller saves or logs
it. The colours are safe for colour-blind readers. Along a trace, time runs from dark to light.
"""

from vrnn.plots.images import plot_images
from vrnn.plots.latent import Marks, Spread, plot_latent, spreads
from vrnn.plots.rolls import plot_rolls
from vrnn.plots.runs import plot_curves, plot_intervals, plot_sweep
from vrnn.plots.series import plot_fan, plot_series
from vrnn.plots.style import save
from vrnn.plots.surprise import plot_surprise
from vrnn.plots.traces import plot_continued, plot_laps, plot_trace_grid, plot_traces
from vrnn.plots.transitions import plot_transitions

__all__ = [
    "Marks",
    "Spread",
    "plot_continued",
    "plot_curves",
    "plot_fan",
    "plot_images",
    "plot_intervals",
    "plot_laps",
    "plot_latent",
    "plot_rolls",
    "plot_series",
    "plot_surprise",
    "plot_sweep",
    "plot_trace_grid",
    "plot_traces",
    "plot_transitions",
    "save",
    "spreads",
]
