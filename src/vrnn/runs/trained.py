"""What can be done with a trained run: score it again, generate traces, fill a gap in a sequence."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from itertools import chain, count
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray

from vrnn import plots
from vrnn.checks import require
from vrnn.data.loader import TraceSet
from vrnn.errors import ConfigError
from vrnn.model.vrnn import VRNN
from vrnn.networks import SeriesCondition
from vrnn.patterns import SequenceKind, Units, write_traces
from vrnn.patterns.strokes import end_drawings
from vrnn.plots.motion import write_moving
from vrnn.plots.sequences import SEQUENCE_PLOTS
from vrnn.runs.build import build_data, build_run
from vrnn.runs.config import check_choice
from vrnn.runs.directory import settings_digest, state
from vrnn.runs.drawing import channel_names, check_gap, check_prefix, read_exogenous, read_sequence
from vrnn.runs.evaluate import ask, evaluate, prepare_evaluation
from vrnn.runs.formats import FIGURES, FORMATS, MOVING, check_form, chosen_format, ending
from vrnn.runs.limits import check_points
from vrnn.runs.load import load_run
from vrnn.runs.parts import build_vrnn
from vrnn.runs.pattern import as_config_error, build_pattern, pattern_class
from vrnn.runs.report import save_figures, write_scores
from vrnn.runs.stored import stored_settings
from vrnn.runs.summary import print_scores
from vrnn.runs.units import read_units
from vrnn.training.checkpoint_files import load_weights

logger = logging.getLogger(__name__)

Points = NDArray[np.float64]

CHECKPOINTS = ("last", "best")


def evaluate_run(run: Path, **changes: Any) -> dict[str, Any]:
    """Score a trained run again.

    Writes scores.json and figures/ where nothing differs from the run's own evaluation, else scores-<changes>.json and
    figures-<changes>/ beside them.

    Args:
        run: The run's directory.
        changes: Values for settings of the run's `evaluation`, and for `seed`; None: the run's own. Also `allow`, the packages
            whose classes the run's settings may name, and `format`, that of the figures: png, svg or pdf.

    Returns:
        The scores.

    Raises:
        ConfigError: No run there, a number out of its range, or an unknown checkpoint.
        FileNotFoundError: The run has no such checkpoint yet.
        DamagedError: The checkpoint cannot be read.
    """
    settings = _settings(run, changes.pop("allow", ("vrnn",)))
    format = changes.pop("format", "png")
    check_choice("format", format, FIGURES)
    own = {**settings["evaluation"], "seed": settings["seed"]}
    options = own | {key: value for key, value in changes.items() if value is not None}
    check_choice("checkpoint", options["checkpoint"], CHECKPOINTS)
    _check_at_least(1, traces=options["traces"], particles=options["particles"])
    _check_at_least(2, steps=options["steps"])
    _check_at_least(0, seed=options["seed"])
    check_points("traces * steps", options["traces"], options["steps"])
    pattern, module, data = build_run(settings)
    load_weights(module, run / "checkpoints" / f"{options['checkpoint']}.ckpt", settings_digest=settings_digest(run))
    judge = prepare_evaluation(pattern, data, options["seed"])
    evaluation = evaluate(module.vrnn, module.w_schedule, pattern, data.traces, judge, options, options["seed"])
    suffix = "" if options == own else _suffix(options)
    save_figures(evaluation.figures, run / f"figures{suffix}", format)
    write_scores(evaluation.scores, run / f"scores{suffix}.json")
    print_scores(evaluation.scores, run, suffix)
    return evaluation.scores


def generate_from_run(
    run: Path,
    *,
    n: int,
    steps: int | None,
    label: str | None = None,
    prefix: str | None,
    format: str | None,
    out: str | None,
    sample: bool,
    checkpoint: str,
    seed: int,
    temperature: float = 1.0,
    z_temperature: float = 1.0,
    allow: Sequence[str] = ("vrnn",),
) -> Path:
    """Write traces drawn from a run's prior to a file.

    Args:
        run: The run's directory.
        n: Number of traces.
        steps: Points per trace; None: as in the run's evaluation.
        label: The class that is drawn, of a run with condition=label; a file with the exogenous series of the steps that are
            drawn, of a run with condition=series (None: those of held-out sequences).
        prefix: The file of a drawing, in the coordinates of the run's data, that every trace continues. The written traces do
            not include it.
        format: One of FORMATS or MOVING; None: the ending of `out`, else png.
        out: The file, replaced if it exists; None: generated.<format> in the run's directory, or generated-2.<format>, … if it
            exists.
        sample: Whether each point is drawn from the decoder; False: its mean.
        temperature: Of the decoder, see `VRNN.generate`.
        z_temperature: Of the prior of z.
        checkpoint: One of CHECKPOINTS.
        seed: Of all noise.
        allow: The packages whose classes the run's settings may name.

    Returns:
        The file's path.

    Raises:
        ConfigError: No run there, an option out of its range, or a prefix that cannot be read or does not fit the data.
        FileNotFoundError: The run has no such checkpoint yet.
        DamagedError: The checkpoint cannot be read.
    """
    format = chosen_format(format, out)
    check_choice("format", format, (*FORMATS, *MOVING))
    check_choice("checkpoint", checkpoint, CHECKPOINTS)
    _check_at_least(1, n=n, steps=steps)
    _check_at_least(0, seed=seed)
    settings = _settings(run, allow)
    check_points("n * steps", n, settings["evaluation"]["steps"] if steps is None else steps)
    units = read_units(run)
    prefix_points, before = None, None
    if prefix is not None:
        given = read_sequence("prefix", prefix, settings, units, resample=True, label=label)
        prefix_points, before = given.points, given.condition
        check_prefix(prefix, prefix_points)
    vrnn = _load_vrnn(run, settings, checkpoint)
    begin = None if prefix_points is None else torch.as_tensor(units.from_units(prefix_points), dtype=torch.float32)
    with as_config_error():
        condition, steps = _asked(vrnn, settings, units, label, before, n, steps)
    generator = torch.Generator().manual_seed(seed)
    points = vrnn.generate(n, steps, begin, sample, generator, temperature, z_temperature, condition)
    path = _free(run / f"generated.{ending(format)}") if out is None else Path(out)
    traces = units.to_units(points.transpose(0, 1).double().numpy())
    form, names = pattern_class(settings).form, channel_names(settings, units)
    if form == "strokes":
        traces = _ended(traces, units, seed)
    with as_config_error():
        check_form(format, form, n)
    if format in MOVING:
        write_moving(path, format, traces, form, prefix_points)
    elif format != "png":
        write_traces(path, traces, format, form, names)
    elif prefix_points is None:
        plots.save(SEQUENCE_PLOTS[form].plot_grid(traces), path)
    else:
        plots.save(_plot_continued(prefix_points, traces, form, names), path)
    return path


def _ended(traces: Points, units: Units, seed: int) -> Points:
    """Return drawings up to their end, and log how many have none."""
    cut, ended = end_drawings(traces, units.strokes, np.random.default_rng(seed))
    if units.strokes and (open_ := int((~ended).sum())):
        logger.warning("%d of %d drawings go on after %d steps: raise steps.", open_, len(cut), cut.shape[1])
    return cut


def impute_from_run(
    run: Path,
    *,
    drawing: str,
    gap: Sequence[int],
    n: int,
    particles: int,
    format: str | None,
    out: str | None,
    checkpoint: str,
    seed: int,
    label: str | None = None,
    allow: Sequence[str] = ("vrnn",),
) -> Path:
    """Fill a gap in a sequence n times by a run's model, and write the n whole traces to a file.

    Args:
        run: The run's directory.
        drawing: The file of a drawing or a series, in the coordinates of the run's data.
        gap: [first, end]: points first, …, end - 1 are filled in.
        n: How often.
        particles: With 1 the points depend on what comes before the gap; with more, on what comes after it, too.
        format: One of FORMATS; None: the ending of `out`, else png.
        out: The file, replaced if it exists; None: imputed.<format> in the run's directory, or imputed-2.<format>, … if it
            exists.
        checkpoint: One of CHECKPOINTS.
        seed: Of all noise.
        label: The class of the sequence, of a run with condition=label; None: as the file says, where dataset.label tells how.
            The exogenous series of a run with condition=series are in the file itself.
        allow: The packages whose classes the run's settings may name.

    Returns:
        The file's path.

    Raises:
        ConfigError: No run there, an option out of its range, or a sequence that cannot be read or does not fit the data.
        FileNotFoundError: The run has no such checkpoint yet.
        DamagedError: The checkpoint cannot be read.
        ValueError: The model cannot fill gaps.
    """
    format = chosen_format(format, out)
    check_choice("format", format, FORMATS)
    check_choice("checkpoint", checkpoint, CHECKPOINTS)
    _check_at_least(1, n=n, particles=particles)
    _check_at_least(0, seed=seed)
    settings = _settings(run, allow)
    units = read_units(run)
    sequence = read_sequence("drawing", drawing, settings, units, label=label)
    given = sequence.points
    check_gap(gap, given)
    with_gap = given.copy()
    with_gap[gap[0] : gap[1]] = np.nan
    loaded = load_run(run, checkpoint, allow)
    with as_config_error():
        x = np.repeat(with_gap[:, None], n, axis=1)
        traces = loaded.impute(x, particles=particles, seed=seed, condition=sequence.condition).swapaxes(0, 1)
    path = _free(run / f"imputed.{format}") if out is None else Path(out)
    form, names = pattern_class(settings).form, channel_names(settings, units)
    if format == "png":
        plots.save(plot_imputed(with_gap, traces, form, names), path)
    else:
        write_traces(path, traces, format, form, names)
    return path


def _asked(
    vrnn: VRNN,
    settings: dict[str, Any],
    units: Units,
    asked: str | None,
    before: str | Points | None,
    n: int,
    steps: int | None,
) -> tuple[torch.Tensor | None, int]:
    """Return what n generated traces are conditioned on, at the steps of their prefix, too, and how many steps are generated.

    Args:
        vrnn: The model.
        settings: The run's.
        units: Of its data.
        asked: A label, or a file of exogenous series.
        before: The condition of the prefix.
        n: The number of traces.
        steps: How many steps are wanted; None: as many as in the run's evaluation, or in the file where it has fewer.

    Raises:
        ValueError: The condition is missing or unknown, or has fewer steps.
    """
    most = settings["evaluation"]["steps"] if steps is None else steps
    if not isinstance(vrnn.condition, SeriesCondition):
        return vrnn.condition.as_tensor(before if asked is None else asked, n), most
    if asked is None:
        require(before is None, "condition", "a file with the exogenous series of the steps after the prefix", None)
        held_out = build_data(settings, build_pattern(settings)).traces("test")
        return ask(vrnn, TraceSet(held_out), n, most)
    found = read_exogenous(asked, settings, units)
    least = min(map(len, found))
    require(steps is None or steps <= least, "steps", f"at most {least}, as {asked} has exogenous series", steps)
    most = min(most, least)
    after = np.stack([found[i % len(found)][:most] for i in range(n)], axis=1)
    if before is not None:
        after = np.concatenate([np.repeat(np.asarray(before)[:, None], n, axis=1), after])
    return vrnn.condition.as_tensor(_scaled(after, units), n), most


def _scaled(condition: str | Points | None, units: Units) -> str | Points | None:
    """Return a condition as the networks see it: exogenous series scaled, a label as it is."""
    return units.exogenous.from_units(condition) if units.exogenous and isinstance(condition, np.ndarray) else condition


def plot_imputed(with_gap: Points, filled: Points, form: SequenceKind = "plane", names: Sequence[str] = ()) -> Figure:
    """Plot a sequence with a gap, (T, x_dim) with NaN inside it, and the ways that it was filled, (n, T, x_dim)."""
    if form == "series":
        hidden = np.isnan(with_gap).any(axis=1)
        near = np.convolve(hidden, [1, 1, 1], mode="same") > 0  # what is given would cover the other steps
        return plots.plot_series({"filled": list(np.where(near[:, None], filled, np.nan)), "given": [with_gap]}, names)
    titles = ["given", *(f"filled {i + 1}" for i in range(len(filled)))]
    return SEQUENCE_PLOTS[form].plot_grid(np.concatenate([with_gap[None], filled]), titles)


def _plot_continued(prefix: Points, traces: Points, form: SequenceKind, names: Sequence[str]) -> Figure:
    """Plot a sequence (T, x_dim) and the ways that it was continued, (n, T', x_dim)."""
    if form != "series":
        return plots.plot_continued(prefix, traces)
    before = np.full((len(prefix) - 1, prefix.shape[1]), np.nan)
    after = [np.concatenate([before, prefix[-1:], trace]) for trace in traces]
    return plots.plot_series({"continued by the model": after, "given": [prefix]}, names)


def _settings(run: Path, allow: Sequence[str]) -> dict[str, Any]:
    """Return a run's settings; log a warning if it has not finished."""
    settings = stored_settings(run, allow)
    if state(run) != "finished":
        logger.warning("%s has not finished: its last checkpoint is used.", run)
    return settings


def _load_vrnn(run: Path, settings: dict[str, Any], checkpoint: str) -> VRNN:
    vrnn = build_vrnn(settings, read_units(run)).eval()
    load_weights(vrnn, run / "checkpoints" / f"{checkpoint}.ckpt", "vrnn.", settings_digest(run))
    return vrnn


def _free(path: Path) -> Path:
    """Return a path, or the first of <name>-2, <name>-3, … that does not exist: nothing is overwritten unasked."""
    numbered = (path.with_stem(f"{path.stem}-{i}") for i in count(2))
    return next(free for free in chain([path], numbered) if not free.exists())


def _suffix(options: dict[str, Any]) -> str:
    """Return what the names of scores and figures end in for an evaluation with these options."""
    points = "samples" if options["sample"] else "means"
    suffix = "-{checkpoint}-{traces}x{steps}-{points}-seed{seed}".format(points=points, **options)
    suffix += f"-{options['particles']}particles" if options["particles"] else ""
    return suffix + ("-thorough" if options["thorough"] else "")


def _check_at_least(least: int, **numbers: int | None) -> None:
    for name, value in numbers.items():
        if value is not None and value < least:
            raise ConfigError(f"{name} must be at least {least}, but is {value}.")
