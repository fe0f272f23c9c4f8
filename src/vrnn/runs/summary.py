"""A run's scores as a table on the console. Importing this module does not import torch."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table


def print_scores(scores: dict[str, Any], directory: Path, suffix: str = "") -> None:
    """Print what was learned next to the truth, and where everything lies. suffix: of the names of scores and figures."""
    directory = _short(directory)
    table = Table(title=str(directory), title_justify="left")
    for column in ("", "model", "true traces", "truth"):
        table.add_column(column, justify="left" if not column else "right")
    for row in _rows(scores):
        table.add_row(*row)
    console = Console()
    console.print(table)
    for what, where in (
        ("scores", directory / f"scores{suffix}.json"),
        ("figures", directory / f"figures{suffix}"),
        ("checkpoints", directory / "checkpoints"),
    ):
        console.print(f"{what:12}{where}", soft_wrap=True, highlight=False)
    console.print(f"{'TensorBoard':12}tensorboard --logdir {directory}", soft_wrap=True, highlight=False)


def _short(path: Path) -> Path:
    """The path as somebody in the working directory would type it."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def _rows(scores: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    """The table's rows: what, the model's value with its standard error, that of as many true traces, the truth."""
    labels = {"elbo": "ELBO", "iwae": "IWAE", "fivo": "FIVO", "log_likelihood": "log-likelihood", "kl": "KL"}
    for name, label in labels.items():
        key = f"{name}_nats_per_step"
        if key not in scores:
            continue
        if name in ("iwae", "fivo"):
            label = f"{label} of {scores['particles']}"
        yield f"{label}, nats per step", _estimate(scores, key), "", ""
    if "generated" not in scores:
        return
    drawn = [scores["generated"], scores["judge"]]
    truth = scores["truth"]
    yield "generated laps", str(drawn[0]["laps"]), str(drawn[1]["laps"]), ""
    yield "invalid laps", *(_estimate(of, "invalid_fraction") for of in drawn), "0"
    for state, share in truth["pattern_fractions"].items():
        shares = (_number(of["pattern_fractions"][state], of["pattern_fractions_se"][state]) for of in drawn)
        yield f"share of {state}", *shares, f"{share:.4f}"
    yield "transitions, total variation", *(_estimate(of, "transition_tv") for of in drawn), "0"
    yield "visits with the right laps", *(_estimate(of, "laps_right_fraction") for of in drawn), "1"
    if scores.get("choice_entropy_nats") is not None:
        yield "KL a choice, nats", _estimate(scores, "kl_per_choice_nats"), "", f"{scores['choice_entropy_nats']:.4f}"


def _estimate(scores: dict[str, Any], key: str) -> str:
    return _number(scores[key], scores.get(f"{key}_se"))


def _number(value: float | None, error: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.4f}" if error is None else f"{value:.4f} ± {error:.4f}"
