"""The pen that draws an automaton: nearly constant speed, small differences between laps, noise on every point."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import islice

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from vrnn.checks import Points, check_at_least, check_positive, check_positive_pair, check_range, require
from vrnn.patterns.automaton import PIECE_SEGMENTS, Automaton
from vrnn.patterns.trace import Pattern, Split, Trace

FEWEST_STEPS_PER_LAP = 4  # fewer points do not show which curve they are of


class Pen:
    """Draws the laps of an automaton with a nearly constant distance per step.

    Size and place differ from lap to lap. They are drawn anew at every lap boundary and change smoothly in between, so that
    the line has no jump at a junction. Sizes are relative to the mean of the cut points (with one junction: the junction).

    Lengths are in the units of the automaton's coordinates. A jitter is a standard deviation.

    Args:
        speed: Distance per step, > 0.
        speed_jitter: Of the speed, relative, in [0, 0.3]; changes smoothly over the steps.
        scale_jitter: Of the size, relative, in [0, 0.3]; new for every lap.
        axis_jitter: The same for the width and the height separately, on top of `scale_jitter`.
        center_jitter: Of the place, a length >= 0; new for every lap.
        smooth_noise: Standard deviation of smooth noise on the points, a length >= 0.
        smooth_steps: Over how many steps speed and smooth noise stay alike, > 0: the standard deviation of the Gaussian
            window that smooths them.
        white_noise: Standard deviation of independent noise on the points, a length >= 0.
        side_stretch: [low, high], 0 < low <= high. In every lap the part to the right of the lap's start is stretched
            horizontally by a factor drawn uniformly from this range; [1, 1] changes nothing.

    Raises:
        ValueError: A number is out of its range.
    """

    def __init__(
        self,
        *,
        speed: float = 0.2,
        speed_jitter: float = 0.06,
        scale_jitter: float = 0.03,
        axis_jitter: float = 0.015,
        center_jitter: float = 0.03,
        smooth_noise: float = 0.012,
        smooth_steps: float = 3.0,
        white_noise: float = 0.004,
        side_stretch: Sequence[float] = (1.0, 1.0),
    ) -> None:
        self.speed = check_positive("dataset.pen.speed", speed)
        self.speed_jitter = check_range("dataset.pen.speed_jitter", speed_jitter, 0.0, 0.3)
        self.scale_jitter = check_range("dataset.pen.scale_jitter", scale_jitter, 0.0, 0.3)
        self.axis_jitter = check_range("dataset.pen.axis_jitter", axis_jitter, 0.0, 0.3)
        self.center_jitter = check_at_least("dataset.pen.center_jitter", center_jitter, 0)
        self.smooth_noise = check_at_least("dataset.pen.smooth_noise", smooth_noise, 0)
        self.smooth_steps = check_positive("dataset.pen.smooth_steps", smooth_steps)
        self.white_noise = check_at_least("dataset.pen.white_noise", white_noise, 0)
        self.side_stretch = check_positive_pair("dataset.pen.side_stretch", side_stretch)
        low, high = self.side_stretch
        require(bool(low <= high), "dataset.pen.side_stretch", "[low, high] with low <= high", side_stretch)

    def draw(self, automaton: Automaton, steps: int, rng: np.random.Generator) -> Trace:
        """Return one trace that begins with a visit to the start state.

        `Trace.lap` counts pieces (see `Piece`): a piece that crosses to another state is a lap of its own.

        Args:
            automaton: The automaton whose walk is drawn.
            steps: The number of points, >= 1.
            rng: The source of all randomness, the automaton's included.

        Raises:
            ValueError: steps < 1.
        """
        check_at_least("steps", steps, 1)
        pace = np.exp(self.speed_jitter * self._smooth((steps - 1,), rng) - 0.5 * self.speed_jitter**2)
        walked = np.concatenate([[0.0], np.cumsum(self.speed * pace)])
        pieces, line = self._draw_line(automaton, walked[-1], rng)
        arc = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))])
        points = np.stack([np.interp(walked, arc, line[:, axis]) for axis in (0, 1)], axis=1)
        points += self.smooth_noise * self._smooth((steps, 2), rng)
        points += self.white_noise * rng.standard_normal((steps, 2))
        lap = np.searchsorted(arc[::PIECE_SEGMENTS], walked, side="right") - 1
        states = np.array([automaton.pieces[p].state for p in pieces])
        return Trace(points, states[lap], lap.astype(np.int64))

    def _draw_line(self, automaton: Automaton, needed: float, rng: np.random.Generator) -> tuple[list[int], Points]:
        """Return the pieces drawn and their line (k, 2), longer than `needed`; speed and noise are not yet applied."""
        walk = automaton.piece_walk(rng)
        pieces: list[int] = []
        shrink = min(1.0, float(self.side_stretch[0]))
        while True:
            # Laps with jitter may be shorter than the automaton's: take a third more, and again if that is too little.
            length = sum(automaton.pieces[p].length for p in pieces)
            target = length + 1.3 * needed / shrink
            while length <= target:
                pieces.extend(islice(walk, 1))
                length += automaton.pieces[pieces[-1]].length
            line = self._warp(automaton, pieces, rng)
            if np.linalg.norm(np.diff(line, axis=0), axis=1).sum() > needed:
                return pieces, line

    def _warp(self, automaton: Automaton, pieces: list[int], rng: np.random.Generator) -> Points:
        """Return the pieces' line (len(pieces) * PIECE_SEGMENTS + 1, 2); each lap has its own size, place and stretch."""
        points = np.stack([piece.points for piece in automaton.pieces])[pieces]
        begin = points[:, :1, 0]
        low, high = self.side_stretch
        factors = rng.uniform(low, high, size=(len(pieces), 1))
        points[..., 0] += (factors - 1.0) * np.maximum(points[..., 0] - begin, 0.0)

        knots = len(pieces) + 1
        size = self.scale_jitter * rng.standard_normal((knots, 1)) + self.axis_jitter * rng.standard_normal((knots, 2))
        place = self.center_jitter * rng.standard_normal((knots, 2))
        middle = automaton.cut_points.mean(axis=0)
        warped = middle + np.exp(_interpolate(size)) * (points - middle) + _interpolate(place)
        return np.concatenate([warped[:, :-1].reshape(-1, 2), warped[-1, -1:]])

    def _smooth(self, shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.float64]:
        """Return Gaussian noise of the given shape and variance 1, smooth along the first axis."""
        from scipy.ndimage import gaussian_filter1d  # a quarter of a second, which answers without a trace do not need

        pad = math.ceil(4.0 * self.smooth_steps)
        white = rng.standard_normal((shape[0] + 2 * pad, *shape[1:]))
        impulse = np.zeros(2 * pad + 1)
        impulse[pad] = 1.0
        norm = np.linalg.norm(gaussian_filter1d(impulse, self.smooth_steps, mode="constant"))
        smooth: NDArray[np.float64] = gaussian_filter1d(white, self.smooth_steps, axis=0)[pad : pad + shape[0]] / norm
        return smooth


