"""A run's scores as a table on the console. Importing this module does not import torch."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.table import Table

from vrnn.runs.console import plain_console
from vrnn.text import printable
from vrnn.verbosity import is_quiet

MOST_CLASSES = 12  # with a row of their own


def print_scored(rows: list[dict[str, Any]]) -> None:
    """Print how likely own sequences are, one row each: see `vrnn.runs.score.score_files`."""
    if is_quiet():
        return
    table = Table()
    for column in ("sequence", "steps", "nats per step", "surprising steps"):
        table.add_column(column, justify="left" if column == "sequence" else "right")
    for row in rows:
        share = "-" if row["surprising"] is None else f"{100 * row['surprising']:.1f} %"
        table.add_row(row["name"], str(row["steps"]), f"{row['nats_per_step']:.4f}", share)
    plain_console().print(table)


def print_scores(scores: dict[str, Any], directory: Path, suffix: str = "") -> None:
    """Print the model's scores next to those of true traces and the truth, and where the run's files are.

    Args:
        scores: As in scores.json.
        directory: The run's.
        suffix: Of the names of scores and figures.
    """
    directory, console = _relative(directory), plain_console()
    if not is_quiet():
        console.print(_table(scores, directory))
    for warning in scores.get("warnings", ()):
        console.print(f"warning: {printable(warning)}", soft_wrap=True)
    if is_quiet():
        print(directory)
        return
    for label, location in (
        ("scores", directory / f"scores{suffix}.json"),
        ("figures", directory / f"figures{suffix}"),
        ("checkpoints", directory / "checkpoints"),
        ("TensorBoard", f"tensorboard --logdir {directory}"),
    ):
        console.print(f"{label:12}{location}", soft_wrap=True)


def _table(scores: dict[str, Any], directory: Path) -> Table:
    table = Table(title=str(directory), title_justify="left")
    table.add_column(overflow="fold")
    for column in ("model", "true traces", "truth"):
        table.add_column(column, justify="right", no_wrap=True)  # on a narrow terminal the scores' names are wrapped
    for row in score_rows(scores):
        table.add_row(*row)
    return table


def _relative(path: Path) -> Path:
    """Return a path relative to the working directory, if it is below it."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def score_rows(scores: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    """Yield rows: a score's name, the model's value with its standard error, that of as many true traces, the truth."""
    labels = {"elbo": "ELBO", "iwae": "IWAE", "fivo": "FIVO", "log_likelihood": "log-likelihood", "kl": "KL"}
    for name, label in labels.items():
        key = f"{name}_nats_per_step"
        if key not in scores:
            continue
        if name in ("iwae", "fivo"):
            label = f"{label} of {scores['particles']}"
        yield f"{label}, nats per step", _estimate(scores, key), "", ""
    if len(classes := scores.get("classes", {})) <= MOST_CLASSES:
        for label, own in classes.items():
            yield f"ELBO of {printable(label)}", _estimate(own, "elbo_nats_per_step"), "", ""
    if drawings := scores.get("drawings"):
        shares, truth = drawings["stroke_fractions"], drawings["truth"]["stroke_fractions"]
        for count in sorted({*shares, *truth}, key=int)[:MOST_CLASSES]:
            yield f"share with {count} strokes", f"{shares.get(count, 0.0):.4f}", "", f"{truth.get(count, 0.0):.4f}"
        yield "share with the strokes of the data", f"{drawings['strokes_right_fraction']:.4f}", "", ""
    if "generated" not in scores:
        return
    model, judge, truth = scores["generated"], scores["judge"], scores["truth"]
    both = (model, judge)
    yield "generated laps", str(model["laps"]), str(judge["laps"]), ""
    yield "invalid laps", *(_estimate(each, "invalid_fraction") for each in both), "0"
    for state, share in truth["pattern_fractions"].items():
        shares = (_number(each["pattern_fractions"][state], each["pattern_fractions_se"][state]) for each in both)
        yield f"share of {state}", *shares, f"{share:.4f}"
    yield "transitions, total variation", *(_estimate(each, "transition_tv") for each in both), "0"
    yield "visits with the right laps", *(_estimate(each, "laps_right_fraction") for each in both), "1"
    if scores.get("choice_entropy_nats") is not None:
        yield "KL per choice, nats", _estimate(scores, "kl_per_choice_nats"), "", f"{scores['choice_entropy_nats']:.4f}"
    if scores.get("kl_per_choice_outcome_nats") is not None:
        yield "of it, which state follows", _estimate(scores, "kl_per_choice_outcome_nats"), "", ""


def _estimate(scores: dict[str, Any], key: str) -> str:
    return _number(scores[key], scores.get(f"{key}_se"))


def _number(value: float | None, error: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.4f}" if error is None else f"{value:.4f} ± {error:.4f}"
