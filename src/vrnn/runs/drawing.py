"""Sequences that a trained run is to continue, complete or score: read, and refused where they do not fit its data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vrnn.errors import ConfigError
from vrnn.patterns import DrawnPattern, Pattern, Units
from vrnn.patterns.files.read import load_drawings
from vrnn.patterns.files.series_files import SERIES_READERS, column_names, load_series
from vrnn.patterns.resampling import at_constant_speed, normalise
from vrnn.runs.config import CONDITIONS
from vrnn.runs.pattern import Settings, as_config_error, build_pattern, pattern_class

Points = NDArray[np.float64]

# Measured from the middle of the training data, in half extents: 1 is their edge. Another hand's drawing reaches 1.5;
# pixels and millimetres, and drawings of another size, reach further.
FAR = 3.0
TABLES = (".csv", ".tsv", ".txt", ".parquet")
LOOKED_AT = 16, 1024  # traces, and steps in each, that tell the extent of the training data


@dataclass(frozen=True)
class Given:
    """A sequence that is given to a run.

    Attributes:
        points: (T, x_dim), NaN where a number is missing.
        condition: Its label, for a run with condition=label whose data have labels in files, or its exogenous series (T, c) in
            their own units, for a run with condition=series; else None.
    """

    points: Points
    condition: str | Points | None = None


def read_sequence(
    option: str, path: str, settings: Settings, units: Units, resample: bool = False, label: str | None = None
) -> Given:
    """Return the one sequence that a file holds.

    Args:
        option: The option that names the file, for messages.
        path: The file.
        settings: The run's.
        units: Of the run's data, and so of the sequence.
        resample: Whether a drawing is brought to the speed or the times of the run's data.
        label: Its label, instead of the one that the file gives.

    Raises:
        ConfigError: The run's sequences are neither drawings nor series; the file cannot be read or holds several of them; or
            it lies far outside of what the model was trained on, as pixels do.
    """
    found = _read(option, path, settings, units, resample, label)
    if len(found) != 1:
        raise ConfigError(f"{option} must be a file with one sequence, but {path} holds {len(found)}: split it.")
    (given,) = found.values()
    _check_extent(option, path, given.points, np.nanmax, settings, units)
    speed = _speed(settings)
    return given if speed is None or not resample else replace(given, points=_resampled(path, given.points, speed))


def read_sequences(
    files: Sequence[str], settings: Settings, units: Units, label: str | None = None
) -> dict[str, Given]:
    """Return the sequences of files that a run is to score, by name, as the run's own data were prepared.

    Single points may lie anywhere: to find them is what scores are for. A run on drawings has seen each of them scaled to zero
    mean and std_x + std_y = 2, and resampled if `dataset.speed` or `dataset.interval` is given; so are these.

    Args:
        files: The files.
        settings: The run's.
        units: Of the run's data, and so of the sequences, unless the run scales each of its drawings.
        label: The label of all, instead of those that the files give.

    Raises:
        ConfigError: There is no file; the run's sequences are neither drawings nor series; a file cannot be read; or half of a
            sequence's points lie far outside of what the model was trained on, as pixels do.
    """
    if not files:
        raise ConfigError("files must name at least one file, as in files=[drawing.npy], but is empty.")
    found = {
        name: given for file in files for name, given in _read("files", file, settings, units, True, label).items()
    }
    if issubclass(pattern_class(settings), DrawnPattern):
        speed = _speed(settings)
        scaled = {name: normalise(given.points) for name, given in found.items()}
        return {
            name: replace(found[name], points=points if speed is None else _resampled(name, points, speed))
            for name, points in scaled.items()
        }
    for name, given in found.items():
        _check_extent("files", name, given.points, np.nanmedian, settings, units)
    return found


def read_exogenous(path: str, settings: Settings, units: Units) -> list[Points]:
    """Return the exogenous series in a file, each (T, c) in their own units; other columns are not read.

    Raises:
        ConfigError: The file cannot be read, lacks a column, or has a missing number.
    """
    names = units.exogenous_names
    with as_config_error():
        if Path(path).suffix.lower() not in SERIES_READERS:  # a label, perhaps
            known = ", ".join(SERIES_READERS)
            raise ValueError(
                f"condition must be a file with the exogenous series {', '.join(names)} ({known}), but is {path}"
            )
        group, columns = None, list(names) if _is_named(Path(path)) else None
        if _is_table(Path(path)):
            groups = {settings["dataset"].get("group"), "trace"} & {*(column_names(Path(path)) or ())}
            group = next(iter(groups), None)
        found = load_series(Path(path), columns, group, fewest=1)
        for name, one in found.items():
            if one.values.shape[1] != len(names) or np.isnan(one.values).any():
                raise ValueError(
                    f"{name}: expected the exogenous series {', '.join(names)} without a missing number, but it has "
                    f"{one.values.shape[1]} columns, and {int(np.isnan(one.values).sum())} numbers are missing"
                )
    return [one.values for one in found.values()]


def _is_table(path: Path) -> bool:
    return path.suffix.lower() in TABLES and path.is_file()


def _is_named(path: Path) -> bool:
    """Return whether the columns of a file have names: those of tables, and of arrays that say them."""
    return _is_table(path) or (path.is_file() and column_names(path) is not None)


def conditioned_on(settings: Settings) -> str | None:
    """Return what a run's model is conditioned on: "label", "series", or None."""
    return CONDITIONS.get(settings["condition"]["_target_"])


