"""What can be done with a run once it is trained: measure it again, draw from it, fill gaps by it."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from vrnn import plots
from vrnn.errors import ConfigError
from vrnn.model.vrnn import VRNN
from vrnn.patterns import read_drawings, write_traces
from vrnn.patterns.trace import SequenceKind
from vrnn.plots.sequences import SEQUENCE_PLOTS
from vrnn.runs.build import build_run, build_vrnn, pattern_class, stored_settings
from vrnn.runs.config import check_choice
from vrnn.runs.directory import state
from vrnn.runs.evaluate import evaluate
from vrnn.runs.limits import check_points
from vrnn.runs.report import save_figures, write_scores
from vrnn.runs.summary import print_scores
from vrnn.training.checkpoints import load_weights

logger = logging.getLogger(__name__)

Points = NDArray[np.float64]

CHECKPOINTS = ("last", "best")
FORMATS = ("png", "npz", "csv", "svg")


def evaluate_run(run: Path, **given: Any) -> dict[str, Any]:
    """Measure a run's model. given: what to change about its own `evaluation`, and `seed`; None keeps it.

    Writes scores.json and figures/ where nothing differs from the run's own evaluation, else scores-<what>.json and
    figures-<what>/ beside them.

    Raises:
        ConfigError: no run there, or a number or a checkpoint that cannot be.
        FileNotFoundError: the run has no such checkpoint yet.
        DamagedError: the checkpoint cannot be read.
    """
    settings = _settings(run, given.pop("allow", ("vrnn",)))
    own = {**settings["evaluation"], "seed": settings["seed"]}
    asked = {**own, **{key: value for key, value in given.items() if value is not None}}
    check_choice("checkpoint", asked["checkpoint"], CHECKPOINTS)
    _check_least(traces=(asked["traces"], 1), steps=(asked["steps"], 2), seed=(asked["seed"], 0))
    _check_least(particles=(1 if asked["particles"] is None else asked["particles"], 1))
    check_points("traces * steps", asked["traces"], asked["steps"])
    pattern, module, data = build_run(settings)
    load_weights(module, run / "checkpoints" / f"{asked['checkpoint']}.ckpt")
    evaluation = evaluate(module.vrnn, pattern, data, asked, asked["seed"])
    points = "samples" if asked["sample"] else "means"
    what = "-{checkpoint}-{traces}x{steps}-{points}-seed{seed}" + (
        "-{particles}particles" if asked["particles"] else ""
    )
    suffix = "" if asked == own else what.format(points=points, **asked)
    save_figures(evaluation.figures, run / f"figures{suffix}")
    write_scores(evaluation.scores, run / f"scores{suffix}.json")
    print_scores(evaluation.scores, run, suffix)
    return evaluation.scores


def generate_from_run(
    run: Path,
    n: int,
    steps: int | None,
    prefix: str | None,
    format: str | None,
    out: str | None,
    sample: bool,
    checkpoint: str,
    seed: int,
    allow: Sequence[str] = ("vrnn",),
) -> Path:
    """Draw n traces of `steps` points (None: as the run was evaluated) from a run's prior into a file, and return its path.

    prefix: a drawing, in the run's own coordinates, that every trace continues; it is not repeated in the file.

    Raises:
        ConfigError: no run there, or an option that cannot be.
        FileNotFoundError: the run has no such checkpoint yet.
        DamagedError: the checkpoint cannot be read.
        ValueError: an unreadable prefix, or one that holds several drawings.
    """
    format = _format(format, out)
    _check_options(format, checkpoint, n=(n, 1), steps=(1 if steps is None else steps, 1), seed=(seed, 0))
    settings = _settings(run, allow)
    steps = settings["evaluation"]["steps"] if steps is None else steps
    check_points("n * steps", n, steps)
    begun = None if prefix is None else _one_drawing("prefix", prefix, settings)
    vrnn = _trained(run, settings, checkpoint)
    drawn = vrnn.generate(n, steps, begun, sample, torch.Generator().manual_seed(seed))
    traces = drawn.transpose(0, 1).double().numpy()
    return _write(traces, None, out, run / f"generated.{format}", format, pattern_class(settings).form)


def impute_from_run(
    run: Path,
    drawing: str,
    gap: Sequence[int],
    n: int,
    particles: int,
    format: str | None,
    out: str | None,
    checkpoint: str,
    seed: int,
    allow: Sequence[str] = ("vrnn",),
) -> Path:
    """Fill points gap[0], …, gap[1] - 1 of a drawing n times by a run's model, and return the path of the n whole traces.

    particles: with 1 given what comes before the gap, with more given what comes after it, too.

    Raises:
        ConfigError: no run there, or an option that cannot be.
        FileNotFoundError: the run has no such checkpoint yet.
        DamagedError: the checkpoint cannot be read.
        ValueError: an unreadable drawing, several in one file, or a model that cannot fill gaps.
    """
    format = _format(format, out)
    _check_options(format, checkpoint, n=(n, 1), particles=(particles, 1), seed=(seed, 0))
    settings = _settings(run, allow)
    given = _one_drawing("drawing", drawing, settings)
    if len(gap) != 2 or not 0 <= gap[0] < gap[1] <= len(given):
        raise ConfigError(
            f"gap must be [first, end], 0 <= first < end <= {len(given)}, the drawing's points, but is {gap}."
        )
    mask = torch.ones(len(given), n, dtype=torch.bool)
    mask[gap[0] : gap[1]] = False
    vrnn = _trained(run, settings, checkpoint)
    filled = vrnn.impute(given[:, None].expand(-1, n, -1), mask, torch.Generator().manual_seed(seed), particles)
    shown = given.masked_fill(~mask[:, :1], torch.nan)
    return _write(
        filled.transpose(0, 1).double().numpy(), shown.numpy(), out, run / f"imputed.{format}", format, "plane"
    )


def _settings(run: Path, allow: Sequence[str]) -> dict[str, Any]:
    """Its stored settings; says so if it has not finished."""
    settings = stored_settings(run, allow)
    if state(run) != "finished":
        logger.warning("%s has not finished: this is its model as it was last kept.", run)
    return settings


def _check_options(format: str, checkpoint: str, **numbers: tuple[int, int]) -> None:
    check_choice("format", format, FORMATS)
    check_choice("checkpoint", checkpoint, CHECKPOINTS)
    _check_least(**numbers)


def _format(format: str | None, out: str | None) -> str:
    """The one asked for, else the one that `out` ends in, else a picture."""
    return format or (Path(out).suffix.removeprefix(".") if out else "png")


def _trained(run: Path, settings: dict[str, Any], checkpoint: str) -> VRNN:
    vrnn = build_vrnn(settings).eval()
    load_weights(vrnn, run / "checkpoints" / f"{checkpoint}.ckpt", prefix="vrnn.")
    return vrnn


def _write(
    traces: Points, given: Points | None, out: str | None, default: Path, format: str, form: SequenceKind
) -> Path:
    """Write traces (n, T, x_dim) and return where; a picture begins with what was given."""
    path = default if out is None else Path(out)
    if format != "png":
        write_traces(path, traces, format, form)
    elif given is None:
        plots.save(SEQUENCE_PLOTS[form].plot_grid(traces), path)
    else:
        titles = ["given", *(f"filled {i + 1}" for i in range(len(traces)))]
        plots.save(SEQUENCE_PLOTS[form].plot_grid(np.concatenate([given[None], traces]), titles), path)
    return path


def _one_drawing(option: str, path: str, settings: dict[str, Any]) -> torch.Tensor:
    """Read the one drawing a file holds, (T, 2)."""
    form = pattern_class(settings).form
    if form != "plane":
        raise ConfigError(
            f"{option}={path} is a drawing of points (x, y), but this run's sequences are of the form {form}."
        )
    drawings = list(read_drawings(path).values())
    if len(drawings) != 1:
        raise ValueError(f"{option}={path} holds {len(drawings)} drawings, but only one can be taken.")
    return torch.as_tensor(drawings[0], dtype=torch.float32)


def _check_least(**numbers: tuple[int, int]) -> None:
    for name, (value, least) in numbers.items():
        if value < least:
            raise ConfigError(f"{name} must be at least {least}, but is {value}.")
