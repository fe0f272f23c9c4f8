"""The label of each sequence in a file: the folder that the file is in, or what the file itself says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from vrnn.patterns.files.table import MISSING
from vrnn.patterns.trace import Split

FOLDER = "folder"


class Labelled(Protocol):
    """A sequence that may have a label."""

    @property
    def label(self) -> str | None:
        """The name of its class, or None where it has none."""


def folder_label(path: Path) -> str:
    """Return the name of the folder that a file is in."""
    return path.resolve().parent.name


def check_label(what: str, text: Any) -> str:
    """Return a label as text.

    Args:
        what: The file, and where in it, for messages.
        text: What is there.

    Raises:
        ValueError: It is missing.
    """
    found = text.decode(errors="replace") if isinstance(text, bytes) else str(text)
    if found.strip().lower() in MISSING:
        raise ValueError(f"{what}: expected a label, got {found!r}: name the class, or leave the sequence out")
    return found.strip()


def one_label(name: str, label: str, texts: Sequence[str], rows: Sequence[int]) -> str:
    """Return the one label of a sequence's rows in a table.

    Args:
        name: The sequence's.
        label: The column.
        texts: The label in each of its rows.
        rows: Their line numbers.

    Raises:
        ValueError: A label is missing, or they differ.
    """
    found = [check_label(f"{name}, row {row}, {label}", text) for row, text in zip(rows, texts, strict=True)]
    for row, text in zip(rows, found, strict=True):
        if text != found[0]:
            raise ValueError(
                f"{name}, row {row}: expected the label {found[0]!r} in all rows of a sequence, got {text!r}: name the column "
                "that tells sequences apart (dataset.group of series, a column trace of drawings)"
            )
    return found[0]


def take_labels(path: Path, label: str, arrays: dict[str, Any]) -> Any:
    """Take the array of labels out of those of an array file.

    Args:
        path: The file.
        label: The labels' key.
        arrays: All arrays of the file by key.

    Raises:
        ValueError: There is no such key.
    """
    if label not in arrays:
        known = ", ".join(filter(None, arrays)) or "no keys"
        raise ValueError(
            f"{path}: expected labels under the key {label!r} of an npz file, but it has {known}: save one label per sequence "
            f"as {label}, or set dataset.label=folder"
        )
    return arrays.pop(label)


def array_labels(name: str, held: Any, count: int) -> list[str]:
    """Return one label for each of the sequences in an array file, in their order.

    Args:
        name: The file and the labels' key.
        held: What is there.
        count: The number of sequences.

    Raises:
        ValueError: There is not one label for each sequence, or one is missing.
    """
    if isinstance(held, list) or held.shape != (count,):
        got = "arrays" if isinstance(held, list) else f"the shape {held.shape}"
        raise ValueError(f"{name}: expected one label for each of {count} sequences, got {got}")
    return [check_label(f"{name}, entry {i}", _plain(value)) for i, value in enumerate(held)]


def column_label(path: Path, label: str, names: Sequence[str] | None) -> int:
    """Return which column of a table holds the labels.

    Raises:
        ValueError: There is no such column.
    """
    if label not in (names or ()):
        known = f"has {', '.join((names or ())[:20])}" if names else "has no header"
        raise ValueError(
            f"{path}: expected labels in a column {label!r}, but it {known}: name a column by dataset.label, or set "
            "dataset.label=folder"
        )
    return list(names or ()).index(label)


def label_names(splits: Mapping[Split, Mapping[str, Labelled]]) -> tuple[str, ...]:
    """Return the labels of the training sequences, numbers by size and others by the alphabet; () where there are none.

    Args:
        splits: The sequences of each split, by name.

    Raises:
        ValueError: There is only one label, or a held-out sequence has one that training lacks.
    """
    known = {one.label for one in splits["train"].values() if one.label is not None}
    if not known:
        return ()
    for split, found in splits.items():
        for name, one in found.items():
            if one.label not in known:
                raise ValueError(
                    f"{name}: its label {one.label!r} is that of no sequence for training, but it is held out ({split}): add "
                    "sequences of this label, choose another dataset.split_seed, or leave it out"
                )
    if len(known) < 2:
        raise ValueError(f"dataset.label must tell sequences apart, but all have the label {known.pop()!r}")
    return tuple(sorted(known, key=_order))


def label_index(labels: Sequence[str], one: Labelled) -> int:
    """Return a sequence's label as an index; -1 without labels."""
    return labels.index(one.label) if labels and one.label is not None else -1


def _order(label: str) -> tuple[float, str]:
    return (int(label), label) if label.isdecimal() else (np.inf, label)


def _plain(value: Any) -> Any:
    """Return an entry of an array; a whole number without decimals, so that 3.0 is the label 3."""
    plain = value.item()
    return int(plain) if isinstance(plain, float) and plain.is_integer() else plain
