"""A run's scores and figures, as files and in TensorBoard."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from pytorch_lightning.loggers import Logger, TensorBoardLogger

from vrnn import plots
from vrnn.files import make_directory, write_atomically, write_text_atomically
from vrnn.runs.directory import SAMPLE, SCORES
from vrnn.runs.evaluate import Evaluation
from vrnn.runs.score_names import SCORE

# The score columns of TensorBoard's HPARAMS: {tag: path in scores.json}. Every run registers all of them, since TensorBoard
# takes the columns from any one run.
SCALARS = {f"score/{name}": score.path for name, score in SCORE.items()} | {
    "score/laps": ("generated", "laps"),
    "score/choice_entropy_nats": ("choice_entropy_nats",),
}


NOT_IN_TAGS = re.compile(r"[^\w .-]")  # MLflow refuses other characters


def scalar_scores(scores: dict[str, Any]) -> dict[str, float]:
    """Return the scores that have a column in HPARAMS, by tag; those that the run's pattern does not define are left out."""
    found = {tag: _at_path(scores, path) for tag, path in SCALARS.items()}
    return {tag: float(value) for tag, value in found.items() if value is not None}


def class_scalars(scores: dict[str, Any]) -> dict[str, float]:
    """Return the held-out scores of each class, where sequences have classes, by tag.

    They have no columns in HPARAMS: those are the same for all runs, and labels are not.
    """
    return {
        f"score_{name}/{NOT_IN_TAGS.sub('_', label)}": float(own[name])
        for label, own in scores.get("classes", {}).items()
        for name in ("elbo_nats_per_step", "log_likelihood_nats_per_step", "condition_right")
        if own.get(name) is not None
    }


def _at_path(tree: Any, path: tuple[str, ...]) -> Any:
    for key in path:
        tree = tree.get(key) if isinstance(tree, dict) else None
    return tree


def save_figures(figures: dict[str, Figure], directory: Path, format: str = "png") -> None:
    """Write each figure as <name>.<format>."""
    make_directory(directory)
    for name, figure in figures.items():
        plots.save(figure, directory / f"{name}.{format}")


def write_scores(scores: dict[str, Any], path: Path) -> None:
    """Write scores as indented JSON.

    Raises:
        ValueError: A score is NaN or infinite.
    """
    write_text_atomically(path, json.dumps(scores, indent=2, allow_nan=False) + "\n")


def publish(
    evaluation: Evaluation, directory: Path, logger: TensorBoardLogger, step: int, extra_loggers: Sequence[Logger] = ()
) -> None:
    """Write scores.json, the sample and the figures, and show scores and figures in TensorBoard.

    Args:
        evaluation: What is published.
        directory: The run's.
        logger: The run's; its HPARAMS row gets the scores. It is closed.
        step: The step that TensorBoard shows them at.
        extra_loggers: They get the scores, too.
    """
    write_atomically(directory / SAMPLE, lambda file: np.save(file, evaluation.sample.astype(np.float32)))
    save_figures(evaluation.figures, directory / "figures")
    write_scores(evaluation.scores, directory / SCORES)
    for name, figure in evaluation.figures.items():
        logger.experiment.add_figure(name, figure, step)
    if found := evaluation.scores["warnings"]:
        logger.experiment.add_text("warnings", "\n".join(f"- {warning}" for warning in found), step)
    for each in (logger, *extra_loggers):
        each.log_metrics(scalar_scores(evaluation.scores) | class_scalars(evaluation.scores), step=step)
    logger.finalize("success")
