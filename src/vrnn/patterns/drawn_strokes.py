"""A user's own drawings as strokes, with the pen's lifts."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
from typing_extensions import override

from vrnn.checks import check_range
from vrnn.patterns.drawings import load_normalised
from vrnn.patterns.files.drawing import Drawing
from vrnn.patterns.files.expand import Files
from vrnn.patterns.files.labels import label_index, label_names
from vrnn.patterns.files.read import READERS
from vrnn.patterns.files.recordings import Division, load_splits
from vrnn.patterns.recorded import RecordedPattern, choose, random_window
from vrnn.patterns.strokes import stroke_shares, to_offsets
from vrnn.patterns.trace import Split, Trace
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
        jitter: 0: the drawings as they are. Else each sequence is a rendering: its drawing turned by about so many radians,
            scaled by about this share, and with noise of this standard deviation at every point, by the size of a move. A
            model of few drawings learns from as many renderings as `data.traces` says.

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
        jitter: float = 0.0,
    ) -> None:
        self.jitter = check_range("jitter", jitter, 0.0, 1.0)
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
        self.drawings = {split: list(found.values()) for split, found in splits.items()}
        self.sources = {split: [self._trace(drawing) for drawing in found] for split, found in self.drawings.items()}

    @override
    def draw(self, split: Split, n: int, steps: int | None, rng: np.random.Generator) -> list[Trace]:
        """Return the drawings, see `RecordedPattern`; with jitter n renderings of them in turn, or random windows of these."""
        if not self.jitter:
            return super().draw(split, n, steps, rng)
        chosen, n = choose(self.drawings[split], split, n, steps, rng)
        traces = [self._trace(self._rendering(chosen[i % len(chosen)], rng)) for i in range(n)]
        return [trace if steps is None else random_window(trace, steps, rng) for trace in traces]

    def _rendering(self, drawing: Drawing, rng: np.random.Generator) -> Drawing:
        turn, grow = self.jitter * rng.standard_normal(2)
        noise = self.jitter * self.units.scale[1] * rng.standard_normal(drawing.points.shape)
        matrix = np.exp(grow) * np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
        return replace(drawing, points=drawing.points @ matrix + noise)

    def _trace(self, drawing: Drawing) -> Trace:
        trace = Trace.of_unknown_origin(self.units.from_units(to_offsets(drawing.strokes)))
        return replace(trace, label=label_index(self.units.labels, drawing))