def channel_names(settings: Settings, units: Units) -> Sequence[str]:
    """Return what the coordinates of a run's sequences are called; () where they have no names."""
    return ("x", "y") if pattern_class(settings).form == "plane" else units.names


def _read(
    option: str, path: str, settings: Settings, units: Units, resample: bool, label: str | None
) -> dict[str, Given]:
    """Return the drawings or the series in a file, by name; drawings at the times of the run's data if they are resampled."""
    form = pattern_class(settings).form
    # Where the files of the run say what their labels are, so do these, unless the command says it.
    place = settings["dataset"].get("label") if label is None and conditioned_on(settings) == "label" else None
    if label is not None and option != "prefix" and conditioned_on(settings) == "series":
        raise ConfigError(
            f"condition must be left out for a run with condition=series, whose exogenous series are in {option}, but is "
            f"{label}."
        )
    with as_config_error():
        if form == "plane":
            interval = settings["dataset"].get("interval") if resample else None
            drawings = load_drawings(path, label=place)
            return {
                name: Given((one if interval is None else one.at_interval(name, interval)).points, label or one.label)
                for name, one in drawings.items()
            }
        if form == "series":
            return _read_series(Path(path), settings, units, place, label)
    raise ConfigError(
        f"{option} must be left out for a run whose sequences are of the form {form}, but is {path}: drawings (x, y) and "
        "series are read; use vrnn.load_run(…) in Python for others."
    )


def _read_series(
    path: Path, settings: Settings, units: Units, place: str | None, label: str | None
) -> dict[str, Given]:
    """Return the series in a file: the run's channels by name; the column that tells sequences apart only if there is one.

    Of an array without names the columns of `dataset.columns` are read, as of the run's own arrays.

    Raises:
        ValueError: The file cannot be read, or lacks a channel, a label or what the model is conditioned on.
    """
    dataset, names = settings["dataset"], units.names
    columns, group, condition = list(names) or dataset.get("columns"), None, dataset.get("condition_columns")
    if _is_table(path):
        header = column_names(path) or ()
        # A file that `vrnn generate` wrote has a column of that name.
        groups = {dataset.get("group"), "trace"} & {*header} - {*names}
        group = next(iter(groups), None)
    if _is_named(path):
        condition = list(units.exogenous_names) if conditioned_on(settings) == "series" else None
    elif names:
        columns = dataset.get("columns")
    found = load_series(path, columns, group, place, condition)
    for name, one in found.items():
        if names and len(one.channels) != len(names):
            raise ValueError(
                f"{name}: expected {len(names)} columns, the run's channels {', '.join(names)}, but it has {len(one.channels)}"
            )
    if dataset.get("differences"):
        found = {name: one.differences() for name, one in found.items()}
    series = conditioned_on(settings) == "series"
    return {name: Given(one.values, one.exogenous if series else label or one.label) for name, one in found.items()}


