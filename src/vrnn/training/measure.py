"""The finished model, measured: on held-out traces, on traces it generates, and the judge itself on true ones."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from vrnn.data.module import TraceDataModule
from vrnn.data.windows import TraceSet
#from vrnn.evaluation import LapJudge, held_out_scores, score
from vrnn.networks.vrnn import VRNN
from vrnn.patterns import AutomatonPattern, Pattern

Traces = NDArray[np.float64]


def measure(
    vrnn: VRNN, pattern: Pattern, data: TraceDataModule, traces: int, steps: int, seed: int
) -> tuple[dict[str, Any], Traces]:
    """Return the scores, ready for JSON, and the generated traces (traces, steps, x_dim) they were measured on.

    `generated` and `truth` are there where an automaton says what is true; `judge` is the same score on as many fresh true
    traces: what a perfect model would get.
    """
    vrnn.eval()
    generator = torch.Generator(device=vrnn.prior.head.weight.device).manual_seed(seed)
    held_out = TraceSet(data.traces("test"))
    scores: dict[str, Any] = {"seed": seed}
    scores |= held_out_scores(vrnn, held_out.x.to(generator.device), held_out.mask.to(generator.device), generator)
    drawn = vrnn.generate(traces, steps, generator=generator).transpose(0, 1).double().cpu().numpy()
    if isinstance(pattern, AutomatonPattern):
        judge = LapJudge.calibrate(pattern, steps, seed)
        true = pattern.draw("test", traces, steps, np.random.default_rng([seed, traces, steps]))
        scores |= score(list(drawn), judge)
        scores["judge"] = score([trace.points for trace in true], judge)["generated"]
    return scores, drawn
