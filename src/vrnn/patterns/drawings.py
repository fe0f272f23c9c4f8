"""A user's own drawings as a pattern."""

from __future__ import annotations

import logging
from dataclasses import dataclass, fields, replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from vrnn.checks import check_positive
from vrnn.patterns.files.drawing import Drawing
from vrnn.patterns.files.expand import Files
from vrnn.patterns.files.labels import label_index, label_names
from vrnn.patterns.files.read import FEWEST_POINTS, READERS, UnusableDrawingsError, load_drawings, shortened
from vrnn.patterns.files.recordings import Division, load_splits
from vrnn.patterns.recorded import RecordedPattern, choose, prepare_usable
from vrnn.patterns.resampling import SmoothStroke, normalise
from vrnn.patterns.trace import Split, Trace
from vrnn.patterns.units import Units

logger = logging.getLogger(__name__)

Points = NDArray[np.float64]


@dataclass(frozen=True)
class Rendering:
    """How much one rendering of a drawing differs from another; each is a standard deviation, 0 switches it off.

    speed: relative, one factor for a whole rendering (log-normal). scale: relative. rotation: radians, around the
    drawing's mean. shift: per axis, in normalised units, as are the two noises: smooth, correlated over about
    `smooth_steps` steps, and white, new at every step.
    """

    speed: float = 0.03
    scale: float = 0.01
    rotation: float = 0.015
    shift: float = 0.01
    smooth: float = 0.012
    smooth_steps: float = 6.0
    white: float = 0.006

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not 0.0 <= value < np.inf:
                raise ValueError(f"render.{field.name} must be a finite number >= 0 (0 switches it off), got {value}")

    def jittered(self, points: Points, rng: np.random.Generator) -> Points:
        """Return the points (T, 2) turned, scaled, shifted and made noisy."""
        angle = self.rotation * rng.standard_normal()
        factor = np.exp(self.scale * rng.standard_normal())
        turn = factor * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        shift = self.shift * rng.standard_normal(2)
        smooth = self.smooth * _smooth_noise(len(points), self.smooth_steps, rng)
        white = self.white * rng.standard_normal(points.shape)
        moved: Points = points @ turn.T + shift + smooth + white
        return moved


