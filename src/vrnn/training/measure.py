"""The finished model, measured: on held-out traces, on traces it generates, and the judge itself on true ones."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray

from vrnn import plots
from vrnn.data.module import TraceDataModule
from vrnn.data.windows import TraceSet
from vrnn.evaluation import UNFINISHED, LapJudge, held_out_scores, particle_scores, score, truth
from vrnn.networks.vrnn import VRNN
from vrnn.patterns import AutomatonPattern, Pattern

SHEET_TRACES, SHEET_STEPS = 12, 512  # how much the sheet of generated traces shows

Scores = dict[str, Any]
Figures = dict[str, Figure]
Array = NDArray[np.float64]


def measure(
    vrnn: VRNN, pattern: Pattern, data: TraceDataModule, options: dict[str, Any], seed: int
) -> tuple[Scores, Figures, Array]:
    """Return the scores, ready for JSON, the figures that show what they were measured on, and one generated trace (T, 2).

    options: `traces` to generate, `steps` in each; `particles` of the bounds IWAE and FIVO, None: without them. `generated`
    and `truth` are there where an automaton says what is true; `judge` is the same score on as many fresh true traces: what a
    perfect model would get.
    """
    vrnn.eval()
    generator = torch.Generator(device=vrnn.device).manual_seed(seed)
    test, held_out = data.traces("test"), TraceSet(data.traces("test"))
    x, mask = held_out.x.to(generator.device), held_out.mask.to(generator.device)
    scores: Scores = held_out_scores(vrnn, x, mask, generator)
    if options["particles"]:
        own = torch.Generator(device=vrnn.device).manual_seed(seed)  # so that no other score depends on particles
        scores |= particle_scores(vrnn, x, mask, options["particles"], own)
    n, steps = options["traces"], options["steps"]
    drawn = vrnn.generate(n, steps, generator=generator).transpose(0, 1).double().cpu().numpy()
    figures = {
        "true_and_generated": plots.traces_figure({"true": test[0].points, "generated from the prior": drawn[0]}),
        "sheet": plots.sheet_figure(drawn[:SHEET_TRACES, :SHEET_STEPS]),
    }
    if isinstance(pattern, AutomatonPattern):
        judge = LapJudge.calibrate(pattern, seed=seed)
        true = pattern.draw("test", n, steps, np.random.default_rng([seed, n, steps]))
        scores["generated"] = score(list(drawn), judge)
        scores["truth"] = truth(pattern.automaton)
        scores["judge"] = score([trace.points for trace in true], judge)
        laps = [lap for lap in judge.judge(drawn[0]) if lap.piece != UNFINISHED]
        figures["laps"] = plots.laps_figure(drawn[0], laps)
        figures["transitions"] = _transitions(pattern, scores["generated"])
    return scores, figures, drawn[0, :SHEET_STEPS]


def _transitions(pattern: AutomatonPattern, generated: Scores) -> Figure:
    """The transition matrix, truth beside model."""
    names = pattern.automaton.names
    model, errors = (
        np.array([[generated[key][a][b] for b in names] for a in names], dtype=float)  # None becomes NaN
        for key in ("transition_matrix", "transition_matrix_se")
    )
    return plots.transition_figure(names, pattern.automaton.matrix, model, errors)
