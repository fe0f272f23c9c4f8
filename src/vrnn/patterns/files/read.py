"""Reads drawings from files of all kinds: arrays of points, or one clear error."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vrnn.patterns.files.drawing import Drawing, Part, check_points
from vrnn.patterns.files.ink_json import read_json, read_ndjson
from vrnn.patterns.files.ink_xml import read_inkml, read_xopp
from vrnn.patterns.files.labels import FOLDER, array_labels, column_label, folder_label, one_label, take_labels
from vrnn.patterns.files.numpy_files import read_arrays, take_columns
from vrnn.patterns.files.svg import read_svg
from vrnn.patterns.files.table import Table

logger = logging.getLogger(__name__)

Points = NDArray[np.float64]

FEWEST_POINTS = 8
TIME_COLUMNS = ("t", "time", "timestamp")
FIRST, LAST = 0, 2  # the column of moves that is the pen
PARTS: dict[str, Part] = {"train": "train", "valid": "val", "val": "val", "validation": "val", "test": "test"}


class UnusableDrawingsError(ValueError):
    """A sound file in which no drawing is long enough, or has any extent."""


def read_drawings(path: str | Path) -> dict[str, Points]:
    """Return every drawing in a file by name, each (T, 2) float64 with T >= 8; see `load_drawings`.

    The strokes of a drawing follow each other. A row of NaN is a lost point.
    """
    return {name: drawing.points for name, drawing in load_drawings(path).items()}


def load_drawings(path: str | Path, fewest: int = FEWEST_POINTS, label: str | None = None) -> dict[str, Drawing]:
    """Return every drawing in a file by name, in the file's own units, y upwards.

    - .npy: One array (T, 2), or (n, T, 2) for n drawings; never unpickled.
    - .npz: Every array in it, each as in .npy; moves with a pen (T, 3) as sketch-rnn (dx, dy, pen) or this project
      (pen, dx, dy) writes them, also lists of them under the keys train, valid and test.
    - .csv .tsv .txt: Columns x and y: two columns without a header, or a header that names them, and time (t) if it is known;
      where a column `trace` is named, each of its values is a drawing of its own. Columns pen, dx, dy: moves. Delimiter and
      decimal mark are recognised; a row of empty cells is a lost point.
    - .svg .svgz: All strokes of the file (see `vrnn.patterns.files.svg`).
    - .xopp .xoj: Xournal++, a drawing per page.
    - .inkml: All traces of the file, with their times.
    - .ndjson: QuickDraw, simplified or raw, a drawing per line.
    - .json: Lists of strokes, with time if it is known (see `vrnn.patterns.files.ink_json`).

    Args:
        path: The file.
        fewest: Drawings of fewer points are left out with a warning, unless none is left.
        label: Where the label of a drawing is: "folder", the name of the folder that the file is in; else a column of a table,
            a key of an .npz that has one label per drawing, or a key of each line of an .ndjson. None: there are no labels.

    Raises:
        ValueError: The file is missing, unreadable, too large, of another kind, holds no drawing, or one of its drawings has
            the wrong shape, a number that is not finite (the message names the row), or no label.
        UnusableDrawingsError: All its drawings are too short or without extent.
    """
    path = Path(path)
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise ValueError(f"{path}: expected a drawing in one of {', '.join(READERS)}, got the suffix {path.suffix!r}")
    if not path.is_file():
        raise ValueError(f"{path}: no such file (the working directory is {Path.cwd()})")
    try:
        drawings = reader(path) if label in (None, FOLDER) else _read_labelled(path, str(label))
    except OSError as error:
        raise ValueError(f"{path}: cannot be read: {error.strerror or error}") from error
    if not drawings:
        raise ValueError(f"{path}: holds no drawing")
    if label == FOLDER:
        drawings = {name: replace(drawing, label=folder_label(path)) for name, drawing in drawings.items()}
    check_points(path, sum(len(drawing.points) for drawing in drawings.values()))
    faults = {name: fault for name, drawing in drawings.items() if (fault := _fault(name, drawing, fewest))}
    if len(faults) == len(drawings):
        raise UnusableDrawingsError(next(iter(faults.values())))
    if faults:
        logger.warning("Left out %d of %d drawings: %s", len(faults), len(drawings), shortened(faults.values()))
    return {name: drawing for name, drawing in drawings.items() if name not in faults}


def shortened(faults: Iterable[str], most: int = 5) -> str:
    """Return the first faults in one line, and how many more there are."""
    shown = list(faults)
    more = f"; and {len(shown) - most} more" if len(shown) > most else ""
    return "; ".join(shown[:most]) + more


def _fault(name: str, drawing: Drawing, fewest: int) -> str | None:
    """Return why a drawing cannot be used though its file is sound: too short or without extent.

    Raises:
        ValueError: Numbers that are not finite or too large.
    """
    points = drawing.points
    known = np.isfinite(points)
    bad = np.flatnonzero(~known.all(axis=1) & ~np.isnan(points).all(axis=1))
    if bad.size:
        row = int(bad[0])
        raise ValueError(
            f"{name}: every coordinate must be a finite number, but row {row} (counted from 0) is "
            f"{points[row].tolist()} ({bad.size} such rows): remove or repair them, or make both NaN for a lost point"
        )
    points = points[known.all(axis=1)]
    if len(points) < fewest:
        return f"{name}: a drawing needs at least {fewest} points, got {len(points)}"
    # Beyond 1e100 squares overflow; within rounding of a single spot there is nothing to scale to size one.
    largest = np.abs(points).max()
    if largest > 1e100:
        raise ValueError(f"{name}: coordinates up to {largest:.3g} are too large to be a drawing (limit 1e100)")
    if np.ptp(points, axis=0).max() <= 1e-12 * largest:
        return f"{name}: all {len(points)} points are equal, {points[0].tolist()}: there is nothing to scale"
    return None


def _read_labelled(path: Path, label: str) -> dict[str, Drawing]:
    """Return the drawings of a file that holds their labels.

    Raises:
        ValueError: A kind of file that holds none.
    """
    reader = LABELLED_READERS.get(path.suffix.lower())
    if reader is None:
        raise ValueError(
            f"{path}: expected labels under {label!r} in one of {', '.join(LABELLED_READERS)}, got the suffix {path.suffix!r}: "
            "put the drawings of each class in a folder, and set dataset.label=folder"
        )
    return reader(path, label)


def _read_numpy(path: Path, label: str | None = None) -> dict[str, Drawing]:
    drawings: dict[str, Drawing] = {}
    arrays_by_key = read_arrays(path)
    given = None if label is None else take_labels(path, label, arrays_by_key)
    take_columns(arrays_by_key)  # those of a drawing are known without names
    for key, held in arrays_by_key.items():
        name = f"{path}[{key}]" if key else str(path)
        arrays = held if isinstance(held, list) or held.ndim == 3 else None
        names = [name] if arrays is None else [f"{name}[{i}]" for i in range(len(arrays))]
        for own, array in zip(names, [held] if arrays is None else arrays, strict=True):
            drawings[own] = _of_array(own, array, PARTS.get(key), LAST if isinstance(held, list) else None)
    if label is not None:
        labels = array_labels(f"{path}[{label}]", given, len(drawings))
        drawings = {
            name: replace(drawing, label=own) for (name, drawing), own in zip(drawings.items(), labels, strict=True)
        }
    return drawings


def _of_array(name: str, array: NDArray[Any], part: Part | None, pen: int | None) -> Drawing:
    """Return an array (T, 2) of points or (T, 3) of moves, see `_of_moves`, as a drawing."""
    if array.dtype.kind not in "fiu":
        raise ValueError(f"{name}: expected real numbers, got an array of {array.dtype}")
    if array.ndim == 2 and array.shape[1] == 2:
        return Drawing(array.astype(np.float64), _lifted_at_the_end(len(array)), part=part)
    if array.ndim == 2 and array.shape[1] == 3:
        return _of_moves(name, array.astype(np.float64), pen, part)
    hint = f"; transposed? save array.T, of shape {array.T.shape}" if array.ndim == 2 and len(array) == 2 else ""
    raise ValueError(f"{name}: expected an array of shape (T, 2), or (n, T, 2) for n drawings, got {array.shape}{hint}")


def _of_moves(name: str, moves: Points, pen: int | None = None, part: Part | None = None) -> Drawing:
    """Return moves with a pen (T, 3) as a drawing: (dx, dy, pen) with y downwards, or (pen, dx, dy) with y upwards.

    In sketch-rnn's files the first row leads from the origin to the first point; in this project's from the first point,
    the origin, to the second one.

    Args:
        name: The drawing's, for messages.
        moves: The moves.
        pen: Which column is the pen, FIRST or LAST; None: the one of these that is 0 or 1 throughout.
        part: What the file says it is for.
    """
    may_be = [column for column in (FIRST, LAST) if np.isin(moves[:, column], (0.0, 1.0)).all()]
    if pen not in may_be and len(may_be) != 1:
        raise ValueError(
            f"{name}: expected an array of shape (T, 2), or moves (dx, dy, pen) whose pen is 0 or 1, got {moves.shape}"
            + (" of which both the first and the last column may be the pen" if may_be else "")
        )
    last = (pen if pen in may_be else may_be[0]) == LAST
    if last:
        points, lifted = moves[:, :2].cumsum(axis=0) * [1.0, -1.0], moves[:, 2] == 1.0
    else:
        points = np.concatenate([np.zeros((1, 2)), moves[:, 1:].cumsum(axis=0)])
        lifted = np.concatenate([[False], moves[:, 0] == 1.0])
    lifted[-1:] = True
    return Drawing(points, lifted, part=part)


def _lifted_at_the_end(count: int) -> NDArray[np.bool_]:
    return np.arange(count) == count - 1


def _read_table(path: Path, label: str | None = None) -> dict[str, Drawing]:
    table = Table(path)
    names = [name.lower() for name in table.names] if table.names is not None else None
    moves = names is not None and {"pen", "dx", "dy"} <= set(names) and not {"x", "y"} <= set(names)
    wanted = ("pen", "dx", "dy") if moves else ("x", "y")
    if names is None or names in (["0", "1"], ["", "0", "1"]):  # a header of pandas without names
        names = ["x", "y"] if names is None else [*names[:-2], "x", "y"]
    elif not set(wanted) <= set(names):
        raise ValueError(
            f"{path}, row {table.first}: expected two numbers, or a header that names the columns x and y, got {table.names}"
        )
    if table.names is None and table.width != 2:
        cure = "name x and y in a header to have other columns too"
        raise ValueError(f"{path}, row {table.first}: expected 2 columns, got {table.width}: {cure}")
    time = next((name for name in TIME_COLUMNS if name in names), None)
    numbers = [names.index(name) for name in (*wanted, *([time] if time else []))]
    grouped = [names.index("trace")] if "trace" in names else []
    labels = [] if label is None else [column_label(path, label, table.names)]
    columns = table.columns(numbers, [*grouped, *labels])
    values = columns.values
    bad = np.flatnonzero(
        ~np.isfinite(values[:, : len(wanted)]).all(axis=1) & ~np.isnan(values[:, : len(wanted)]).all(axis=1)
    )
    if bad.size:
        x, y = values[bad[0], :2].tolist()
        raise ValueError(
            f"{path}, row {columns.rows[bad[0]]}: x and y must be finite numbers, got {x!r}, {y!r}; leave both cells empty "
            "for a lost point"
        )
    drawings = {}
    for name, rows in _rows(path, columns.texts[0] if grouped else None, len(values)).items():
        own = (
            None
            if label is None
            else one_label(name, label, [columns.texts[-1][i] for i in rows], columns.rows[rows].tolist())
        )
        if moves:
            drawings[name] = replace(_of_moves(name, values[rows][:, :3], FIRST), label=own)
        elif rows:
            drawings[name] = _of_positions(values[rows], time is not None, own)
    return drawings


def _rows(path: Path, traces: list[str] | None, count: int) -> dict[str, list[int]]:
    """Return the rows of each drawing in a table of `count` rows, by name: one for each value of its column `trace`."""
    if not traces:
        return {str(path): list(range(count))}
    groups: dict[str, list[int]] = {}
    for row, text in enumerate(traces):
        groups.setdefault(f"{path}[trace {text}]", []).append(row)
    return groups


def _of_positions(values: Points, timed: bool, label: str | None) -> Drawing:
    """Return rows x, y, and time if it is known, as a drawing."""
    time = values[:, 2] if timed and np.isfinite(values[:, 2]).all() else None
    return Drawing(values[:, :2].copy(), _lifted_at_the_end(len(values)), time, label=label)


def _read_svg(path: Path) -> dict[str, Drawing]:
    return {str(path): read_svg(path)}


READERS: dict[str, Callable[[Path], dict[str, Drawing]]] = {
    ".npy": _read_numpy,
    ".npz": _read_numpy,
    ".csv": _read_table,
    ".tsv": _read_table,
    ".txt": _read_table,
    ".svg": _read_svg,
    ".svgz": _read_svg,
    ".xopp": read_xopp,
    ".xoj": read_xopp,
    ".inkml": read_inkml,
    ".ndjson": read_ndjson,
    ".json": read_json,
}

# Those that can hold labels beside the drawings.
LABELLED_READERS: dict[str, Callable[[Path, str], dict[str, Drawing]]] = {
    ".npz": _read_numpy,
    ".csv": _read_table,
    ".tsv": _read_table,
    ".txt": _read_table,
    ".ndjson": read_ndjson,
}
