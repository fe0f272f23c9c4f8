"""The hand that draws an automaton: nearly constant speed, laps that differ a little, a tremor."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import islice

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from vrnn.checks import Points, pair, positive, within
from vrnn.patterns.automaton import PIECE_SEGMENTS, Automaton
from vrnn.patterns.trace import Pattern, Split, Trace


class Pen:
    """Draws the laps of an automaton at a nearly constant distance a step.

    At every lap boundary the hand takes a new size and a new place and drifts there during the lap, so nothing jumps at
    the junction. Sizes are relative to the middle of the cut points (with one junction: the junction itself).

    speed: distance a step.
    speed_jitter: standard deviation of the speed, relative; varies smoothly.
    scale_jitter: standard deviation of the size, relative, new for every lap.
    axis_jitter: the same for width and height each on its own, on top.
    center_jitter: standard deviation of the place, in units of the drawing, new for every lap.
    smooth_noise: standard deviation of a smooth tremor, in units of the drawing.
    smooth_steps: how many steps speed and tremor stay alike (the width of the Gaussian that smooths them).
    white_noise: standard deviation of the noise that is new at every step, in units of the drawing.
    side_stretch: [low, high], for every lap what lies to the right of its start is stretched by a factor drawn
        uniformly from there; [1, 1] leaves it alone.

    Raises:
        ValueError: a number out of its range (speed, smooth_steps > 0; jitters in [0, 0.3]; noises >= 0;
            0 < low <= high).
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
        self.speed = positive("pen.speed", speed)
        self.speed_jitter = within("pen.speed_jitter", speed_jitter, 0.3)
        self.scale_jitter = within("pen.scale_jitter", scale_jitter, 0.3)
        self.axis_jitter = within("pen.axis_jitter", axis_jitter, 0.3)
        self.center_jitter = within("pen.center_jitter", center_jitter)
        self.smooth_noise = within("pen.smooth_noise", smooth_noise)
        self.smooth_steps = positive("pen.smooth_steps", smooth_steps)
        self.white_noise = within("pen.white_noise", white_noise)
        self.side_stretch = pair("pen.side_stretch", side_stretch, above_zero=True)
        if self.side_stretch[0] > self.side_stretch[1]:
            raise ValueError(f"pen.side_stretch: expected [low, high] with low <= high, got {list(side_stretch)}")

    def draw(self, automaton: Automaton, steps: int, rng: np.random.Generator) -> Trace:
        """Return one trace of exactly `steps` points, beginning at the start of a visit to the start state.

        `Trace.lap` counts pieces (see `Piece`): a crossing piece is a lap of its own.

        Raises:
            ValueError: steps < 1.
        """
        if steps < 1:
            raise ValueError(f"steps: expected 1 or more, got {steps}")
        pace = np.exp(self.speed_jitter * self._smooth((steps - 1,), rng) - 0.5 * self.speed_jitter**2)
        walked = np.concatenate([[0.0], np.cumsum(self.speed * pace)])
        pieces, ink = self._ink(automaton, walked[-1], rng)
        arc = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(ink, axis=0), axis=1))])
        points = np.stack([np.interp(walked, arc, ink[:, axis]) for axis in (0, 1)], axis=1)
        points += self.smooth_noise * self._smooth((steps, 2), rng)
        points += self.white_noise * rng.standard_normal((steps, 2))
        lap = np.searchsorted(arc[::PIECE_SEGMENTS], walked, side="right") - 1
        states = np.array([automaton.pieces[p].state for p in pieces])
        return Trace(points, states[lap], lap.astype(np.int64))

    def _ink(self, automaton: Automaton, needed: float, rng: np.random.Generator) -> tuple[list[int], Points]:
        """Return the pieces drawn and the line they leave, without tremor, longer than `needed`."""
        walk = automaton.piece_walk(rng)
        pieces: list[int] = []
        shrink = min(1.0, float(self.side_stretch[0]))
        while True:
            # Jittered laps may be shorter than the automaton's: lay out a third more, and again if that was too little.
            laid = sum(automaton.pieces[p].length for p in pieces)
            target = laid + 1.3 * needed / shrink
            while laid <= target:
                pieces.extend(islice(walk, 1))
                laid += automaton.pieces[pieces[-1]].length
            ink = self._warp(automaton, pieces, rng)
            if np.linalg.norm(np.diff(ink, axis=0), axis=1).sum() > needed:
                return pieces, ink

    def _warp(self, automaton: Automaton, pieces: list[int], rng: np.random.Generator) -> Points:
        """Return the pieces' line (len(pieces) * PIECE_SEGMENTS + 1, 2), each lap with its own size, place and side."""
        points = np.stack([piece.points for piece in automaton.pieces])[pieces]
        begin = points[:, :1, 0]
        low, high = self.side_stretch
        factors = rng.uniform(low, high, size=(len(pieces), 1))
        points[..., 0] += (factors - 1.0) * np.maximum(points[..., 0] - begin, 0.0)

        knots = len(pieces) + 1
        size = self.scale_jitter * rng.standard_normal((knots, 1)) + self.axis_jitter * rng.standard_normal((knots, 2))
        place = self.center_jitter * rng.standard_normal((knots, 2))
        middle = automaton.cut_points.mean(axis=0)
        warped = middle + np.exp(_drift(size)) * (points - middle) + _drift(place)
        return np.concatenate([warped[:, :-1].reshape(-1, 2), warped[-1, -1:]])

    def _smooth(self, shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.float64]:
        """Return Gaussian noise of variance 1, smooth along the first axis."""
        pad = math.ceil(4.0 * self.smooth_steps)
        white = rng.standard_normal((shape[0] + 2 * pad, *shape[1:]))
        impulse = np.zeros(2 * pad + 1)
        impulse[pad] = 1.0
        norm = np.linalg.norm(gaussian_filter1d(impulse, self.smooth_steps, mode="constant"))
        smooth: NDArray[np.float64] = gaussian_filter1d(white, self.smooth_steps, axis=0)[pad : pad + shape[0]] / norm
        return smooth


class AutomatonPattern(Pattern):
    """An automaton drawn by a hand: traces without end, with their truth.

    Raises:
        ValueError: the hand stretches one side of an automaton with crossing: line (the line would miss).
    """

    def __init__(self, automaton: Automaton, pen: Pen) -> None:
        if automaton.crossing and not np.array_equal(pen.side_stretch, [1.0, 1.0]):
            raise ValueError("pen.side_stretch: expected [1, 1] with crossing: line")
        self.automaton = automaton
        self.pen = pen
        self.names = automaton.names

    def draw(self, split: Split, n: int, steps: int, rng: np.random.Generator) -> list[Trace]:
        """Return n traces of `steps` points; the truth is the same in every split, only the caller's seeds differ.

        Every trace begins at the start of a visit to the start state: generation starts from a zero state, and that is
        the place a model has then learned to start from.
        """
        return [self.pen.draw(self.automaton, steps, rng) for _ in range(n)]


def _drift(knots: Points) -> Points:
    """Go smoothly from each knot to the next: (k + 1, d) -> (k, PIECE_SEGMENTS + 1, d)."""
    weight = 0.5 - 0.5 * np.cos(np.pi * np.linspace(0.0, 1.0, PIECE_SEGMENTS + 1))[:, None]
    return knots[:-1, None] * (1.0 - weight) + knots[1:, None] * weight