def _speed(settings: Settings) -> float | None:
    """Return the speed to which a run's drawings were resampled; None: the drawn points."""
    return settings["dataset"].get("speed") if issubclass(pattern_class(settings), DrawnPattern) else None


def _resampled(name: str, points: Points, speed: float) -> Points:
    """Return a drawing at constant speed, as the run's data are.

    Raises:
        ConfigError: It has lost points, or is shorter than one step.
    """
    if lost := int(np.isnan(points).any(axis=1).sum()):
        raise ConfigError(
            f"{name} must be without lost points for a run with dataset.speed={speed}, since a drawing with gaps has no "
            f"curve to follow, but has {lost}: fill them in."
        )
    moved = at_constant_speed(points, speed)
    if len(moved) < 2:
        raise ConfigError(f"{name} must be longer than one step of dataset.speed={speed}, but is not: give more of it.")
    return moved


def check_prefix(path: str, points: Points) -> None:
    """Raise ConfigError if a sequence to be continued lacks points."""
    if np.isnan(points).any():
        raise ConfigError(f"prefix must be a sequence without missing points, but {path} has some: fill them in.")


def check_gap(gap: Sequence[int], points: Points) -> None:
    """Raise ConfigError if a gap [first, end] is no stretch of a sequence."""
    if len(gap) != 2 or not 0 <= gap[0] < gap[1] <= len(points):
        raise ConfigError(
            f"gap must be [first, end] with 0 <= first < end <= {len(points)}, the sequence's steps, but is {gap}."
        )


def _check_extent(
    option: str,
    path: str,
    points: Points,
    summary: Callable[[Points], float],
    settings: Settings,
    units: Units,
) -> None:
    """Raise ConfigError if a summary of the points' distances from the middle of the training data is too large."""
    try:
        pattern = build_pattern(settings)
    except ConfigError:  # its files are no longer here: nothing to compare with
        return
    low, high = (units.to_units(corner) for corner in extent(pattern))
    middle, half = (low + high) / 2, (high - low) / 2
    if summary(np.max(np.abs(points - middle) / half, axis=1)) <= FAR:
        return
    begin, end = np.nanmin(points, axis=0), np.nanmax(points, axis=0)
    factor = float(half.mean() / max(((end - begin) / 2).mean(), np.finfo(float).tiny))
    drawing = pattern.form == "plane"
    cure = (
        f"subtract its middle, then multiply it by about {factor:.2g}"
        if drawing
        else "give it in the units of the data"
    )
    names = channel_names(settings, units) or [f"x{i}" for i in range(len(low))]
    known = " and ".join(f"{name} from {a:.3g} to {b:.3g}" for name, a, b in zip(names, low, high, strict=True))
    given = " and ".join(f"from {a:.3g} to {b:.3g}" for a, b in zip(begin, end, strict=True))
    raise ConfigError(
        f"{option} must be in the coordinates of the run's data, {known}, but {path} reaches {given}: {cure}."
    )


def extent(pattern: Pattern) -> tuple[Points, Points]:
    """Return the smallest and the largest coordinates of a pattern's traces for training, (x_dim,) each."""
    traces, steps = LOOKED_AT
    drawn = pattern.draw("train", traces, steps, np.random.default_rng(0))
    points = np.concatenate([trace.points for trace in drawn])
    return np.nanmin(points, axis=0), np.nanmax(points, axis=0)
