"""Recordings from many files, divided into training, validation and test."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, Literal, Protocol, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from vrnn.patterns.files.drawing import Part
from vrnn.patterns.files.expand import Files, check_disjoint, expand_files
from vrnn.patterns.files.read import FEWEST_POINTS, UnusableDrawingsError, shortened
from vrnn.patterns.trace import Split

logger = logging.getLogger(__name__)

Division = Literal["tail", "sequence"]

MANY = 5  # from so many recordings on, whole ones are held out


class Recording(Protocol):
    """One sequence as it is in a file, such as a `Drawing`."""

    @property
    def part(self) -> Part | None:
        """What the file says it is for, or None where it does not say."""

    @property
    def label(self) -> str | None:
        """The name of its class, or None where it has none."""

    def __len__(self) -> int:
        """The number of its steps."""

    def stretch(self, begin: int, end: int) -> Self:
        """Return the steps begin, …, end - 1."""


AnyRecording = TypeVar("AnyRecording", bound=Recording)


def load_all(
    files: Files, load: Callable[[Path], dict[str, AnyRecording]], suffixes: Collection[str]
) -> dict[str, AnyRecording]:
    """Return every recording in files, folders and globs by name.

    Files in which all recordings are too short are left out with a warning that names them.

    Args:
        files: Where they are.
        load: Reads one file; it leaves out what is too short, and raises UnusableDrawingsError where all is.
        suffixes: The kinds of files that `load` reads.

    Raises:
        ValueError: No files, a file that cannot be read, or no usable recording in all of them.
    """
    paths = expand_files(files, suffixes)
    if not paths:
        raise ValueError("files: expected at least one file, as in files=[a.npy,b.csv], got an empty list")
    found: dict[str, AnyRecording] = {}
    faults = []
    for path in paths:
        try:
            found |= load(path)
        except UnusableDrawingsError as error:
            faults.append(error)
    if not found:
        raise faults[0]
    if faults:
        logger.warning("Left out %d of %d files: %s", len(faults), len(paths), shortened(map(str, faults)))
    return found


def load_splits(
    files: Files,
    val_files: Files | None,
    test_files: Files | None,
    load: Callable[[Path], dict[str, AnyRecording]],
    suffixes: Collection[str],
    **options: Any,
) -> dict[Split, dict[str, AnyRecording]]:
    """Return the recordings of each split, by name.

    Args:
        files: All recordings, or with `val_files` or `test_files` those for training.
        val_files: The recordings for validation; None: those for the test.
        test_files: The recordings for the test; None: those for validation.
        load: See `load_all`, as the next one.
        suffixes: The kinds of files.
        options: Those of `divide`.

    Raises:
        ValueError: An option out of range, files that cannot be read, or a file in two lists.
    """
    check_options(**options)
    found = load_all(files, load, suffixes)
    if val_files is None and test_files is None:
        return divide(found, **options)
    check_disjoint(suffixes, files=files, val_files=val_files, test_files=test_files)
    val = {} if val_files is None else load_all(val_files, load, suffixes)
    test = {} if test_files is None else load_all(test_files, load, suffixes)
    return {"train": found, "val": val or test, "test": test or val}


def check_options(holdout: float, division: Division | None, seed: int) -> None:
    """Refuse options of `divide` that are out of range."""
    if not 0.0 <= holdout < 1.0:
        raise ValueError(f"holdout must be a share of the data in [0, 1), got {holdout}")
    if division not in (None, "tail", "sequence"):
        raise ValueError(f"division must be sequence, tail or null, got {division!r}")
    if seed < 0:
        raise ValueError(f"split_seed must be at least 0, got {seed}")


def divide(
    found: dict[str, AnyRecording], holdout: float, division: Division | None, seed: int
) -> dict[Split, dict[str, AnyRecording]]:
    """Divide recordings into training, validation and test.

    Where the files themselves say what a recording is for, as sketch-rnn's do, they decide.

    Args:
        found: The recordings by name.
        holdout: The share that is held out; 0: all three splits have everything.
        division: "sequence": whole recordings are held out, half of them for validation and half for the test. "tail": the end
            of each recording is, for both. None: whole recordings where there are at least 5.
        seed: Of the choice of recordings.

    Raises:
        ValueError: Too few recordings or points for these splits.
    """
    if any(recording.part for recording in found.values()):
        return _by_part(found)
    if holdout == 0.0:
        return {"train": found, "val": found, "test": found}
    if division == "tail" or (division is None and len(found) < MANY):
        train, held = _tails(found, holdout)
        return {"train": train, "val": held, "test": held}
    return _whole(found, holdout, seed)


def _by_part(found: dict[str, AnyRecording]) -> dict[Split, dict[str, AnyRecording]]:
    splits: dict[Split, dict[str, AnyRecording]] = {"train": {}, "val": {}, "test": {}}
    for name, recording in found.items():
        splits[recording.part or "train"][name] = recording
    splits["val"], splits["test"] = splits["val"] or splits["test"], splits["test"] or splits["val"]
    empty = [split for split, members in splits.items() if not members]
    if empty:
        raise ValueError(f"the files name parts for training, validation and test, but none for {empty[0]}: add one")
    return splits


def _whole(found: dict[str, AnyRecording], holdout: float, seed: int) -> dict[Split, dict[str, AnyRecording]]:
    names, held = list(found), max(2, round(holdout * len(found)))
    if held >= len(names):
        raise ValueError(
            f"{len(names)} recordings cannot be divided into training, validation and test with {held} held out: add some, "
            "lower holdout, or set division=tail"
        )
    order = np.random.default_rng(seed).permutation(len(names))
    members: dict[Split, NDArray[np.int64]] = {
        "val": order[: held // 2],
        "test": order[held // 2 : held],
        "train": order[held:],
    }
    return {split: {names[i]: found[names[i]] for i in sorted(chosen)} for split, chosen in members.items()}


def _tails(found: dict[str, AnyRecording], holdout: float) -> tuple[dict[str, AnyRecording], dict[str, AnyRecording]]:
    """Return what is trained on and the ends that are held out. Where some are too short, all of them is trained on."""
    train, held = dict(found), {}
    faults = []
    for name, recording in found.items():
        total = len(recording)
        cut = round((1.0 - holdout) * total)
        if min(cut, total - cut) < FEWEST_POINTS:
            faults.append(
                f"{name}: holdout={holdout} splits its {total} points into {cut} and {total - cut}, and each part needs "
                f"{FEWEST_POINTS}: record more, or set holdout=0 to use everything for every split"
            )
            continue
        train[name], held[name] = recording.stretch(0, cut), recording.stretch(cut, total)
    if not held:
        raise ValueError(faults[0])
    if faults:
        logger.warning("Used whole for training, since too short to divide: %s", shortened(faults))
    return train, held
