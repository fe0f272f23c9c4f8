"""Series of any width in files: tables of text and arrays."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from vrnn.patterns.files.drawing import Part, check_size
from vrnn.patterns.files.labels import FOLDER, array_labels, column_label, folder_label, one_label, take_labels
from vrnn.patterns.files.numpy_files import COLUMNS, read_arrays, take_columns
from vrnn.patterns.files.read import FEWEST_POINTS, PARTS, UnusableDrawingsError, shortened
from vrnn.patterns.files.table import Table

logger = logging.getLogger(__name__)

Values = NDArray[np.float64]

Columns = Sequence[str | int] | None

LARGEST = 1e100  # squares of larger numbers overflow


@dataclass(frozen=True)
class Series:
    """One sequence of numbers as it is in a file.

    Attributes:
        values: (T, d), NaN where a number is missing.
        channels: The d names of its columns.
        exogenous: (T, c), the numbers that a model is conditioned on, none of them missing; (T, 0) without.
        exogenous_names: The c names of their columns.
        part: What the file says it is for, or None where it does not say.
        label: The name of its class, or None where it has none.
    """

    values: Values
    channels: tuple[str, ...]
    exogenous: Values
    exogenous_names: tuple[str, ...] = ()
    part: Part | None = None
    label: str | None = None

    def __len__(self) -> int:
        return len(self.values)

    def stretch(self, begin: int, end: int) -> Series:
        """Return the steps begin, …, end - 1."""
        return replace(self, values=self.values[begin:end], exogenous=self.exogenous[begin:end])

    def differences(self) -> Series:
        """Return the differences of successive steps, each with what it is conditioned on at the later of the two."""
        return replace(self, values=np.diff(self.values, axis=0), exogenous=self.exogenous[1:])


@dataclass(frozen=True)
class Choice:
    """Which columns of a file are what.

    Attributes:
        columns: The channels, by name or counted from 0; None: all others.
        group: The column of a table that tells sequences apart, one for each of its values; None: a table is one sequence.
        label: Where the label of a sequence is: "folder", the name of the folder that the file is in; else a column of a table,
            or a key of an .npz that has one label per sequence. None: there are no labels.
        condition: The columns that a model is conditioned on, as `columns`; None: there are none.
    """

    columns: Columns = None
    group: str | None = None
    label: str | None = None
    condition: Columns = None

    @property
    def key(self) -> str | None:
        """The column or the key of the labels; None where the file holds none."""
        return None if self.label == FOLDER else self.label

    def numbers(self, name: str, names: Sequence[str], texts: Sequence[int] = ()) -> tuple[list[int], list[int]]:
        """Return the indices of the channels and of the columns that a model is conditioned on.

        Args:
            name: The file's or the array's, for messages.
            names: What its columns are called.
            texts: Those that hold groups and labels.

        Raises:
            ValueError: An unknown column, none, or one that is both.
        """
        condition = [] if self.condition is None else _chosen(name, self.condition, names, "condition_columns")
        taken = {*texts, *condition}
        if self.columns is None:
            chosen = [i for i in range(len(names)) if i not in taken]
            if not chosen:
                raise ValueError(f"{name}: no column is left for the channels; it has {', '.join(names[:20])}")
        else:
            chosen = _chosen(name, self.columns, names, "columns")
        if both := [names[i] for i in chosen if i in condition]:
            raise ValueError(f"{name}: a column is a channel or in condition_columns, but {both[0]} is both")
        return chosen, condition


def load_series(
    path: Path,
    columns: Columns = None,
    group: str | None = None,
    label: str | None = None,
    condition_columns: Columns = None,
    fewest: int = FEWEST_POINTS,
) -> dict[str, Series]:
    """Return every sequence in a file by name.

    - .npy: An array (T,), (T, d), or (n, T, d) for n sequences; never unpickled.
    - .npz: Every array in it, each as in .npy: sequences of unequal length under keys of their own; a key that is train, valid
      or test says what it is for; texts under the key columns say what the columns are called.
    - .csv .tsv .txt: A column for each channel, with or without a header; delimiter and decimal mark are recognised; an empty
      cell is a missing number.
    - .parquet: A column for each channel, as in a table of text; it needs pyarrow.

    Args:
        path: The file.
        columns: Which columns are channels; this and the others as in `Choice`.
        group: The column that tells sequences apart.
        label: Where the labels are.
        condition_columns: The columns that a model is conditioned on.
        fewest: Sequences with fewer known steps are left out with a warning, unless none is left.

    Raises:
        ValueError: The file is missing, unreadable, of another kind, holds nothing or something else, or lacks a column, a
            label, or a number that a model is conditioned on.
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
        found = reader(path, Choice(columns, group, label, condition_columns))
    except OSError as error:
        raise ValueError(f"{path}: cannot be read: {error.strerror or error}") from error
    if not found:
        raise ValueError(f"{path}: holds no sequence")
    if label == FOLDER:
        found = {name: replace(series, label=folder_label(path)) for name, series in found.items()}
    for name, series in found.items():
        _check_numbers(name, series)
    known = {name: int(np.isfinite(series.values).all(axis=1).sum()) for name, series in found.items()}
    faults = {
        name: f"{name}: a sequence needs at least {fewest} steps without a missing number, got {count}"
        for name, count in known.items()
        if count < fewest
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
    bad = np.argwhere(~(np.abs(series.exogenous) <= LARGEST))
    if bad.size:
        row, column = bad[0]
        raise ValueError(
            f"{name}: every number of condition_columns must be known and below {LARGEST:g}, but step {row} of "
            f"{series.exogenous_names[column]} (counted from 0) is {series.exogenous[row, column]}: fill it in"
        )


def _of_arrays(path: Path, choice: Choice) -> dict[str, Series]:
    if choice.group is not None:
        raise ValueError(
            f"{path}: group={choice.group} names a column of a table, but arrays have none: set group=null"
        )
    found: dict[str, Series] = {}
    arrays_by_key = read_arrays(path)
    given = None if choice.key is None else take_labels(path, choice.key, arrays_by_key)
    names = take_columns(arrays_by_key)
    for key, held in arrays_by_key.items():
        name = f"{path}[{key}]" if key else str(path)
        if isinstance(held, list) or held.ndim == 3:
            arrays = {f"{name}[{i}]": array for i, array in enumerate(held)}
        else:
            arrays = {name: held}
        for own, array in arrays.items():
            found[own] = _of_array(own, array, names, choice, PARTS.get(key))
    if choice.key is not None:
        labels = array_labels(f"{path}[{choice.key}]", given, len(found))
        found = {name: replace(one, label=label) for (name, one), label in zip(found.items(), labels, strict=True)}
    return found


def _of_array(name: str, array: NDArray[Any], names: Sequence[str] | None, choice: Choice, part: Part | None) -> Series:
    if array.dtype.kind not in "fiub":
        raise ValueError(f"{name}: expected real numbers, got an array of {array.dtype}")
    if array.ndim not in (1, 2) or 0 in array.shape:
        raise ValueError(f"{name}: expected an array (T,), (T, d) or (n, T, d) that is not empty, got {array.shape}")
    values = array.astype(np.float64).reshape(len(array), -1)
    if names is None:
        names = [f"x{i}" for i in range(values.shape[1])]
    elif len(names) != values.shape[1]:
        raise ValueError(
            f"{name}: expected as many columns as names under the key {COLUMNS}, which are {', '.join(names)}, got an array of "
            f"shape {array.shape}"
        )
    chosen, condition = choice.numbers(name, names)
    channels, exogenous = (tuple(names[i] for i in indices) for indices in (chosen, condition))
    return Series(values[:, chosen], channels, values[:, condition], exogenous, part)


def _of_table(path: Path, choice: Choice) -> dict[str, Series]:
    table = Table(path)
    names = [f"x{i}" for i in range(table.width)] if table.names is None else table.names
    texts = _text_columns(path, choice, names)
    chosen, condition = choice.numbers(str(path), names, texts)
    try:
        read = table.columns([*chosen, *condition], texts)
    except ValueError as error:
        if choice.columns is None and "expected a number" in str(error):
            raise ValueError(f"{error}: choose the columns of numbers, as in dataset.columns=[{names[-1]}]") from error
        raise
    named = tuple(tuple(names[i] for i in indices) for indices in (chosen, condition))
    return _by_group(path, read.values.copy(), named, choice, read.texts, read.rows)


def _text_columns(path: Path, choice: Choice, names: Sequence[str]) -> list[int]:
    """Return the columns of a table that hold groups and labels."""
    group = [] if choice.group is None else _chosen(str(path), [choice.group], names, "group")
    return [*group, *([] if choice.key is None else [column_label(path, choice.key, names)])]


def column_names(path: Path) -> Sequence[str] | None:
    """Return what the columns of a file are called; None where they have no names, as those of most arrays have none.

    Raises:
        ValueError: The file cannot be read.
    """
    reader = SERIES_READERS.get(path.suffix.lower())
    if reader is _of_parquet:
        return tuple(_parquet(path, "read_schema").names)
    if reader is _of_arrays:
        return take_columns(read_arrays(path))
    return Table(path).names if reader is _of_table else None


def _parquet(path: Path, read: Literal["read_schema", "read_table"]) -> Any:
    """Return what a function of pyarrow.parquet reads of a file."""
    try:
        from pyarrow import ArrowException, parquet
    except ImportError as error:
        raise ValueError(f"{path}: parquet files need pyarrow: pip install 'vrnn-lab[parquet]'") from error
    try:
        check_size(path, path.stat().st_size)
        return getattr(parquet, read)(path)
    except (ArrowException, OSError) as error:
        raise ValueError(f"{path}: not readable as parquet: {error}") from error


def _of_parquet(path: Path, choice: Choice) -> dict[str, Series]:
    table = _parquet(path, "read_table")
    names = table.column_names
    texts = _text_columns(path, choice, names)
    chosen, condition = choice.numbers(str(path), names, texts)
    values = np.empty((table.num_rows, len(chosen) + len(condition)))
    for place, i in enumerate([*chosen, *condition]):
        try:
            values[:, place] = table.column(i).to_numpy()
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"{path}: expected numbers in the column {names[i]}, but it holds {table.schema.types[i]}: choose "
                f"the columns of numbers, as in dataset.columns=[{names[-1]}]"
            ) from error
    named = tuple(tuple(names[i] for i in indices) for indices in (chosen, condition))
    read = [["" if value is None else str(value) for value in table.column(text).to_pylist()] for text in texts]
    return _by_group(path, values, named, choice, read, np.arange(table.num_rows))


