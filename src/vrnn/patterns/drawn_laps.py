"""A drawing as a random process: its own laps, drawn again in a new random order."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice, pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from vrnn.checks import check_at_least, check_choice, check_pair, check_positive, require
from vrnn.patterns.drawings import Rendering, load_normalised
from vrnn.patterns.estimate import DrawnLap, cut_laps, estimate_automaton, group_by_shape
from vrnn.patterns.files.expand import Files
from vrnn.patterns.files.read import READERS
from vrnn.patterns.files.recordings import load_all
from vrnn.patterns.pen import AutomatonPattern, check_speed
from vrnn.patterns.trace import Split, Trace

Points = NDArray[np.float64]

STEPS_PER_LAP = 32  # of the shortest shape, where the speed is chosen from the data
EVERY = 5  # of each shape's laps, the last of so many is held out


class DrawnLaps(AutomatonPattern):
    """The random process behind drawings whose laps all pass one point, the junction.

    The drawings are cut at the junction, their laps are grouped by shape, and what follows what is counted
    (`estimate_automaton`). A trace is a walk of that automaton, in which each lap is one of the drawn laps of its shape, moved
    so that it begins where the one before ends, at constant speed and with the small differences that `render` says. So the
    order of laps cannot be memorised, all steps of a trace have a known state, and a run is scored against the odds that were
    counted.

    Args:
        files: Files, folders and globs of drawings; each is normalised as by `DrawnPattern`.
        speed: Distance per step, in units of the normalised drawing. None: 32 steps per lap of the shortest shape.
        junction: [x, y] in units of the normalised drawing; "start": where each drawing starts.
        radius: How near to the junction the pen comes in every lap, in these units.
        shapes: The number of shapes; None: as many as are clearly apart, see `group_by_shape`.
        held_out: Whether of each shape with five laps or more the fifth, tenth, … are for validation and test alone.
        render: The differences between traces.

    Raises:
        ValueError: Files that cannot be read, a number out of its range, or fewer than three laps.
    """

    def __init__(
        self,
        files: Files,
        speed: float | None = None,
        junction: Sequence[float] | Literal["start"] = "start",
        radius: float = 0.3,
        shapes: int | None = None,
        held_out: bool = True,
        render: Rendering | None = None,
    ) -> None:
        radius = check_positive("dataset.radius", radius)
        if shapes is not None:
            check_at_least("dataset.shapes", shapes, 1)
        self.render = Rendering() if render is None else render
        found = load_all(files, load_normalised, READERS)
        for name, drawing in found.items():
            lost = int(np.isnan(drawing.points).any(axis=1).sum())
            require(not lost, f"the drawing {name}", "without lost points", f"with {lost} of them", "fill them in")
        drawings = [drawing.points for drawing in found.values()]
        starts = np.stack([points[0] for points in drawings])
        if isinstance(junction, str):
            check_choice("dataset.junction", junction, ("start",))
            at = starts
        else:
            at = np.tile(check_pair("dataset.junction", junction), (len(starts), 1))
        cut = [cut_laps(points, point, radius) for points, point in zip(drawings, at, strict=True)]
        paths = [path for laps in cut for path in laps]
        fix = "name another junction, raise dataset.radius, or draw more laps"
        require(len(paths) >= 3, "the laps between passages of dataset.junction", "at least 3", len(paths), fix)
        shape = iter(group_by_shape(paths, shapes).tolist())
        named = [[DrawnLap(path, next(shape)) for path in laps] for laps in cut]
        self.automaton = estimate_automaton([laps for laps in named if laps], at.mean(axis=0))
        self.names = self.automaton.names
        self.laps = [
            _divide([lap.path for laps in named for lap in laps if lap.shape == k], held_out)
            for k in range(len(self.names))
        ]
        shortest = min(piece.length for piece in self.automaton.pieces)
        self.speed = shortest / STEPS_PER_LAP if speed is None else check_positive("dataset.speed", speed)
        check_speed("dataset.speed", self.speed, shortest)

    @override
    def draw(self, split: Split, n: int, steps: int, rng: np.random.Generator) -> list[Trace]:
        return [self._trace(split, steps, rng) for _ in range(n)]

    def _trace(self, split: Split, steps: int, rng: np.random.Generator) -> Trace:
        speed = self.speed * np.exp(self.render.speed * rng.standard_normal())
        walk = self.automaton.piece_walk(rng)
        states: list[int] = []
        chosen: list[Points] = []
        length = 0.0
        # Laps are moved by less than the junction's width, which changes their length by little.
        while length <= 1.2 * steps * speed + 1.0:
            states.extend(self.automaton.pieces[piece].state for piece in islice(walk, 1))
            pool = self.laps[states[-1]][split]
            chosen.append(pool[rng.integers(len(pool))])
            length += float(np.linalg.norm(np.diff(chosen[-1], axis=0), axis=1).sum())
        line, begins = _join(chosen)
        arc = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))])
        walked = speed * np.arange(steps)
        points = np.stack([np.interp(walked, arc, line[:, axis]) for axis in (0, 1)], axis=1)
        lap = np.searchsorted(arc[begins], walked, side="right") - 1
        return Trace(self.render.jittered(points, rng), np.array(states)[lap], lap.astype(np.int64))


def _divide(paths: Sequence[Points], held_out: bool) -> dict[Split, list[Points]]:
    """Return the laps of one shape for each split."""
    if not held_out or len(paths) < EVERY:
        return {"train": list(paths), "val": list(paths), "test": list(paths)}
    out = list(paths[EVERY - 1 :: EVERY])
    return {"train": [path for i, path in enumerate(paths) if i % EVERY != EVERY - 1], "val": out, "test": out}


def _join(paths: Sequence[Points]) -> tuple[Points, NDArray[np.int64]]:
    """Return laps as one line (k, 2), and the index of each lap's first point.

    Where one lap ends and the next begins the line passes between the two; each lap is moved by a part of the gap that falls
    linearly along it.
    """
    meetings = [paths[0][0], *(0.5 * (a[-1] + b[0]) for a, b in pairwise(paths)), paths[-1][-1]]
    moved = []
    for path, (begin, end) in zip(paths, pairwise(meetings), strict=True):
        along = np.linspace(0.0, 1.0, len(path))[:, None]
        moved.append((path + (1.0 - along) * (begin - path[0]) + along * (end - path[-1]))[:-1])
    begins = np.cumsum([0, *map(len, moved)])[:-1]
    return np.concatenate([*moved, meetings[-1][None]]), begins
