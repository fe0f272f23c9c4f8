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
from vrnn.evaluation import (
    UNFINISHED,
    LapJudge,
    held_out_scores,
    junction_scores,
    junctions,
    particle_scores,
    score,
    truth,
)
from vrnn.networks.vrnn import VRNN
from vrnn.patterns import AutomatonPattern, Pattern
from vrnn.pictures import PICTURES
from vrnn.training.latent import held_out_kl, latent_figure

SHEET_STEPS = 512  # of each trace that the sheet of generated ones shows

Scores = dict[str, Any]
Figures = dict[str, Figure]
Array = NDArray[np.float64]


def measure(
    vrnn: VRNN, pattern: Pattern, data: TraceDataModule, options: dict[str, Any], seed: int
) -> tuple[Scores, Figures, Array]:
    """Return the scores, ready for JSON, the figures that show what they were measured on, and one generated trace (T, x_dim).

    options: `traces` to generate, `steps` in each, `sample`: whether their points are drawn or are the decoder's means,
    `particles` of the bounds IWAE and FIVO, None: without them. `generated` and `truth` are there where an automaton says what
    is true; `judge` is the same score on as many fresh true traces: what a perfect model would get.
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
    generated = vrnn.generate(n, steps, sample=options["sample"], generator=generator)
    drawn = generated.transpose(0, 1).double().cpu().numpy()
    picture = PICTURES[pattern.form]
    some = min(picture.together, len(test), n)
    true_points = np.stack([trace.points for trace in test[:some]])
    figures = {
        "true_and_generated": picture.panels({"true": true_points, "generated from the prior": drawn[:some]}),
        "sheet": picture.sheet(drawn[: picture.on_a_sheet, :SHEET_STEPS]),
    }
    automaton = pattern.automaton if isinstance(pattern, AutomatonPattern) else None
    kl, mask = held_out_kl(vrnn, held_out, seed)
    scores |= junction_scores(kl, mask, test, automaton)
    begun: plots.Marks = []
    if isinstance(pattern, AutomatonPattern):
        judge = LapJudge.calibrate(pattern, seed=seed)
        true = pattern.draw("test", n, steps, np.random.default_rng([seed, n, steps]))
        scores["generated"] = score(list(drawn), judge)
        scores["truth"] = truth(pattern.automaton)
        scores["judge"] = score([trace.points for trace in true], judge)
        laps = [lap for lap in judge.judge(drawn[0]) if lap.piece != UNFINISHED]
        begun = [(lap.start, lap.label) for lap in laps]
        figures["laps"] = plots.laps_figure(drawn[0], laps)
        figures["transitions"] = _transitions(pattern, scores["generated"])
    if vrnn.latent.groups:
        true_laps = [(step, pattern.names[test[0].state[step]]) for step in junctions(test[0])]
        figures["latent"] = latent_figure(vrnn, kl[:, 0], true_laps, drawn[0], begun, seed)
    return scores, figures, drawn[0, :SHEET_STEPS]


def _transitions(pattern: AutomatonPattern, generated: Scores) -> Figure:
    """The transition matrix, truth beside model."""
    names = pattern.automaton.names
    model, errors = (
        np.array([[generated[key][a][b] for b in names] for a in names], dtype=float)  # None becomes NaN
        for key in ("transition_matrix", "transition_matrix_se")
    )
    return plots.transition_figure(names, pattern.automaton.matrix, model, errors)
