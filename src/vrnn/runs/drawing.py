"""Drawings that a trained run is to continue, complete or score: read, and refused where they do not fit its data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vrnn.errors import ConfigError
from vrnn.patterns import DrawnPattern, Pattern, Units, read_drawings
from vrnn.runs.pattern import as_config_error, build_pattern, pattern_class

Points = NDArray[np.float64]

# Measured from the middle of the training data, in half extents: 1 is their edge. Another hand's drawing reaches 1.5;
# pixels and millimetres, and drawings of another size, reach further.
FAR = 3.0
LOOKED_AT = 16, 1024  # traces, and steps in each, that tell the extent of the training data


def read_drawing(option: str, path: str, settings: dict[str, Any], units: Units) -> Points:
    """Return the points of the one drawing that a file holds.

    Args:
        option: The option that names the file, for messages.
        path: The file.
        settings: The run's.
        units: Of the run's data, and so of the drawing.

    Returns:
        (T, 2), NaN where a point is lost.

    Raises:
        ConfigError: The run's sequences are no drawings; the file cannot be read or holds several drawings; or the drawing
            lies far outside of what the model was trained on, as pixels do.
    """
    form = pattern_class(settings).form
    if form != "plane":
        raise ConfigError(
            f"{option} must be left out for a run whose sequences are of the form {form}, but is {path}: drawings are points "
            "(x, y)."
        )
    with as_config_error():
        drawings = list(read_drawings(path).values())
    if len(drawings) != 1:
        raise ConfigError(f"{option} must be a file with one drawing, but {path} holds {len(drawings)}: split it.")
    _check_extent(option, path, drawings[0], np.nanmax, settings, units)
    return drawings[0]


def read_sequences(files: Sequence[str], settings: dict[str, Any], units: Units) -> dict[str, Points]:
    """Return the drawings of files that a run is to score, by name.

    Single points may lie anywhere: to find them is what scores are for.

    Args:
        files: The files.
        settings: The run's.
        units: Of the run's data, and so of the drawings, unless the run scales each of its drawings.

    Raises:
        ConfigError: There is no file; the run's sequences are no drawings; a file cannot be read; or half of a drawing's
            points lie far outside of what the model was trained on, as pixels do.
    """
    if not files:
        raise ConfigError("files must name at least one file, as in files=[drawing.npy], but is empty.")
    pattern = pattern_class(settings)
    if pattern.form != "plane":
        raise ConfigError(
            f"run must have learned drawings, points (x, y), but its sequences are of the form {pattern.form}: use "
            "vrnn.load_run(…).log_likelihood(x) in Python."
        )
    with as_config_error():
        drawings = {name: points for file in files for name, points in read_drawings(file).items()}
    if not issubclass(pattern, DrawnPattern):
        for name, points in drawings.items():
            _check_extent("files", name, points, np.nanmedian, settings, units)
    return drawings


def check_prefix(path: str, points: Points) -> None:
    """Raise ConfigError if a drawing to be continued lacks points."""
    if np.isnan(points).any():
        raise ConfigError(f"prefix must be a drawing without lost points, but {path} has some: fill them in.")


def check_gap(gap: Sequence[int], points: Points) -> None:
    """Raise ConfigError if a gap [first, end] is no stretch of a drawing."""
    if len(gap) != 2 or not 0 <= gap[0] < gap[1] <= len(points):
        raise ConfigError(
            f"gap must be [first, end] with 0 <= first < end <= {len(points)}, the drawing's points, but is {gap}."
        )


def _check_extent(
    option: str,
    path: str,
    points: Points,
    summary: Callable[[Points], float],
    settings: dict[str, Any],
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
    raise ConfigError(
        f"{option} must be in the coordinates of the run's data, x from {low[0]:.3g} to {high[0]:.3g} and y from {low[1]:.3g} "
        f"to {high[1]:.3g}, but {path} reaches from {begin[0]:.3g} to {end[0]:.3g} and from {begin[1]:.3g} to {end[1]:.3g}: "
        f"subtract its middle, then multiply it by about {factor:.2g}."
    )


def extent(pattern: Pattern) -> tuple[Points, Points]:
    """Return the smallest and the largest coordinates of a pattern's traces for training, (x_dim,) each."""
    traces, steps = LOOKED_AT
    drawn = pattern.draw("train", traces, steps, np.random.default_rng(0))
    points = np.concatenate([trace.points for trace in drawn])
    return np.nanmin(points, axis=0), np.nanmax(points, axis=0)
