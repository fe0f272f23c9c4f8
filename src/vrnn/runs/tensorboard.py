"""What a run shows in TensorBoard beside its scalars: HPARAMS, charts that belong together, codes for the projector."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from matplotlib.image import imsave
from pytorch_lightning import Callback, LightningModule, Trainer
from typing_extensions import override

from vrnn.data.loader import TraceSet
from vrnn.files import make_directory, write_atomically, write_text_atomically
from vrnn.model.vrnn import VRNN
from vrnn.patterns import Pattern, Trace
from vrnn.plots.dots import DOT, dot_sheet
from vrnn.runs.directory import CONFIG
from vrnn.runs.name import flat
from vrnn.runs.provenance import read_provenance
from vrnn.text import printable
from vrnn.training.callbacks import tensorboard_logger

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

MAX_CODES = 2000  # points in the projector: the browser does its arithmetic

PROJECTOR = f"""embeddings {{
  tensor_name: "z"
  tensor_path: "projector/codes.tsv"
  metadata_path: "projector/states.tsv"
  sprite {{
    image_path: "projector/dots.png"
    single_image_dim: {DOT}
    single_image_dim: {DOT}
  }}
}}
"""


class HyperParameters(Callback):
    """Writes the run's row in HPARAMS, with a column for each final score that stays empty until the run ends; lays out charts.

    Args:
        parameters: The row.
        scores: The columns of final scores.
    """

    def __init__(self, parameters: Mapping[str, Any], scores: list[str]):
        self.parameters, self.scores = dict(parameters), scores

    @override
    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        # TensorBoard takes the columns from any one run, so all runs register the same ones, once.
        if trainer.global_step > 0:
            return
        logger = tensorboard_logger(trainer)
        logger.log_hyperparams(self.parameters, dict.fromkeys(self.scores, float("nan")))
        logger.experiment.add_custom_scalars(LAYOUT)


class Texts(Callback):
    """Writes what the run was asked and what made it to the tab TEXT, at the start.

    Args:
        texts: {name: plain text}.
    """

    def __init__(self, texts: Mapping[str, str]):
        self.texts = dict(texts)

    @override
    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.global_step > 0:
            return
        for name, text in self.texts.items():
            # Markdown shows indented text as it is.
            tensorboard_logger(trainer).experiment.add_text(name, textwrap.indent(printable(text), "    "))


def run_texts(directory: Path) -> dict[str, str]:
    """Return what TensorBoard tells of a run in words: its settings and what it is made by."""
    return {
        "settings": (directory / CONFIG).read_text(encoding="utf-8"),
        "provenance": yaml.safe_dump(read_provenance(directory), sort_keys=False, allow_unicode=True),
    }


def hparams_row(overrides: Sequence[str], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the run's row in HPARAMS.

    What the command line asked comes first in the alphabet, since TensorBoard shows five columns at first: as one text,
    `asked`, and each setting as `asked.…`. TensorBoard takes the columns from any one run, and another run may have been asked
    something else: that is in its text.

    Args:
        overrides: Those of the command line, as key=value.
        settings: The run's.
    """
    named = dict(override.split("=", 1) for override in overrides if "=" in override)
    asked = {
        f"asked.{key.lstrip('+')}": yaml.safe_load(value)
        for key, value in named.items()
        if key not in ("sweep", "fresh")
    }
    whole = " ".join(f"{key}={value}" for key, value in sorted(named.items()) if key not in ("sweep", "fresh"))
    plain = flat({key: value for key, value in settings.items() if key not in ("allow", "trainer", "logger")})
    return {
        key: str(value) if isinstance(value, list | dict) else value
        for key, value in ({"asked": whole} | asked | plain).items()
        if not key.endswith("._partial_")  # of Hydra, and the same in all runs
    }


@torch.no_grad()
def write_projector(vrnn: VRNN, pattern: Pattern, traces: Sequence[Trace], directory: Path) -> None:
    """Write the embeddings of q(z_t | …) along held-out traces where TensorBoard's projector finds them.

    Each has its state (its name, or "unknown"), lap and step to colour by, and is drawn as a dot in the colour of its state. At
    most MAX_CODES of the observed steps, evenly spaced.

    Args:
        vrnn: The model.
        pattern: Names the states.
        traces: The held-out traces.
        directory: The run's.
    """
    held_out = TraceSet(traces)
    generator = torch.Generator(device=vrnn.device).manual_seed(0)
    x, mask = held_out.x.to(vrnn.device), held_out.mask.to(vrnn.device)
    condition = None if held_out.condition is None else held_out.condition.to(vrnn.device)
    run = vrnn.infer(x, mask=mask, generator=generator, condition=condition)
    known = held_out.mask.T.cpu()
    codes = vrnn.latent.embedding(run.q).transpose(0, 1).cpu()[known].numpy()
    names = pattern.names
    states = np.concatenate([trace.state[trace.observed] for trace in traces])
    rows = [
        f"{names[state] if 0 <= state < len(names) else 'unknown'}\t{lap}\t{step}"
        for trace in traces
        for step, (state, lap, observed) in enumerate(zip(trace.state, trace.lap, trace.observed, strict=True))
        if observed
    ]
    chosen = np.linspace(0, len(codes) - 1, min(MAX_CODES, len(codes))).round().astype(int)
    folder = directory / "projector"
    make_directory(folder)
    write_atomically(folder / "codes.tsv", lambda file: np.savetxt(file, codes[chosen], delimiter="\t", fmt="%.5g"))
    write_text_atomically(folder / "states.tsv", "\n".join(["state\tlap\tstep", *(rows[i] for i in chosen)]) + "\n")
    sheet = dot_sheet(states[chosen].tolist())
    write_atomically(folder / "dots.png", lambda file: imsave(file, sheet, format="png"))
    write_text_atomically(directory / "projector_config.pbtxt", PROJECTOR)
