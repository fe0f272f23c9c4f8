"""Figures of many runs: scores against what was swept, curves, generated traces."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from vrnn import plots
from vrnn.runs import compare
from vrnn.runs.collect import Run
from vrnn.runs.compare import Group

MOST_PARAMETERS = 12  # panels of one figure


def draw(runs: list[Run], groups: list[Group], sort: str, traces: int) -> dict[str, Figure]:
    """The figures there is something to show for."""
    figures = {}
    scored = [run for run in runs if np.isfinite(run.scores[sort])]
    parameters = (list(groups[0].parameters) if groups else [])[:MOST_PARAMETERS]
    if scored and parameters:
        values = {key: [run.settings.get(key) for run in scored] for key in parameters}
        figures["parameters"] = plots.plot_sweep(np.array([run.scores[sort] for run in scored]), values, sort)
    if curves := compare.curves(groups, "val/elbo"):
        figures["curves"] = plots.plot_curves(curves, "validation ELBO, nats per step")
    if samples := compare.samples(groups, traces):
        steps = min(map(len, samples.values()))
        figures["traces"] = plots.plot_trace_grid(np.stack([x[:steps] for x in samples.values()]), list(samples))
    return figures
