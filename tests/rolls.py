"""Tiny files of piano rolls, of the form of the published ones."""

from pathlib import Path

import numpy as np
from scipy.io import savemat

LENGTHS = {"traindata": (7, 3, 5, 6), "validdata": (4, 6), "testdata": (5, 2, 9)}


def random_rolls(seed: int = 0) -> dict[str, list[np.ndarray]]:
    """Return sequences (T, 88) of chords of up to three of twelve keys, for each part of a file."""
    rng = np.random.default_rng(seed)

    def roll(steps: int) -> np.ndarray:
        down = np.zeros((steps, 88), dtype=np.uint8)
        for step in down:
            step[rng.choice(np.arange(39, 51), size=rng.integers(4), replace=False)] = 1
        return down

    return {part: [roll(steps) for steps in lengths] for part, lengths in LENGTHS.items()}


def write_mat(path: Path, parts: dict[str, list[np.ndarray]] | None = None) -> Path:
    """Write parts, each a cell (1, n), to a .mat file."""
    cells = {}
    for part, rolls in (parts or random_rolls()).items():
        cells[part] = np.empty((1, len(rolls)), dtype=object)
        cells[part][0, :] = rolls
    savemat(path, cells)
    return path
