"""Writes piano rolls as MIDI, which music programs play and print as notes."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vrnn.patterns.files.roll_files import LOWEST
from vrnn.patterns.trace import SequenceKind

TICKS = 480  # per quarter note; a step of a roll is one
TEMPO = 300_000  # microseconds per quarter note: 200 steps per minute
REST = 4  # steps between two rolls
VELOCITY = 80  # how hard a key is struck, of 127


def check_midi(form: SequenceKind) -> None:
    """Refuse to write sequences as MIDI.

    Raises:
        ValueError: They are no piano rolls, or mido is not installed.
    """
    if form != "piano_roll":
        raise ValueError(
            f"a mid file holds piano rolls, and sequences of the form {form} are none: write png, npz or csv"
        )
    if find_spec("mido") is None:
        raise ValueError("a mid file is written by mido, which is not installed: pip install mido, or vrnn-lab[midi]")


def write_midi(path: Path, rolls: Sequence[NDArray[np.float64]]) -> None:
    """Write piano rolls, (T, 88) each, one after the other to a track of a piano.

    A key that is down at successive steps is held: a roll does not say whether it was struck again. A number between 0 and 1 is
    a probability: the key is down above 1/2.

    See `check_midi` for what it needs.
    """
    import mido  # an extra, see pyproject.toml

    track = mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=TEMPO), mido.Message("program_change", program=0)])
    last = 0
    for tick, key, down in _changes(rolls):
        kind = "note_on" if down else "note_off"
        track.append(mido.Message(kind, note=LOWEST + key, velocity=VELOCITY, time=tick - last))
        last = tick
    mido.MidiFile(ticks_per_beat=TICKS, tracks=[track]).save(path)


def _changes(rolls: Sequence[NDArray[np.float64]]) -> list[tuple[int, int, bool]]:
    """Return (tick, key, is it pressed?) in the order of time, releases first."""
    down = np.concatenate([np.pad(roll > 0.5, ((0, REST), (0, 0))) for roll in rolls]).astype(np.int8)
    moves = np.diff(down, axis=0, prepend=0)
    found = [(int(step) * TICKS, int(key), bool(moves[step, key] > 0)) for step, key in np.argwhere(moves)]
    return sorted(found, key=lambda change: (change[0], change[2]))
