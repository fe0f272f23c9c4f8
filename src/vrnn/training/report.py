"""A run's scores as people meet them: a table on the console, columns in TensorBoard, figures, files."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from rich.console import Console
from rich.table import Table

from vrnn import plots
from vrnn.evaluation.comparison import SCORE
from vrnn.rundir import write_atomically

# The columns of TensorBoard's HPARAMS: every run registers them all, whether its pattern can fill them or not.
SCALARS = {f"score/{name}": score.path for name, score in SCORE.items()} | {"score/laps": ("generated", "laps")}


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


def print_scores(scores: dict[str, Any], directory: Path) -> None:
    """Print what was learned next to the truth, and where everything lies."""
    directory = _short(directory)
    table = Table(title=str(directory), title_justify="left")
    for column in ("", "model", "truth"):
        table.add_column(column, justify="left" if not column else "right")
    for row in _rows(scores):
        table.add_row(*row)
    console = Console()
    console.print(table)
    for what, where in (
        ("scores", directory / "scores.json"),
        ("figures", directory / "figures"),
        ("checkpoints", directory / "checkpoints"),
    ):
        console.print(f"{what:12}{where}", soft_wrap=True, highlight=False)
    console.print(f"{'TensorBoard':12}tensorboard --logdir {directory}", soft_wrap=True, highlight=False)


def _short(path: Path) -> Path:
    """The path as somebody in the working directory would type it."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def _rows(scores: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    """The table's rows: what, the model's value with its standard error, the truth's."""
    labels = {"elbo": "ELBO", "iwae": "IWAE", "fivo": "FIVO", "log_likelihood": "log-likelihood", "kl": "KL"}
    for name, label in labels.items():
        key = f"{name}_nats_per_step"
        if key not in scores:
            continue
        if name in ("iwae", "fivo"):
            label = f"{label} of {scores['particles']}"
        yield f"{label}, nats per step", _estimate(scores, key), ""
    if "generated" not in scores:
        return
    drawn, truth = scores["generated"], scores["truth"]
    yield "generated laps", str(drawn["laps"]), ""
    yield "invalid laps", _estimate(drawn, "invalid_fraction"), "0"
    for state, share in truth["pattern_fractions"].items():
        error = (drawn.get("pattern_fractions_se") or {}).get(state)
        yield f"share of {state}", _number(drawn["pattern_fractions"][state], error), f"{share:.4f}"
    yield "transitions, mean total variation", _estimate(drawn, "transition_tv"), "0"
    yield "visits with the right laps", _estimate(drawn, "laps_right_fraction"), "1"


def _estimate(scores: dict[str, Any], key: str) -> str:
    return _number(scores[key], scores.get(f"{key}_se"))


def _number(value: float | None, error: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.4f}" if error is None else f"{value:.4f} ± {error:.4f}"
