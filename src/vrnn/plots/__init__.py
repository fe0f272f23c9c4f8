"""Every figure: what was drawn, how it was judged, and what the latent variables carry.

Each function returns a matplotlib `Figure` that belongs to nobody else: no pyplot, no global state, no display. The
caller saves or logs it. Colours are safe for colour-blind eyes; time runs from dark to light along a trace.
"""

from vrnn.plots.latent import Marks, Spread, plot_latent, spreads
from vrnn.plots.runs import plot_curves, plot_intervals, plot_sweep
from vrnn.plots.style import save
from vrnn.plots.traces import plot_images, plot_laps, plot_trace_grid, plot_traces
from vrnn.plots.transitions import plot_transitions

__all__ = [
    "Marks",
    "Spread",
    "plot_curves",
    "plot_images",
    "plot_intervals",
    "plot_laps",
    "plot_latent",
    "plot_sweep",
    "plot_trace_grid",
    "plot_traces",
    "plot_transitions",
    "save",
    "spreads",
]