class AutomatonPattern(Pattern):
    """An automaton drawn by a pen: traces of any length, with the truth about every step.

    All splits come from the same automaton and pen. Only the generators that the caller passes differ.

    Every trace begins with a visit to the start state. A model starts to generate from a zero state, and this is the place
    that it learns to start from.

    Args:
        automaton: What is drawn.
        pen: How it is drawn.

    Raises:
        ValueError: The pen stretches one side of an automaton with `crossing: line`, where lines would miss their end; or
            it draws the shortest curve in fewer than `FEWEST_STEPS_PER_LAP` steps, too few to tell what was drawn.
    """

    def __init__(self, automaton: Automaton, pen: Pen) -> None:
        shortest = min(curve.length for curve in automaton.curves)
        check_speed("dataset.pen.speed", pen.speed, shortest)
        if automaton.crossing:
            is_plain = np.array_equal(pen.side_stretch, [1.0, 1.0])
            require(is_plain, "dataset.pen.side_stretch", "[1, 1] with crossing: line", pen.side_stretch.tolist())
        self.automaton = automaton
        self.pen = pen
        self.names = automaton.names

    @override
    def draw(self, split: Split, n: int, steps: int, rng: np.random.Generator) -> list[Trace]:
        return [self.pen.draw(self.automaton, steps, rng) for _ in range(n)]


def check_speed(key: str, speed: float, shortest: float) -> None:
    """Refuse a speed, a distance per step, at which the shortest lap has fewer than `FEWEST_STEPS_PER_LAP` points."""
    highest = shortest / FEWEST_STEPS_PER_LAP
    expected = f"at most {highest:.3g}: {FEWEST_STEPS_PER_LAP} steps for the shortest lap, which is {shortest:.3g} long"
    require(speed <= highest, key, expected, speed)


def _interpolate(knots: Points) -> Points:
    """Interpolate between neighbouring knots by half a cosine wave: (k + 1, d) -> (k, PIECE_SEGMENTS + 1, d)."""
    weight = 0.5 - 0.5 * np.cos(np.pi * np.linspace(0.0, 1.0, PIECE_SEGMENTS + 1))[:, None]
    return knots[:-1, None] * (1.0 - weight) + knots[1:, None] * weight
