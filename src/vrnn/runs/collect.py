"""What each run of a directory says of itself: its settings, its scores, its curves, its sample."""

from __future__ import annotations

import io
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vrnn.errors import DamagedError
from vrnn.files import read_limited
from vrnn.runs.curves import curve
from vrnn.runs.directory import (
    CHECKPOINTS,
    CONFIG,
    DONE,
    FAILED,
    LOCK,
    PRUNED,
    SAMPLE,
    SCORES,
    State,
    failure,
    read_scores,
    read_settings,
    state,
)
from vrnn.runs.score_names import SCORE
from vrnn.text import printable

Array = NDArray[np.float64]
ELBO = "elbo_nats_per_step"
LARGEST = 2**63  # of whole numbers among the scores
LARGEST_SAMPLE = 100_000_000  # bytes


@dataclass
class Run:
    """A run as its directory tells it. settings: flat, {"a.b": value}. scores: NaN where it has none."""

    directory: Path
    state: State
    settings: dict[str, Any]
    scores: dict[str, float]
    error: str | None


def collect(root: Path) -> list[Run]:
    """Find every run in or below a directory.

    Raises:
        ValueError: there is none.
    """
    found = []
    for folder, below, files in os.walk(root):
        if CONFIG in files or FAILED in files:
            found.append(read_run(Path(folder)))
            if is_surely_run(found[-1]):
                below.clear()
    if not found:
        raise ValueError(f"{root}: expected a directory with runs below it, such as outputs/<sweep>; found none.")
    return sorted(found, key=lambda run: run.directory)


def is_surely_run(run: Run) -> bool:
    """Whether a directory is a run's: other programs, too, write a config.yaml. If it is unreadable, other files tell."""
    if run.settings:
        return {"w_schedule", "recurrence", "training.steps"} <= run.settings.keys()
    return any((run.directory / name).exists() for name in (LOCK, DONE, f"{CHECKPOINTS}/last.ckpt"))


def read_run(directory: Path) -> Run:
    """Read a run's settings, its scores if it has finished, its error if it failed; one that is damaged counts as failed."""
    stands, settings = state(directory), {}
    error = failure(directory) if stands == "failed" else None
    if error is not None and PRUNED in error:
        stands, error = "pruned", None
    values = dict.fromkeys(SCORE, math.nan)
    try:
        settings = flat_settings(read_settings(directory)) if (directory / CONFIG).exists() else {}
        scores = read_scores(directory) if stands == "finished" else {}
        values = score_values(directory, scores)
    except DamagedError as damage:
        stands, error = "failed", str(damage)
    return Run(directory, stands, settings, values, error)


def score_values(directory: Path, scores: Mapping[str, Any]) -> dict[str, float]:
    """Return the scores that runs are compared by: those of `SCORE`, NaN where there is none, and the ELBO of each class.

    Args:
        directory: The run's, for messages.
        scores: As in its scores.json.

    Raises:
        DamagedError: A score is no number.
    """
    classes = scores.get("classes")
    labels = list(classes) if isinstance(classes, Mapping) else []
    paths = {name: score.path for name, score in SCORE.items()}
    paths |= {f"{ELBO} of {' '.join(printable(label).split())}": ("classes", label, ELBO) for label in labels}
    return {name: _number(directory, scores, path) for name, path in paths.items()}


def flat_settings(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return {"a.b": value}; a class, `a._target_: package.Class`, becomes `a: Class`; lists become text."""
    leaves: dict[str, Any] = {}
    for key, value in tree.items():
        if key == "_target_":
            leaves[prefix.rstrip(".")] = str(value).rpartition(".")[2]
        elif isinstance(value, Mapping):
            leaves |= flat_settings(value, f"{prefix}{key}.")
        else:
            leaves[f"{prefix}{key}"] = str(value) if isinstance(value, list) else value
    return leaves


def _number(directory: Path, scores: Any, path: Sequence[str]) -> float:
    for key in path:
        scores = scores.get(key) if isinstance(scores, Mapping) else None
    if scores is None:
        return math.nan
    if isinstance(scores, float) or (type(scores) is int and abs(scores) < LARGEST):
        return float(scores)
    raise DamagedError(
        f"{directory / SCORES} is damaged: {'.'.join(path)} must be a number, but is {str(scores)[:40]!r}. Write it again "
        f"with `vrnn evaluate run={directory}`."
    )


def training_seconds(run: Run) -> float:
    """How long a run's training took, from its steps a second as they were in the middle; NaN if they cannot be read."""
    speeds = np.array(list(curve_of(run, "speed/steps_per_second").values()))
    return float(run.settings["training.steps"] / np.median(speeds)) if len(speeds) else math.nan


def curve_of(run: Run, tag: str) -> dict[int, float]:
    """Return {step: value} of a tag that a run has logged; a run whose curves are damaged has none, and its `error` says so."""
    try:
        return dict(zip(*curve(run.directory, tag), strict=True))
    except DamagedError as damage:
        run.error = str(damage)
        return {}


def read_sample(directory: Path) -> Array:
    """Return a finished run's generated trace, (T, x_dim).

    Raises:
        DamagedError: It cannot be read, or is no trace.
    """
    path = directory / SAMPLE
    try:
        sample = np.load(io.BytesIO(read_limited(path, LARGEST_SAMPLE)))
        if not isinstance(sample, np.ndarray) or sample.ndim != 2 or not sample.size or sample.dtype.kind != "f":
            raise ValueError("it holds no trace (T, x_dim)")
    except (ValueError, OSError, EOFError, SyntaxError, TypeError, UnicodeError) as error:
        raise DamagedError(
            f"{path} is damaged: {' '.join(str(error).split())}. The run is compared without it; remove it."
        ) from error
    return sample.astype(np.float64)


def failures(runs: Sequence[Run]) -> dict[str, str]:
    """Return {directory's name: error} of the failed runs."""
    return {run.directory.name: run.error for run in runs if run.error is not None}
