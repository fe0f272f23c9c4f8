"""Reads drawings from files: .npy, .npz, .csv and .svg become arrays of points, or one clear error."""

from __future__ import annotations

import csv
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vrnn.patterns.files.svg import read_svg

Points = NDArray[np.float64]

FEWEST_POINTS = 8


def read_drawings(path: str | Path) -> dict[str, Points]:
    """Return every drawing in a file by name, each (T, 2) float64 with T >= 8, in the file's own units, y upwards.

    .npy    one array (T, 2), or (n, T, 2) for n drawings; never unpickled
    .npz    every array in it, each as in .npy
    .csv    columns x and y: two columns without a header, or a header that names them (other columns are ignored);
            where a column `trace` is named, each of its values is a drawing of its own
    .svg    all strokes of the file, joined in drawing order to one drawing (see `vrnn.patterns.files.svg`)

    Raises:
        ValueError: the file is missing, unreadable, of another kind, holds no drawing, or one of its drawings has the
            wrong shape, fewer than 8 points, a number that is not finite (the message names the row), or no extent.
    """
    path = Path(path)
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise ValueError(f"{path}: expected a drawing in one of {', '.join(_READERS)}, got the suffix {path.suffix!r}")
    if not path.is_file():
        raise ValueError(f"{path}: no such file (the working directory is {Path.cwd()})")
    try:
        drawings = reader(path)
    except OSError as error:
        raise ValueError(f"{path}: cannot be read: {error.strerror or error}") from error
    if not drawings:
        raise ValueError(f"{path}: holds no drawing")
    return {name: _checked(name, points) for name, points in drawings.items()}


def _checked(name: str, points: Points) -> Points:
    """Refuse what cannot be a pen trace: too short, not finite, or without extent."""
    bad = np.flatnonzero(~np.isfinite(points).all(axis=1))
    if bad.size:
        row = int(bad[0])
        raise ValueError(
            f"{name}: every coordinate must be a finite number, but row {row} (counted from 0) is "
            f"{points[row].tolist()} ({bad.size} such rows): remove or repair them"
        )
    if len(points) < FEWEST_POINTS:
        raise ValueError(f"{name}: a drawing needs at least {FEWEST_POINTS} points, got {len(points)}")
    # Beyond 1e100 squares overflow; within rounding of a single spot there is nothing to scale to size one.
    largest = np.abs(points).max()
    if largest > 1e100:
        raise ValueError(f"{name}: coordinates up to {largest:.3g} are too large to be a drawing (limit 1e100)")
    if np.ptp(points, axis=0).max() <= 1e-12 * largest:
        raise ValueError(f"{name}: all {len(points)} points are equal, {points[0].tolist()}: there is nothing to scale")
    return points


def _read_numpy(path: Path) -> dict[str, Points]:
    """Read .npy and .npz, which numpy tells apart by content."""
    try:
        with path.open("rb") as file:  # opened here, because numpy leaves a torn .npz open
            loaded = np.load(file, allow_pickle=False)
            if isinstance(loaded, np.ndarray):
                arrays = {str(path): loaded}
            else:
                arrays = {f"{path}[{key}]": loaded[key] for key in loaded.files}
    except (ValueError, EOFError, MemoryError, zipfile.BadZipFile, zlib.error) as error:
        cure = "save plain numbers with numpy.save or numpy.savez"
        raise ValueError(f"{path}: not a readable array file, or a pickled one ({error}): {cure}") from error
    return {key: points for name, array in arrays.items() for key, points in _drawings_of(name, array)}


def _drawings_of(name: str, array: NDArray[Any]) -> Iterator[tuple[str, Points]]:
    """Yield the drawings in an array (T, 2) or (n, T, 2) with their names."""
    if array.dtype.kind not in "fiu":
        raise ValueError(f"{name}: expected real numbers, got an array of {array.dtype}")
    if array.ndim not in (2, 3) or array.shape[-1] != 2:
        hint = f"; transposed? save array.T, of shape {array.T.shape}" if array.ndim == 2 and len(array) == 2 else ""
        raise ValueError(
            f"{name}: expected an array of shape (T, 2), or (n, T, 2) for n drawings, got {array.shape}{hint}"
        )
    if array.ndim == 2:
        yield name, array.astype(np.float64)
        return
    for i, points in enumerate(array):
        yield f"{name}[{i}]", points.astype(np.float64)


def _read_csv(path: Path) -> dict[str, Points]:
    """Read .csv; see `read_drawings` for its columns."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            # Spreadsheets leave blank lines; they carry nothing, but the row numbers of the messages count them.
            rows = [(number, row) for number, row in enumerate(csv.reader(file), start=1) if any(map(str.strip, row))]
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{path}: not readable as comma-separated UTF-8 text: {error}") from error
    if not rows:
        raise ValueError(f"{path}: the file is empty")

    width, x, y, trace = 2, 0, 1, None
    if any(_number(cell) is None for cell in rows[0][1]):
        (number, header), *rows = rows
        names = [cell.strip().lower() for cell in header]
        if "x" not in names or "y" not in names:
            raise ValueError(
                f"{path}, row {number}: expected two numbers, or a header that names the columns x and y, got {header}"
            )
        width, x, y = len(names), names.index("x"), names.index("y")
        trace = names.index("trace") if "trace" in names else None

    drawings: dict[str, list[tuple[float, float]]] = {}
    for number, row in rows:
        if len(row) != width:
            cure = "; name x and y in a header to have other columns too" if width == 2 else ""
            raise ValueError(f"{path}, row {number}: expected {width} columns, got {len(row)}: {row}{cure}")
        px, py = _number(row[x]), _number(row[y])
        if px is None or py is None or not (np.isfinite(px) and np.isfinite(py)):
            raise ValueError(f"{path}, row {number}: x and y must be finite numbers, got {row[x]!r}, {row[y]!r}")
        name = str(path) if trace is None else f"{path}[trace {row[trace].strip()}]"
        drawings.setdefault(name, []).append((px, py))
    return {name: np.array(points, dtype=np.float64) for name, points in drawings.items()}


def _number(cell: str) -> float | None:
    try:
        return float(cell)
    except ValueError:
        return None


def _read_svg(path: Path) -> dict[str, Points]:
    return {str(path): read_svg(path)}


_READERS = {".npy": _read_numpy, ".npz": _read_numpy, ".csv": _read_csv, ".svg": _read_svg}
