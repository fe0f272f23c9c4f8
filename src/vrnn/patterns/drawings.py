"""A user's own drawings as a pattern."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vrnn.patterns.files.read import FEWEST_POINTS, read_drawings
from vrnn.patterns.resampling import SmoothStroke, normalise
from vrnn.patterns.trace import Pattern, Split, Trace

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


class DrawnPattern(Pattern):
    """Drawings from files: the drawn points as they are, or renderings of them at constant speed.

    Every drawing is normalised by itself, as a whole, as the blog did (zero mean, one scale, std_x + std_y = 2); see
    `read_drawings` for what a file may hold. Nobody knows the truth behind a drawing: `automaton` is None, and state
    and lap are -1 throughout.

    files: one path or several.
    speed: None gives the drawn points, the pen's own speed included. A number resamples each drawing at this arc
        length a step (normalised units) along a cubic through its points, differently each time as `render` says.
    holdout: share of each drawing, its last part, that "val" and "test" are drawn from while "train" has the rest.
        0: all three see the whole drawing (as in the blog), so that their scores measure memory as well.
    render: the differences between renderings; used only with a speed.

    Raises:
        ValueError: an unreadable drawing (see `read_drawings`), no files, a speed or holdout out of range, or a part
            of a drawing with fewer than 8 points.
    """

    automaton = None

    def __init__(
        self,
        files: str | Path | Sequence[str | Path],
        speed: float | None = None,
        holdout: float = 0.2,
        render: Rendering | None = None,
    ) -> None:
        paths = [files] if isinstance(files, str | Path) else list(files)
        if not paths:
            raise ValueError("files: expected at least one drawing, as in files=[a.npy,b.svg], got an empty list")
        if speed is not None and not 0.0 < speed < np.inf:
            raise ValueError(f"speed must be a length a step > 0, or null for the drawn points, got {speed}")
        if not 0.0 <= holdout < 1.0:
            raise ValueError(f"holdout must be a share of each drawing in [0, 1), got {holdout}")
        self.speed = speed
        self.render = Rendering() if render is None else render
        drawings = {name: normalise(points) for path in paths for name, points in read_drawings(path).items()}
        parts = [_parts(name, points, holdout) for name, points in drawings.items()]
        self._train = [self._prepared(name, train) for name, (train, _) in zip(drawings, parts, strict=True)]
        self._held = [self._prepared(name, held) for name, (_, held) in zip(drawings, parts, strict=True)]

    def draw(self, split: Split, n: int, steps: int | None, rng: np.random.Generator) -> list[Trace]:
        """Return up to n traces of up to `steps` points, the drawings in turn.

        With a speed: n renderings, each a random stretch of its drawing with a random phase, or all of it where it
        gives fewer than `steps` points. Without: n random windows of the drawn points; a drawing with no more than
        `steps` points is given whole and only once. `steps` None asks for whole drawings.
        """
        if n < 1 or (steps is not None and steps < 1):
            raise ValueError(f"expected n >= 1 traces of steps >= 1 points, got n={n}, steps={steps}")
        sources = self._train if split == "train" else self._held
        traces = []
        for i in range(n):
            source = sources[i % len(sources)]
            if isinstance(source, SmoothStroke):
                traces.append(self._rendering(source, steps, rng))
            elif steps is not None and steps < len(source):
                start = int(rng.integers(len(source) - steps + 1))
                traces.append(source[start : start + steps])
            elif i < len(sources):
                traces.append(source.copy())
        return [Trace.of_unknown_origin(points) for points in traces]

    def _prepared(self, name: str, points: Points) -> Points | SmoothStroke:
        """Return what `draw` draws from: the points themselves, or the curve through them."""
        if self.speed is None:
            return points
        if lost := int(np.isnan(points).any(axis=1).sum()):
            raise ValueError(
                f"{name}: a drawing with lost points has no curve to follow at speed={self.speed}, and a part of this one has "
                f"{lost}: set speed=null, or fill them in"
            )
        stroke = SmoothStroke(points)
        # Four standard deviations: one rendering in 30 000 is faster.
        fewest = stroke.length / (self.speed * np.exp(4.0 * self.render.speed))
        if fewest < FEWEST_POINTS:
            raise ValueError(
                f"{name}: a part of it is {stroke.length:.3g} long after normalisation, too short for "
                f"{FEWEST_POINTS} points at speed={self.speed}: take a lower speed or a longer drawing"
            )
        return stroke

    def _rendering(self, stroke: SmoothStroke, steps: int | None, rng: np.random.Generator) -> Points:
        """Return a stretch of the stroke at constant speed, with this rendering's jitter."""
        assert self.speed is not None  # or there would be no SmoothStroke
        speed = self.speed * np.exp(self.render.speed * rng.standard_normal())
        available = int(stroke.length / speed)
        count = available if steps is None else min(steps, available)
        # Whole drawings have slack too, between one and two steps of it: that is the random phase.
        start = rng.uniform(0.0, stroke.length - (count - 1) * speed)
        return self.render.jittered(stroke.at(start + speed * np.arange(count)), rng)


def _parts(name: str, points: Points, holdout: float) -> tuple[Points, Points]:
    """Split a drawing into the part for training and the part held out; with holdout 0 both are all of it."""
    if holdout == 0.0:
        return points, points
    cut = round((1.0 - holdout) * len(points))
    if min(cut, len(points) - cut) < FEWEST_POINTS:
        raise ValueError(
            f"{name}: holdout={holdout} splits its {len(points)} points into {cut} and {len(points) - cut}, and each "
            f"part needs {FEWEST_POINTS}: draw more, or set holdout=0 to use the whole drawing for every split"
        )
    return points[:cut], points[cut:]


def _smooth_noise(steps: int, width: float, rng: np.random.Generator) -> Points:
    """Return noise (steps, 2) of unit variance: white noise under a Gaussian window of standard deviation `width`."""
    reach = int(np.ceil(3.0 * width))
    window = np.exp(-0.5 * (np.arange(-reach, reach + 1) / max(width, 1e-9)) ** 2)
    window /= np.sqrt((window**2).sum())
    white = rng.standard_normal((steps + 2 * reach, 2))
    return np.stack([np.convolve(white[:, i], window, mode="valid") for i in (0, 1)], axis=1)
