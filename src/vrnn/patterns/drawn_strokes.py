"""A user's own drawings as strokes, with the pen's lifts."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np

from vrnn.patterns.drawings import load_normalised
from vrnn.patterns.files.drawing import Drawing
from vrnn.patterns.files.expand import Files
from vrnn.patterns.files.labels import label_index, label_names
from vrnn.patterns.files.read import READERS
from vrnn.patterns.files.recordings import Division, load_splits
from vrnn.patterns.recorded import RecordedPattern
from vrnn.patterns.strokes import stroke_shares, to_offsets
from vrnn.patterns.trace import Trace
from vrnn.patterns.units import Units


class DrawnStrokes(RecordedPattern):
    """Drawings from files as moves (pen, dx, dy), see `vrnn.patterns.strokes`: the pen lifts between two strokes.

    Every drawing is normalised by itself, as for `DrawnPattern`. Then one scale for dx and dy makes their two variances sum to
    1 over the training data (Chung et al. 2015).

    Args:
        files: Files, folders and globs; every drawing in them is used.
        holdout: The share that is held out for validation and test; 0: all splits have everything.
        division: What is held out: "sequence", whole drawings; "tail", the end of each; None: drawings where there are at least
            5.
        split_seed: Of the choice of whole drawings, independent of the run's seed.
        val_files: Files for validation; then `files` are for training alone.
        test_files: Files for the test. Without them the test has the files for validation, and vice versa.
        interval: The time between two points, in the files' own unit, for files with times; None: the drawn points.
        label: Where the label of each drawing is, see `load_drawings`; None: there are no labels.

    Raises:
        ValueError: Files that cannot be read or named twice, labels that are missing or held out alone, or an option out of
            range.
    """

    x_dim = 3
    form = "strokes"

    def __init__(
        self,
        files: Files,
        holdout: float = 0.2,
        division: Division | None = None,
        split_seed: int = 0,
        val_files: Files | None = None,
        test_files: Files | None = None,
        interval: float | None = None,
        label: str | None = None,
    ) -> None:
        load = partial(load_normalised, interval=interval, label=label)
        splits = load_splits(
            files, val_files, test_files, load, READERS, holdout=holdout, division=division, seed=split_seed
        )
        moves = [to_offsets(drawing.strokes) for drawing in splits["train"].values()]
        training = np.concatenate(moves)
        scale = float(np.sqrt(np.nanvar(training[:, 1:], axis=0).sum()))
        counts = [int(one[:, 0].sum()) for one in moves]  # a first stroke of one point has no lift among the moves
        self.units = Units(
            (0.0, 0.0, 0.0),
            (1.0, scale, scale),
            ("pen", "dx", "dy"),
            label_names(splits),
            strokes=stroke_shares(counts),
        )
        self.sources = {split: [self._trace(drawing) for drawing in found.values()] for split, found in splits.items()}

    def _trace(self, drawing: Drawing) -> Trace:
        trace = Trace.of_unknown_origin(self.units.from_units(to_offsets(drawing.strokes)))
        return replace(trace, label=label_index(self.units.labels, drawing))
