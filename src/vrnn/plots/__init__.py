"""Every figure: what was drawn, how it was judged, and what the latent variables carry.

Each function returns a matplotlib `Figure` that belongs to nobody else: no pyplot, no global state, no display. The
caller saves or logs it. Colours are safe for colour-blind eyes; time runs from dark to light along a trace.
"""

from vrnn.plots.runs import curves_figure, intervals_figure, sweep_figure
from vrnn.plots.scores import Marks, Spread, latent_figure, transition_figure
from vrnn.plots.style import save
from vrnn.plots.traces import images_figure, laps_figure, sheet_figure, traces_figure

__all__ = [
    "Marks",
    "Spread",
    "curves_figure",
    "images_figure",
    "intervals_figure",
    "laps_figure",
    "latent_figure",
    "save",
    "sheet_figure",
    "sweep_figure",
    "traces_figure",
    "transition_figure",
]
