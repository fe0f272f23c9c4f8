"""A trained run whose model draws on the page: strokes of the canvas in, strokes of the canvas out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from vrnn.checks import check_range, require
from vrnn.draw.drawings import CANVAS, Stroke, View
from vrnn.errors import ConfigError
from vrnn.patterns.files.drawing import Drawing
from vrnn.patterns.resampling import at_constant_speed
from vrnn.patterns.strokes import end_drawings, to_offsets, to_plane
from vrnn.runs.drawing import conditioned_on
from vrnn.runs.load import TrainedRun, load_run
from vrnn.runs.pattern import pattern_class

Points = NDArray[np.float64]
Line = list[list[float]]  # points [x, y] on the canvas

FILLED = 0.7  # of the canvas's width, by what the model draws, for a run that was trained elsewhere
SHOWN = 4, 300  # traces, and steps in each, that tell where a model draws
MOST_FUTURES = 12
MOST_STEPS = 2000  # of a beginning, and of a future
FEWEST = 3  # steps of a beginning
SHORTEST = 1e-6  # of a model's step, in units of its data


class PageRun:
    """A trained run as the page sees it.

    Args:
        directory: The run's.
        allow: Packages whose classes its settings may name.
        view: Where the model's coordinates lie on the canvas; None: so that what it draws fills the canvas.

    Raises:
        ConfigError: The directory holds no run, or one whose sequences no pen draws.
        FileNotFoundError: The run has no checkpoint yet.
        DamagedError: Its files cannot be read.
    """

    def __init__(self, directory: Path, allow: Sequence[str] = ("vrnn",), view: View | None = None):
        self.run: TrainedRun = load_run(directory, allow=allow)
        # Strokes are short, and to compile kernels for them takes longer than to draw them.
        self.run.vrnn.engine = "reference"
        torch.set_num_threads(1)  # a training may be at work beside
        self.form = pattern_class(self.run.settings).form
        condition = conditioned_on(self.run.settings)
        if self.form not in ("plane", "strokes") or condition == "series":
            what = "with condition=series" if condition == "series" else f"of the form {self.form}"
            raise ConfigError(f"run must be one whose sequences a pen draws, but {directory} is {what}.")
        self.labels = list(self.run.vrnn.condition.labels)
        self.dataset: dict[str, Any] = self.run.settings["dataset"]
        shown = self._shown()
        self.view = view or self._fitted_view(shown)
        moves = np.concatenate([np.linalg.norm(np.diff(points, axis=0), axis=1) for points, _ in shown])
        self.stride = max(float(np.median(moves)) if len(moves) else 0.0, SHORTEST)  # a step's usual length
        self.example = self._placed(*shown[0])

    def continued(
        self,
        strokes: Sequence[Stroke],
        n: int = 5,
        steps: int = 200,
        temperature: float = 1.0,
        label: str | None = None,
        seed: int = 0,
    ) -> dict[str, Any]:
        """Return futures of strokes, and the strokes as the model saw them.

        Args:
            strokes: What is continued; none: the futures begin where the model's drawings do.
            n: How many futures.
            steps: Steps of each.
            temperature: Of the decoder and of the prior of z.
            label: The class that is drawn, of a run with condition=label; None: the first.
            seed: Of the noise.

        Returns:
            {"seen": lines, "futures": [lines, …]}, a line a list of points [x, y] on the canvas.

        Raises:
            ValueError: A number out of its range, an unknown label, or strokes that are too short or too long.
        """
        require(isinstance(n, int) and 1 <= n <= MOST_FUTURES, "n", f"an integer in [1, {MOST_FUTURES}]", n)
        require(isinstance(steps, int) and 1 <= steps <= MOST_STEPS, "steps", f"an integer in [1, {MOST_STEPS}]", steps)
        require(isinstance(seed, int) and 0 <= seed < 2**31, "seed", "an integer from 0 to 2147483647", seed)
        temperature = check_range("temperature", temperature, 0.01, 10.0)
        before = self._beginning(strokes) if strokes else None
        drawn = self.run.generate(
            n,
            steps,
            before,
            temperature=temperature,
            z_temperature=temperature,
            seed=seed,
            condition=self._label(label),
        )
        after = np.asarray(drawn, dtype=np.float64).transpose(1, 0, 2)
        if self.form == "plane":
            return self._continued_points(before, after)
        return self._continued_strokes(strokes, before, after, seed)

    def _label(self, label: str | None) -> str | None:
        return label if label is not None or not self.labels else self.labels[0]

    def _beginning(self, strokes: Sequence[Stroke]) -> Points:
        """Return strokes of the canvas as the model sees its data: steps of the usual length, or at the usual times."""
        placed = [self.view.from_canvas(np.array([stroke["x"], stroke["y"]]).T) for stroke in strokes]
        times = [np.array(stroke["t"], dtype=np.float64) for stroke in strokes]
        interval = self.dataset.get("interval")
        if interval is not None:
            parts = Drawing.of_strokes(placed, times).at_interval("the stroke", float(interval)).strokes
        elif self.form == "plane":
            parts = [_at_stride(np.concatenate(placed), self.stride)]
        else:
            parts = [_at_stride(points, self.stride) for points in placed]
        count = sum(map(len, parts))
        require(
            count >= FEWEST, "the beginning", f"at least {FEWEST} steps of the model", count, "draw a longer stroke"
        )
        require(count <= MOST_STEPS, "the beginning", f"at most {MOST_STEPS} steps of the model", count, "clear it")
        if self.form == "plane":
            return np.concatenate(parts)
        offsets = to_offsets(parts)
        offsets[-1, 0] = 0.0  # the pen has not left the paper: the model continues the stroke
        return offsets

    def _continued_points(self, before: Points | None, after: Points) -> dict[str, Any]:
        begin = after[:, :0] if before is None else np.repeat(before[None, -1:], len(after), axis=0)
        futures = [self._lines(points, _last(points)) for points in np.concatenate([begin, after], axis=1)]
        return {"seen": [] if before is None else self._lines(before, _last(before)), "futures": futures}

    def _continued_strokes(
        self, strokes: Sequence[Stroke], before: Points | None, after: Points, seed: int
    ) -> dict[str, Any]:
        head = np.zeros((0, 3)) if before is None else before
        whole = np.concatenate([np.repeat(head[None], len(after), axis=0), after], axis=1)
        ended, _ = end_drawings(whole, self.run.units.strokes, np.random.default_rng(seed))
        lines = []
        for offsets in ended:
            known = offsets[: max(_known(offsets), len(head))]
            points, lifted = to_plane(np.nan_to_num(known))
            if strokes:
                start = self.view.from_canvas(np.array([strokes[0]["x"][0], strokes[0]["y"][0]]))
                lines.append(self._lines((points + start)[len(head) :], lifted[len(head) :]))
            else:
                lines.append(self._placed(points, lifted))
        seen: list[Line] = []
        if strokes:
            points, lifted = to_plane(head)
            seen = self._lines(points + start, lifted)
        return {"seen": seen, "futures": lines}

    def _lines(self, points: Points, lifted: NDArray[np.bool_]) -> list[Line]:
        """Return points of the model as lines on the canvas; what is not finite is left out."""
        placed = self.view.to_canvas(points)
        parts = np.split(placed, np.flatnonzero(lifted[:-1]) + 1)
        kept = (part[np.isfinite(part).all(axis=1)] for part in parts)
        return [np.clip(part, -9 * CANVAS, 10 * CANVAS).round(1).tolist() for part in kept if len(part) > 1]

    def _placed(self, points: Points, lifted: NDArray[np.bool_]) -> list[Line]:
        """Return lines on the canvas: moves of the pen have no place of their own, and are put in its middle."""
        if self.form == "strokes":
            low, high = np.nanmin(points, axis=0), np.nanmax(points, axis=0)
            points = points - (low + high) / 2 + self.view.from_canvas(np.array([CANVAS / 2, CANVAS / 2]))
        return self._lines(points, lifted)

    def _shown(self) -> list[tuple[Points, NDArray[np.bool_]]]:
        """Return some of the run's data, or where they are missing some of what it generates: points, and where it lifts."""
        traces, steps = SHOWN
        try:
            found = self.run.pattern.draw("train", traces, steps, np.random.default_rng(0))
            sequences = [self.run.units.to_units(trace.points) for trace in found[:traces]]
        except ConfigError:
            drawn = self.run.generate(traces, steps, condition=self._label(None))
            sequences = list(np.asarray(drawn).transpose(1, 0, 2))
        if self.form == "plane":
            return [(points, _last(points)) for points in sequences]
        ends = [end_drawings(one[None], self.run.units.strokes, np.random.default_rng(0))[0][0] for one in sequences]
        return [to_plane(one[: max(_known(one), 1)]) for one in ends]

    def _fitted_view(self, shown: Sequence[tuple[Points, NDArray[np.bool_]]]) -> View:
        """Return the view in which what the model draws fills the middle of the canvas."""
        boxes = np.array([np.nanpercentile(points, [1, 99], axis=0) for points, _ in shown])
        low, high = np.nanmedian(boxes, axis=0)
        size = FILLED * CANVAS / max(float((high - low).max()), SHORTEST)
        middle = (low + high) / 2
        return View(CANVAS / 2 - size * float(middle[0]), CANVAS / 2 + size * float(middle[1]), size)


def _at_stride(points: Points, stride: float) -> Points:
    """Return points at one distance along a smooth curve through a stroke (T, 2); of a dot the dot."""
    moved = points[np.concatenate([[True], np.any(np.diff(points, axis=0) != 0.0, axis=1)])]
    if len(moved) < 2:
        return points[-1:]
    return at_constant_speed(moved, stride)


def _known(offsets: Points) -> int:
    """Return how many steps come before the first that is missing."""
    missing = np.flatnonzero(~np.isfinite(offsets).all(axis=1))
    return int(missing[0]) if len(missing) else len(offsets)


def _last(points: Points) -> NDArray[np.bool_]:
    """Return where a pen lifts that draws points in one stroke, (T,)."""
    return np.arange(len(points)) == len(points) - 1
