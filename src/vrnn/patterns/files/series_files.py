"""Series of any width in files: tables of text and arrays."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vrnn.patterns.files.drawing import Part, check_size
from vrnn.patterns.files.numpy_files import read_arrays
from vrnn.patterns.files.read import FEWEST_POINTS, PARTS, UnusableDrawingsError, shortened
from vrnn.patterns.files.table import Table

logger = logging.getLogger(__name__)

Values = NDArray[np.float64]

LARGEST = 1e100  # squares of larger numbers overflow


@dataclass(frozen=True)
class Series:
    """One sequence of numbers as it is in a file.

    Attributes:
        values: (T, d), NaN where a number is missing.
        channels: The d names of its columns.
        part: What the file says it is for, or None where it does not say.
    """

    values: Values
    channels: tuple[str, ...]
    part: Part | None = None

    def __len__(self) -> int:
        return len(self.values)

    def stretch(self, begin: int, end: int) -> Series:
        """Return the steps begin, …, end - 1."""
        return replace(self, values=self.values[begin:end])


def load_series(path: Path, columns: Sequence[str | int] | None = None, group: str | None = None) -> dict[str, Series]:
    """Return every sequence in a file by name.

    - .npy: An array (T,), (T, d), or (n, T, d) for n sequences; never unpickled.
    - .npz: Every array in it, each as in .npy: sequences of unequal length under keys of their own; a key that is train, valid
      or test says what it is for.
    - .csv .tsv .txt: A column for each channel, with or without a header; delimiter and decimal mark are recognised; an empty
      cell is a missing number.
    - .parquet: A column for each channel, as in a table of text; it needs pyarrow.

    Args:
        path: The file.
        columns: Which columns to read, by name or counted from 0; None: all but `group`.
        group: The column of a table that tells sequences apart, one for each of its values; None: a table is one sequence.

    Raises:
        ValueError: The file is missing, unreadable, of another kind, holds nothing or something else, or lacks a column.
        UnusableDrawingsError: All its sequences are too short.
    """
    reader = SERIES_READERS.get(path.suffix.lower())
    if reader is None:
        raise ValueError(
            f"{path}: expected series in one of {', '.join(SERIES_READERS)}, got the suffix {path.suffix!r}"
        )
    if not path.is_file():
        raise ValueError(f"{path}: no such file (the working directory is {Path.cwd()})")
    try:
        found = reader(path, columns, group)
    except OSError as error:
        raise ValueError(f"{path}: cannot be read: {error.strerror or error}") from error
    if not found:
        raise ValueError(f"{path}: holds no sequence")
    for name, series in found.items():
        _check_numbers(name, series)
    known = {name: int(np.isfinite(series.values).all(axis=1).sum()) for name, series in found.items()}
    faults = {
        name: f"{name}: a sequence needs at least {FEWEST_POINTS} steps without a missing number, got {count}"
        for name, count in known.items()
        if count < FEWEST_POINTS
    }
    if len(faults) == len(found):
        raise UnusableDrawingsError(next(iter(faults.values())))
    if faults:
        logger.warning("Left out %d of %d sequences: %s", len(faults), len(found), shortened(faults.values()))
    return {name: series for name, series in found.items() if name not in faults}


def _check_numbers(name: str, series: Series) -> None:
    bad = np.argwhere(np.abs(np.nan_to_num(series.values, nan=0.0, posinf=np.inf, neginf=-np.inf)) > LARGEST)
    if bad.size:
        row, column = bad[0]
        raise ValueError(
            f"{name}: every number must be finite and below {LARGEST:g}, but step {row} of {series.channels[column]} (counted "
            f"from 0) is {series.values[row, column]}: leave it empty (NaN) for a missing number"
        )


def _of_arrays(path: Path, columns: Sequence[str | int] | None, group: str | None) -> dict[str, Series]:
    if group is not None:
        raise ValueError(f"{path}: group={group} names a column of a table, but arrays have none: set group=null")
    found: dict[str, Series] = {}
    for key, held in read_arrays(path).items():
        name = f"{path}[{key}]" if key else str(path)
        if isinstance(held, list) or held.ndim == 3:
            arrays = {f"{name}[{i}]": array for i, array in enumerate(held)}
        else:
            arrays = {name: held}
        for own, array in arrays.items():
            found[own] = _of_array(own, array, columns, PARTS.get(key))
    return found


def _of_array(name: str, array: NDArray[Any], columns: Sequence[str | int] | None, part: Part | None) -> Series:
    if array.dtype.kind not in "fiub":
        raise ValueError(f"{name}: expected real numbers, got an array of {array.dtype}")
    if array.ndim not in (1, 2) or 0 in array.shape:
        raise ValueError(f"{name}: expected an array (T,), (T, d) or (n, T, d) that is not empty, got {array.shape}")
    values = array.astype(np.float64).reshape(len(array), -1)
    channels = [f"x{i}" for i in range(values.shape[1])]
    chosen = _chosen(name, columns, channels)
    return Series(values[:, chosen], tuple(channels[i] for i in chosen), part)


def _of_table(path: Path, columns: Sequence[str | int] | None, group: str | None) -> dict[str, Series]:
    table = Table(path)
    names = [f"x{i}" for i in range(table.width)] if table.names is None else table.names
    text = None if group is None else _chosen(str(path), [group], names)[0]
    chosen = _chosen(str(path), columns, names)
    if columns is None:
        chosen = [i for i in chosen if i != text]
    try:
        read = table.columns(chosen, text)
    except ValueError as error:
        if columns is None and "expected a number" in str(error):
            raise ValueError(f"{error}: choose the columns of numbers, as in dataset.columns=[{names[-1]}]") from error
        raise
    return _by_group(path, read.values.copy(), [names[i] for i in chosen], group, None if text is None else read.texts)


def _of_parquet(path: Path, columns: Sequence[str | int] | None, group: str | None) -> dict[str, Series]:
    try:
        from pyarrow import ArrowException, parquet
    except ImportError as error:
        raise ValueError(f"{path}: parquet files need pyarrow: pip install 'vrnn-lab[parquet]'") from error
    check_size(path, path.stat().st_size)
    try:
        table = parquet.read_table(path)
    except ArrowException as error:
        raise ValueError(f"{path}: not readable as parquet: {error}") from error
    names = table.column_names
    text = None if group is None else _chosen(str(path), [group], names)[0]
    chosen = [i for i in _chosen(str(path), columns, names) if columns is not None or i != text]
    values = np.empty((table.num_rows, len(chosen)))
    for place, i in enumerate(chosen):
        try:
            values[:, place] = table.column(i).to_numpy()
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"{path}: expected numbers in the column {names[i]}, but it holds {table.schema.types[i]}: choose "
                f"the columns of numbers, as in dataset.columns=[{names[-1]}]"
            ) from error
    texts = None if text is None else [str(value) for value in table.column(text).to_pylist()]
    return _by_group(path, values, [names[i] for i in chosen], group, texts)


def _by_group(
    path: Path, values: Values, channels: Sequence[str], group: str | None, texts: Sequence[str] | None
) -> dict[str, Series]:
    """Return the rows (T, d) of a table as one series for each text of its column `group`; without texts as one series."""
    if texts is None:
        return {str(path): Series(values, tuple(channels))} if len(values) else {}
    rows: dict[str, list[int]] = {}
    for row, value in enumerate(texts):
        rows.setdefault(value, []).append(row)
    return {f"{path}[{group}={value}]": Series(values[own], tuple(channels)) for value, own in rows.items()}


def _chosen(name: str, columns: Sequence[str | int] | None, names: Sequence[str]) -> list[int]:
    """Return the indices of columns given by name or index; None: all.

    Raises:
        ValueError: An unknown column, or none.
    """
    if columns is None:
        return list(range(len(names)))
    if not columns:
        raise ValueError(f"{name}: columns must name at least one of {', '.join(names)}, or be null for all")
    found = []
    for column in columns:
        if isinstance(column, int) and not isinstance(column, bool) and 0 <= column < len(names):
            found.append(column)
        elif column in names:
            found.append(list(names).index(str(column)))
        else:
            raise ValueError(f"{name}: there is no column {column!r}; it has {', '.join(names[:20])}")
    if len(set(found)) < len(found):
        raise ValueError(f"{name}: columns must name each column once, but are {list(columns)}")
    return found


SERIES_READERS: dict[str, Callable[[Path, Sequence[str | int] | None, str | None], dict[str, Series]]] = {
    ".npy": _of_arrays,
    ".npz": _of_arrays,
    ".csv": _of_table,
    ".tsv": _of_table,
    ".txt": _of_table,
    ".parquet": _of_parquet,
}
