"""A run's scores and figures as files and in TensorBoard."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from pytorch_lightning.loggers import TensorBoardLogger

from vrnn import plots
from vrnn.files import make_directory, write_atomically, write_text_atomically
from vrnn.runs.compare import SCORE
from vrnn.runs.directory import SAMPLE, SCORES
from vrnn.runs.evaluate import Evaluation

# The columns of TensorBoard's HPARAMS. Every run registers all of them, whether its pattern can fill them or not.
SCALARS = {f"score/{name}": score.path for name, score in SCORE.items()} | {
    "score/laps": ("generated", "laps"),
    "score/choice_entropy_nats": ("choice_entropy_nats",),
}


def scalar_scores(scores: dict[str, Any]) -> dict[str, float]:
    """Return the HPARAMS columns a run's scores fill."""
    found = {tag: _select(scores, path) for tag, path in SCALARS.items()}
    return {tag: float(value) for tag, value in found.items() if value is not None}


def _select(tree: Any, path: tuple[str, ...]) -> Any:
    for key in path:
        tree = tree.get(key) if isinstance(tree, dict) else None
    return tree


def save_figures(figures: dict[str, Figure], directory: Path) -> None:
    """Write each figure as <name>.png."""
    make_directory(directory)
    for name, figure in figures.items():
        plots.save(figure, directory / f"{name}.png")


def write_scores(scores: dict[str, Any], path: Path) -> None:
    """Write scores.json: indented, without NaN."""
    write_text_atomically(path, json.dumps(scores, indent=2, allow_nan=False) + "\n")


def publish(evaluation: Evaluation, directory: Path, logger: TensorBoardLogger, step: int) -> None:
    """Write scores.json, the sample and the figures, and show them in TensorBoard; the scores fill the run's HPARAMS row."""
    write_atomically(directory / SAMPLE, lambda file: np.save(file, evaluation.sample.astype(np.float32)))
    save_figures(evaluation.figures, directory / "figures")
    write_scores(evaluation.scores, directory / SCORES)
    for name, figure in evaluation.figures.items():
        logger.experiment.add_figure(name, figure, step)
    logger.log_metrics(scalar_scores(evaluation.scores), step=step)
    logger.finalize("success")
