"""What can be done with a run once it is trained: measure it again, draw from it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from vrnn import plots
from vrnn.config import ConfigError, check_choice
from vrnn.patterns import read_drawings, write_traces
from vrnn.pictures import PICTURES
from vrnn.training.assembly import assemble, build_vrnn, pattern_class, stored_settings
from vrnn.training.checkpoints import load_weights
from vrnn.training.measure import measure
from vrnn.training.outcome import print_scores
from vrnn.training.report import save_figures, write_scores

CHECKPOINTS = ("last", "best")
FORMATS = ("png", "npz", "csv", "svg")


def evaluate_again(run: Path, **given: Any) -> dict[str, Any]:
    """Measure a run's model. given: what to change about its own `evaluation`, and `seed`; None keeps it.

    Writes scores.json and figures/ where nothing differs from the run's own evaluation, else scores-<what>.json and
    figures-<what>/ beside them.

    Raises:
        ConfigError: no run there, or a number or a checkpoint that cannot be.
        FileNotFoundError: the run has no such checkpoint yet.
        DamagedError: the checkpoint cannot be read.
    """
    settings = stored_settings(run)
    own = {**settings["evaluation"], "seed": settings["seed"]}
    asked = {**own, **{key: value for key, value in given.items() if value is not None}}
    check_choice("checkpoint", asked["checkpoint"], CHECKPOINTS)
    _check_least(traces=(asked["traces"], 1), steps=(asked["steps"], 2), seed=(asked["seed"], 0))
    _check_least(particles=(1 if asked["particles"] is None else asked["particles"], 1))
    pattern, module, data = assemble(settings)
    load_weights(module, run / "checkpoints" / f"{asked['checkpoint']}.ckpt")
    scores, figures, _ = measure(module.vrnn, pattern, data, asked, asked["seed"])
    points = "samples" if asked["sample"] else "means"
    what = "-{checkpoint}-{traces}x{steps}-{points}-seed{seed}" + (
        "-{particles}particles" if asked["particles"] else ""
    )
    suffix = "" if asked == own else what.format(points=points, **asked)
    save_figures(figures, run / f"figures{suffix}")
    write_scores(scores, run / f"scores{suffix}.json")
    print_scores(scores, run)
    return scores


def generate_again(
    run: Path,
    n: int,
    steps: int | None,
    prefix: str | None,
    format: str,
    out: str | None,
    sample: bool,
    checkpoint: str,
    seed: int,
) -> Path:
    """Draw n traces of `steps` points (None: as the run was evaluated) from a run's prior into a file, and return its path.

    prefix: a drawing, in the run's own coordinates, that every trace continues; it is not repeated in the file.

    Raises:
        ConfigError: no run there, or an option that cannot be.
        FileNotFoundError: the run has no such checkpoint yet.
        DamagedError: the checkpoint cannot be read.
        ValueError: an unreadable prefix, or one that holds several drawings.
    """
    check_choice("format", format, FORMATS)
    check_choice("checkpoint", checkpoint, CHECKPOINTS)
    settings = stored_settings(run)
    steps = settings["evaluation"]["steps"] if steps is None else steps
    _check_least(n=(n, 1), steps=(steps, 1), seed=(seed, 0))
    form = pattern_class(settings).form
    if prefix is not None and form != "plane":
        raise ConfigError(
            f"prefix={prefix} is a drawing of points (x, y), but this run's sequences are of the form {form}."
        )
    vrnn = build_vrnn(settings).eval()
    load_weights(vrnn, run / "checkpoints" / f"{checkpoint}.ckpt", prefix="vrnn.")
    begun = None if prefix is None else _one_drawing(prefix)
    generator = torch.Generator().manual_seed(seed)
    drawn = vrnn.generate(n, steps, prefix=begun, sample=sample, generator=generator)
    traces = drawn.transpose(0, 1).double().numpy()
    path = Path(out) if out is not None else run / f"generated.{format}"
    if format == "png":
        plots.save(PICTURES[form].sheet(traces), path)
    else:
        write_traces(path, traces, format, form)
    return path


def _one_drawing(path: str) -> torch.Tensor:
    """Read the one drawing a file holds, (T, 2)."""
    drawings = list(read_drawings(path).values())
    if len(drawings) != 1:
        raise ValueError(f"prefix={path} holds {len(drawings)} drawings, but every trace continues one and the same.")
    return torch.as_tensor(drawings[0], dtype=torch.float32)


def _check_least(**numbers: tuple[int, int]) -> None:
    for name, (value, least) in numbers.items():
        if value < least:
            raise ConfigError(f"{name} must be at least {least}, but is {value}.")