def _by_group(
    path: Path,
    values: Values,
    names: tuple[tuple[str, ...], ...],
    choice: Choice,
    texts: Sequence[Sequence[str]],
    numbers: NDArray[np.int64],
) -> dict[str, Series]:
    """Return a table as one series for each text of its column `group`; without one as one series.

    Args:
        path: The table's file.
        values: (T, d + c), the channels and what a model is conditioned on.
        names: Those of the d and of the c columns.
        choice: Which columns are what.
        texts: The column of groups and that of labels, as far as there are any.
        numbers: (T,), the rows' numbers, for messages.
    """
    rows: dict[str, list[int]] = {}
    if choice.group is None:
        rows = {str(path): list(range(len(values)))} if len(values) else {}
    else:
        for row, value in enumerate(texts[0]):
            rows.setdefault(f"{path}[{choice.group}={value}]", []).append(row)
    channels, exogenous = names
    found = {}
    for name, own in rows.items():
        label = None
        if choice.key is not None:
            label = one_label(name, choice.key, [texts[-1][i] for i in own], numbers[own].tolist())
        parts = np.split(values[own], [len(channels)], axis=1)
        found[name] = Series(parts[0], channels, parts[1], exogenous, label=label)
    return found


def _chosen(name: str, columns: Sequence[str | int], names: Sequence[str], option: str) -> list[int]:
    """Return the indices of columns given by name or index.

    Raises:
        ValueError: An unknown column, or none.
    """
    if not columns:
        raise ValueError(f"{name}: {option} must name at least one of {', '.join(names)}, or be null")
    found = []
    for column in columns:
        if isinstance(column, int) and not isinstance(column, bool) and 0 <= column < len(names):
            found.append(column)
        elif column in names:
            found.append(list(names).index(str(column)))
        else:
            raise ValueError(f"{name}: there is no column {column!r}; it has {', '.join(names[:20])}")
    if len(set(found)) < len(found):
        raise ValueError(f"{name}: {option} must name each column once, but are {list(columns)}")
    return found


SERIES_READERS: dict[str, Callable[[Path, Choice], dict[str, Series]]] = {
    ".npy": _of_arrays,
    ".npz": _of_arrays,
    ".csv": _of_table,
    ".tsv": _of_table,
    ".txt": _of_table,
    ".parquet": _of_parquet,
}