class DrawnPattern(RecordedPattern):
    """Drawings from files: the drawn points as they are, or renderings of them at constant speed.

    Every drawing is normalised by itself, as a whole, as the blog did (zero mean, one scale, std_x + std_y = 2); see
    `load_drawings` for what a file may hold. A drawing that cannot be used, since it is too short, is left out with a warning
    that names it, unless none is left.

    Args:
        files: Files, folders and globs; every drawing in them is used.
        speed: None gives the drawn points, the pen's own speed included. A number resamples each drawing at this arc length
            per step (normalised units) along a cubic through its points, differently each time as `render` says.
        holdout: The share that is held out for validation and test. 0: all splits have everything (as in the blog), so that
            their scores measure memory as well. Not used where files say what they are for.
        render: The differences between renderings; used only with a speed.
        division: What is held out: "sequence", whole drawings; "tail", the end of each; None: drawings where there are at least
            5. See `divide`.
        split_seed: Of the choice of whole drawings, independent of the run's seed.
        val_files: Files for validation; then `files` are for training alone.
        test_files: Files for the test. Without them the test has the files for validation, and vice versa.
        interval: Instead of a speed: the time between two points, in the files' own unit, for files with times; see
            `Drawing.at_interval`.
        label: Where the label of each drawing is, see `load_drawings`; None: there are no labels.

    Raises:
        ValueError: An unreadable drawing (see `load_drawings`), no files, an option out of range, no drawing that is long
            enough, or labels that are missing or held out alone.
    """

    def __init__(
        self,
        files: Files,
        speed: float | None = None,
        holdout: float = 0.2,
        render: Rendering | None = None,
        division: Division | None = None,
        split_seed: int = 0,
        val_files: Files | None = None,
        test_files: Files | None = None,
        interval: float | None = None,
        label: str | None = None,
    ) -> None:
        if speed is not None and interval is not None:
            raise ValueError(f"speed or interval must be null, got speed={speed} and interval={interval}")
        if speed is not None and not 0.0 < speed < np.inf:
            raise ValueError(f"speed must be a length a step > 0, or null for the drawn points, got {speed}")
        self.speed = speed
        self.render = Rendering() if render is None else render
        load = partial(load_normalised, interval=interval, label=label)
        splits = load_splits(
            files, val_files, test_files, load, READERS, holdout=holdout, division=division, seed=split_seed
        )
        if labels := label_names(splits):
            self.units = Units(labels=labels)
        self.renderings: dict[Split, list[tuple[SmoothStroke, int]]] = {}
        if speed is None:
            self.sources = {
                split: [self._trace(drawing) for drawing in found.values()] for split, found in splits.items()
            }
        else:
            self.renderings = {split: prepare_usable(found, self._curve) for split, found in splits.items()}

    @override
    def draw(self, split: Split, n: int, steps: int | None, rng: np.random.Generator) -> list[Trace]:
        """Return traces of up to `steps` points, the drawings in turn.

        Without a speed: random windows of the drawn points, see `RecordedPattern`. With one: n renderings, each a random
        stretch of its drawing with a random phase, or all of it where it gives fewer than `steps` points. `steps` None asks
        for whole drawings.
        """
        if self.speed is None:
            return super().draw(split, n, steps, rng)
        strokes, n = choose(self.renderings[split], split, n, steps, rng)
        chosen = (strokes[i % len(strokes)] for i in range(n))
        return [
            replace(Trace.of_unknown_origin(self._rendering(stroke, steps, rng)), label=label)
            for stroke, label in chosen
        ]

    def _trace(self, drawing: Drawing) -> Trace:
        return replace(Trace.of_unknown_origin(drawing.points), label=label_index(self.units.labels, drawing))

    def _curve(self, name: str, drawing: Drawing) -> tuple[SmoothStroke, int]:
        """Return the curve through a drawing's points, and its label as an index.

        Raises:
            ValueError: Lost points, or a curve that is too short for the speed.
        """
        assert self.speed is not None
        if lost := int(np.isnan(drawing.points).any(axis=1).sum()):
            raise ValueError(
                f"{name}: a drawing with lost points has no curve to follow at speed={self.speed}, and a part of this one has "
                f"{lost}: set speed=null, or fill them in"
            )
        stroke = SmoothStroke(drawing.points)
        # Four standard deviations: one rendering in 30 000 is faster.
        fewest = stroke.length / (self.speed * np.exp(4.0 * self.render.speed))
        if fewest < FEWEST_POINTS:
            raise ValueError(
                f"{name}: a part of it is {stroke.length:.3g} long after normalisation, too short for "
                f"{FEWEST_POINTS} points at speed={self.speed}: take a lower speed or a longer drawing"
            )
        return stroke, label_index(self.units.labels, drawing)

    def _rendering(self, stroke: SmoothStroke, steps: int | None, rng: np.random.Generator) -> Points:
        """Return a stretch of the stroke at constant speed, with this rendering's jitter."""
        assert self.speed is not None  # or there would be no SmoothStroke
        speed = self.speed * np.exp(self.render.speed * rng.standard_normal())
        available = int(stroke.length / speed)
        count = available if steps is None else min(steps, available)
        # Whole drawings have slack too, between one and two steps of it: that is the random phase.
        start = rng.uniform(0.0, stroke.length - (count - 1) * speed)
        return self.render.jittered(stroke.at(start + speed * np.arange(count)), rng)


def load_normalised(path: Path, interval: float | None = None, label: str | None = None) -> dict[str, Drawing]:
    """Return the normalised drawings in a file.

    Args:
        path: The file.
        interval: The time between two points, see `Drawing.at_interval`; None: the drawn points.
        label: Where the labels are, see `load_drawings`.

    Raises:
        ValueError: See `load_drawings` and `Drawing.at_interval`, or an interval that is no number > 0.
        UnusableDrawingsError: All drawings are too short.
    """
    found = load_drawings(path, label=label)
    if interval is not None:
        check_positive("interval", interval)
        timed = {name: one.at_interval(name, interval) for name, one in found.items()}
        found = {name: one for name, one in timed.items() if len(one) >= FEWEST_POINTS and np.ptp(one.points) > 0}
        fault = f"fewer than {FEWEST_POINTS} points at interval={interval}"
        if not found:
            raise UnusableDrawingsError(f"{path}: its drawings have {fault}: take a shorter one")
        if short := [name for name in timed if name not in found]:
            logger.warning("Left out %d of %d drawings with %s: %s", len(short), len(timed), fault, shortened(short))
    return {name: replace(one, points=normalise(one.points)) for name, one in found.items()}


def _smooth_noise(steps: int, width: float, rng: np.random.Generator) -> Points:
    """Return noise (steps, 2) of unit variance: white noise under a Gaussian window of standard deviation `width`."""
    reach = int(np.ceil(3.0 * width))
    window = np.exp(-0.5 * (np.arange(-reach, reach + 1) / max(width, 1e-9)) ** 2)
    window /= np.sqrt((window**2).sum())
    white = rng.standard_normal((steps + 2 * reach, 2))
    return np.stack([np.convolve(white[:, i], window, mode="valid") for i in (0, 1)], axis=1)
