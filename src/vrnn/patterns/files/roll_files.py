"""Piano rolls in files: MATLAB's .mat, as Boulanger-Lewandowski et al. 2012 published theirs, and lists of notes in .json."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vrnn.patterns.files.drawing import check_points, check_size, read_bytes
from vrnn.patterns.trace import Split

Roll = NDArray[np.float64]

KEYS = 88  # of a piano
LOWEST = 21  # MIDI's number of the lowest one, A0
SILENCE = -1  # in a list of notes: a voice that rests
PARTS: dict[Split, tuple[str, ...]] = {
    "train": ("train", "traindata"),
    "val": ("valid", "validdata", "val"),
    "test": ("test", "testdata"),
}
EXPECTED = "the three parts traindata, validdata and testdata (.json: train, valid, test)"


def load_rolls(path: Path) -> dict[Split, list[Roll]]:
    """Return the sequences of each part of a file, (T, 88) of 0 and 1: is this key down at this step?

    - .mat: `traindata`, `validdata` and `testdata`, each a cell (1, n) of arrays (T, 88) of 0 and 1.
    - .json: {"train": …, "valid": …, "test": …}, each a list of sequences; a sequence is a list of steps, a step the list of
      the MIDI notes that sound, from 21 (A0) to 108 (C8). A voice that rests is -1, or left out.

    Raises:
        ValueError: The file is missing, unreadable, of another kind, or holds something else.
    """
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise ValueError(f"{path}: expected piano rolls in one of {', '.join(READERS)}, got the suffix {path.suffix!r}")
    if not path.is_file():
        raise ValueError(f"{path}: no such file (the working directory is {Path.cwd()})")
    try:
        held = reader(path)
    except OSError as error:
        raise ValueError(f"{path}: cannot be read: {error.strerror or error}") from error
    found: dict[Split, list[Roll]] = {}
    for split, names in PARTS.items():
        name = next((name for name in names if name in held), None)
        if name is None:
            raise ValueError(f"{path}: expected {EXPECTED}, but it has no {names[0]}: it holds {_shown(held)}")
        found[split] = held[name]
        if not found[split]:
            raise ValueError(f"{path}: {name} must have at least one sequence, but has none")
    check_points(path, sum(len(roll) for rolls in found.values() for roll in rolls))
    return found


def _shown(held: dict[str, Any]) -> str:
    return ", ".join(list(held)[:5]) or "nothing"


def _read_mat(path: Path) -> dict[str, list[Roll]]:
    from scipy.io import loadmat  # a tenth of a second, which other data do not need

    check_size(path, path.stat().st_size)
    names = [name for several in PARTS.values() for name in several]
    try:
        held = loadmat(path, variable_names=names)
    except OSError:
        raise
    except Exception as error:  # a damaged file makes the reader fail in any way
        said = " ".join(str(error).split())[:200]
        raise ValueError(f"{path}: not readable as a MATLAB file up to version 7: {said}") from error
    return {
        name: [_roll(f"{path}: {name}[{i}]", array) for i, array in enumerate(np.ravel(cells))]
        for name, cells in held.items()
        if name in names
    }


def _roll(name: str, array: Any) -> Roll:
    """Return an array of a .mat file as a roll."""
    array = np.asarray(array)
    if array.dtype.kind not in "fiub" or array.ndim != 2 or array.shape[1] != KEYS or not len(array):
        raise ValueError(f"{name} must be an array (T, {KEYS}) of 0 and 1, but is {array.shape} of {array.dtype}")
    if not ((array == 0) | (array == 1)).all():
        raise ValueError(f"{name} must be of 0 and 1, but reaches from {array.min():g} to {array.max():g}")
    return array.astype(np.float64)


def _read_json(path: Path) -> dict[str, list[Roll]]:
    try:
        held = json.loads(read_bytes(path))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: not readable as JSON: {error}") from error
    names = [name for several in PARTS.values() for name in several]
    if not isinstance(held, dict):
        raise ValueError(f"{path}: expected {EXPECTED}, but it is a {type(held).__name__}")
    found = {}
    for name in names:
        if name in held:
            sequences = held[name]
            if not isinstance(sequences, list):
                raise ValueError(f"{path}: {name} must be a list of sequences, but is a {type(sequences).__name__}")
            found[name] = [_of_notes(f"{path}: {name}[{i}]", steps) for i, steps in enumerate(sequences)]
    return found


def _of_notes(name: str, steps: Any) -> Roll:
    """Return the roll of a list of lists of MIDI notes."""
    if not isinstance(steps, list) or not steps or not all(isinstance(notes, list) for notes in steps):
        raise ValueError(f"{name} must be a list of steps, each a list of notes, such as [[60, 64, 67], []]")
    roll = np.zeros((len(steps), KEYS))
    for step, notes in enumerate(steps):
        for note in notes:
            if type(note) is not int or (note != SILENCE and not LOWEST <= note < LOWEST + KEYS):
                raise ValueError(
                    f"{name}: step {step} (counted from 0) must hold MIDI notes from {LOWEST} to {LOWEST + KEYS - 1}, or "
                    f"{SILENCE} for a rest, but has {note!r}"
                )
            if note != SILENCE:
                roll[step, note - LOWEST] = 1.0
    return roll


READERS: dict[str, Callable[[Path], dict[str, list[Roll]]]] = {".mat": _read_mat, ".json": _read_json}
