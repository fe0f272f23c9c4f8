"""What a run gives TensorBoard beside its scalars: charts that belong together, and its latent codes for the projector."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from vrnn.data.windows import TraceSet
from vrnn.networks.vrnn import VRNN
from vrnn.patterns import Pattern, Trace

# The tab CUSTOM SCALARS: {category: {chart: [kind, tags]}}
LAYOUT = {
    "bound, nats per step": {
        split: ["Multiline", [f"{split}/{part}" for part in ("elbo", "log_likelihood", "kl")]]
        for split in ("val", "train")
    },
    "weight of the KL": {name: ["Multiline", [f"w/{name}"]] for name in ("w", "implied_beta", "implied_sigma")},
    "against the automaton": {
        "errors": ["Multiline", ["score/invalid_fraction", "score/transition_tv"]],
        "right": ["Multiline", ["score/laps_right_fraction"]],
    },
}

CODES = 2000  # points in the projector

PROJECTOR = """embeddings {
  tensor_name: "z"
  tensor_path: "projector/codes.tsv"
  metadata_path: "projector/states.tsv"
}
"""


@torch.no_grad()
def project(vrnn: VRNN, pattern: Pattern, traces: Sequence[Trace], directory: Path) -> None:
    """Write the means of q(z_t | ...) along held-out traces where TensorBoard's projector finds them.

    Each comes with its state (its name, or "unknown" in drawings), the lap and the step, to colour by. At most CODES of them,
    evenly chosen among the observed: the projector's browser does the arithmetic.
    """
    held_out = TraceSet(traces)
    generator = torch.Generator(device=vrnn.device).manual_seed(0)
    run = vrnn.infer(held_out.x.to(vrnn.device), mask=held_out.mask.to(vrnn.device), generator=generator)
    known = held_out.mask.T.cpu()
    codes = vrnn.latent.code(run.q).transpose(0, 1).cpu()[known].numpy()
    names = pattern.names
    rows = [
        f"{names[state] if 0 <= state < len(names) else 'unknown'}\t{lap}\t{step}"
        for trace in traces
        for step, (state, lap, observed) in enumerate(zip(trace.state, trace.lap, trace.observed, strict=True))
        if observed
    ]
    chosen = np.linspace(0, len(codes) - 1, min(CODES, len(codes))).round().astype(int)
    folder = directory / "projector"
    folder.mkdir(exist_ok=True)
    np.savetxt(folder / "codes.tsv", codes[chosen], delimiter="\t", fmt="%.5g")
    (folder / "states.tsv").write_text("\n".join(["state\tlap\tstep", *(rows[i] for i in chosen)]) + "\n")
    (directory / "projector_config.pbtxt").write_text(PROJECTOR)
