"""Polyphonic music as piano rolls: which of 88 keys are down at each step."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vrnn.patterns.files.roll_files import KEYS, LOWEST, load_rolls
from vrnn.patterns.recorded import RecordedPattern
from vrnn.patterns.trace import Trace
from vrnn.patterns.units import Units

PITCHES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
# A0 to C8; MIDI's note 60 is C4.
NOTES = tuple(f"{PITCHES[note % 12]}{note // 12 - 1}" for note in range(LOWEST, LOWEST + KEYS))


class PianoRolls(RecordedPattern):
    """Sequences (T, 88) of 0 and 1, in the parts for training, validation and test that their file names.

    So are the sets by which sequential latent variable models are compared in the literature: JSB Chorales, Nottingham,
    MuseData and Piano-midi.de (Boulanger-Lewandowski et al. 2012, arXiv 1206.6392).

    Args:
        file: A .mat or .json file, see `load_rolls`.

    Raises:
        ValueError: The file cannot be read, or holds something else.
    """

    x_dim = KEYS
    form = "piano_roll"
    units = Units(names=NOTES)

    def __init__(self, file: str | Path) -> None:
        self.sources = {
            split: [Trace.of_unknown_origin(roll) for roll in rolls]
            for split, rolls in load_rolls(Path(str(file))).items()
        }

    def constant_nats_per_step(self) -> float:
        """Return the log-likelihood of the test by one constant probability for each key: its share of the training steps.

        A model that knows nothing of time and of chords has this. The shares are smoothed as in `smoothed_rates`.
        """
        rates = smoothed_rates(np.concatenate([trace.points for trace in self.sources["train"]]))
        test: NDArray[np.float64] = np.concatenate([trace.points for trace in self.sources["test"]])
        return float((test @ np.log(rates) + (1.0 - test) @ np.log1p(-rates)).mean())


def smoothed_rates(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how often each coordinate of binary points (n, d) is 1, (d,), as (count + 1) / (n + 2).

    Laplace's rule: never 0 or 1, so that a coordinate that was never 1 may be so later.
    """
    rates: NDArray[np.float64] = (points.sum(axis=0) + 1.0) / (len(points) + 2.0)
    return rates
