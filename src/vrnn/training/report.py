"""A run's scores as people meet them: columns in TensorBoard, figures, files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from vrnn import plots
from vrnn.evaluation.comparison import SCORE
from vrnn.rundir import write_atomically

# The columns of TensorBoard's HPARAMS: every run registers them all, whether its pattern can fill them or not.
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
    for name, figure in figures.items():
        plots.save(figure, directory / f"{name}.png")


def write_scores(scores: dict[str, Any], path: Path) -> None:
    """Write scores.json: indented, without NaN."""
    write_atomically(path, json.dumps(scores, indent=2, allow_nan=False) + "\n")
