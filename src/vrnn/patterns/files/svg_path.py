"""The geometry of SVG shapes: path data and basic shapes become straight runs and cubic Bézier curves."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

SHAPES = ("path", "polyline", "polygon", "line", "rect", "circle", "ellipse")
UNITS = {"": 1.0, "px": 1.0, "in": 96.0, "cm": 96 / 2.54, "mm": 96 / 25.4, "q": 96 / 101.6, "pt": 96 / 72, "pc": 16.0}
LENGTH = re.compile(r"\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*(%|[A-Za-z]*)\s*$")
NUMBER = re.compile(r"[\s,]*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)")
FLAG = re.compile(r"[\s,]*([01])")
COMMAND = re.compile(r"[\s,]*([MmLlHhVvCcSsQqTtAaZz])")
ARGUMENTS = {"M": 2, "L": 2, "H": 1, "V": 1, "C": 6, "S": 4, "Q": 4, "T": 2, "A": 7, "Z": 0}


class Piece(NamedTuple):
    """A part of an outline. Affine maps of `points` give the mapped part.

    Attributes:
        points: (n, 2) vertices of a straight run, or the (4, 2) control points of a cubic Bézier curve.
        curved: Whether it is a curve.
    """

    points: Array
    curved: bool


def length(text: str, what: str) -> float:
    """Return a length in user units; 96 of them are an inch.

    Raises:
        ValueError: It is no number with a unit of absolute length.
    """
    match = LENGTH.match(text)
    if match is None or match[2].lower() not in UNITS:
        raise ValueError(f"{what} must be a number or a length in px, pt, pc, mm, cm or in, but is {text!r}")
    return float(match[1]) * UNITS[match[2].lower()]


def shape_outline(tag: str, attributes: Mapping[str, str]) -> list[Piece]:
    """Return the outline of one of `SHAPES`, in the order in which it is drawn.

    Raises:
        ValueError: Its data cannot be read.
    """
    if tag == "path":
        return read_path(attributes.get("d", ""))
    if tag in ("polyline", "polygon"):
        return _polyline(attributes.get("points", ""), closed=tag == "polygon")

    def size(name: str, default: float = 0.0) -> float:
        return length(attributes[name], name) if attributes.get(name, "auto").strip() != "auto" else default

    if tag == "line":
        ends = [[size("x1"), size("y1")], [size("x2"), size("y2")]]
        return [Piece(np.array(ends), False)]
    if tag == "rect":
        rx = size("rx", size("ry"))
        return _rectangle(size("x"), size("y"), size("width"), size("height"), rx, size("ry", rx))
    radius = size("r") if tag == "circle" else None
    rx = size("rx", size("ry")) if radius is None else radius
    ry = size("ry", rx) if radius is None else radius
    return _ellipse(size("cx"), size("cy"), rx, ry)


def _polyline(text: str, closed: bool) -> list[Piece]:
    numbers = []
    position = 0
    while match := NUMBER.match(text, position):
        numbers.append(float(match[1]))
        position = match.end()
    if text[position:].strip(" \t\r\n,"):
        raise ValueError(f"points must be numbers, but hold {text[position : position + 20]!r}")
    if len(numbers) % 2:
        raise ValueError(f"points must be pairs of numbers, but hold {len(numbers)} numbers")
    points = np.array(numbers).reshape(-1, 2)
    if closed and len(points):
        points = np.concatenate([points, points[:1]])
    return [Piece(points, False)] if len(points) > 1 else []


def _ellipse(cx: float, cy: float, rx: float, ry: float) -> list[Piece]:
    if rx <= 0 or ry <= 0:
        return []
    return [Piece(curve * [rx, ry] + [cx, cy], True) for curve in _unit_arc(0.0, 2 * math.pi)]


def _rectangle(x: float, y: float, width: float, height: float, rx: float, ry: float) -> list[Piece]:
    if width <= 0 or height <= 0:
        return []
    rx, ry = min(rx, width / 2), min(ry, height / 2)
    if rx <= 0 or ry <= 0:
        corners = [[x, y], [x + width, y], [x + width, y + height], [x, y + height], [x, y]]
        return [Piece(np.array(corners), False)]
    right, bottom = x + width - rx, y + height - ry
    sides = [[x + rx, y, right, y], [x + width, y + ry, x + width, bottom], [right, y + height, x + rx, y + height]]
    sides.append([x, bottom, x, y + ry])
    centres = [[right, y + ry], [right, bottom], [x + rx, bottom], [x + rx, y + ry]]
    pieces = []
    for i, (side, centre) in enumerate(zip(sides, centres, strict=True)):
        start = (i - 1) * math.pi / 2
        pieces.append(Piece(np.array(side).reshape(2, 2), False))
        pieces += [Piece(curve * [rx, ry] + centre, True) for curve in _unit_arc(start, start + math.pi / 2)]
    return pieces


def _unit_arc(start: float, end: float) -> list[Array]:
    """Return Bézier curves (4, 2) along the unit circle, each an eighth of it or less: 4e-6 off at most."""
    count = max(1, math.ceil(abs(end - start) / (math.pi / 4) - 1e-9))
    step = (end - start) / count
    handle = 4 / 3 * math.tan(step / 4)
    curves = []
    for i in range(count):
        a, b = start + i * step, start + (i + 1) * step
        first, last = np.array([math.cos(a), math.sin(a)]), np.array([math.cos(b), math.sin(b)])
        turned = [first + handle * first[::-1] * [-1, 1], last - handle * last[::-1] * [-1, 1]]
        curves.append(np.stack([first, *turned, last]))
    return curves


def read_path(data: str) -> list[Piece]:
    """Return what path data draw; the segments between two lifts of the pen share their ends.

    A move alone draws nothing. An arc that ends where it begins is left out, and one without a radius is a line
    (SVG 2, section 9.5.1).

    Raises:
        ValueError: The data are no path: where, and what is there.
    """
    pen = _PathPen()
    position, command = 0, ""
    while data[position:].strip(" \t\r\n,"):
        match = COMMAND.match(data, position)
        if match:
            command, position = match[1], match.end()
        elif command in ("", "z", "Z"):
            raise ValueError(f"path data must continue with a command, but hold {data[position : position + 20]!r}")
        if not pen.pieces and not pen.run and not pen.moved and command not in "Mm":
            raise ValueError(f"path data must begin with a move (M), but begin with {command!r}")
        numbers = []
        for i in range(ARGUMENTS[command.upper()]):
            number = (FLAG if command in "Aa" and i in (3, 4) else NUMBER).match(data, position)
            if number is None:
                raise ValueError(f"command {command} of the path lacks a number at {data[position : position + 20]!r}")
            numbers.append(float(number[1]))
            position = number.end()
        pen.draw(command, numbers)
        if command in "Mm":  # further pairs after a move are lines
            command = "L" if command == "M" else "l"
    pen.end_run()
    return pen.pieces


class _PathPen:
    """Where the pen of path data is, and what it has drawn."""

    def __init__(self) -> None:
        self.pieces: list[Piece] = []
        self.run: list[tuple[float, float]] = []
        self.at = self.begin = (0.0, 0.0)
        self.handle: tuple[float, float] | None = None  # of the last curve, for S and T
        self.last = ""
        self.moved = False

    def end_run(self) -> None:
        if len(self.run) > 1:
            self.pieces.append(Piece(np.array(self.run), False))
        self.run = []

    def line_to(self, end: tuple[float, float]) -> None:
        if not self.run:
            self.run = [self.at]
        self.run.append(end)
        self.at = end

    def curve_to(self, first: tuple[float, float], second: tuple[float, float], end: tuple[float, float]) -> None:
        self.end_run()
        self.pieces.append(Piece(np.array([self.at, first, second, end]), True))
        self.at = end

    def draw(self, command: str, numbers: list[float]) -> None:
        """Carry out one command with its numbers."""
        kind = command.upper()
        x, y = self.at
        dx, dy = (x, y) if command.islower() else (0.0, 0.0)
        pairs = [(a + dx, b + dy) for a, b in zip(numbers[::2], numbers[1::2], strict=False)]
        mirrored = (2 * x - self.handle[0], 2 * y - self.handle[1]) if self.handle else self.at
        self.handle, handle = None, mirrored
        if kind == "M":
            self.end_run()
            self.at = self.begin = pairs[0]
            self.moved = True
        elif kind == "Z":
            if self.at != self.begin:
                self.line_to(self.begin)
        elif kind in "LHV":
            self.line_to(pairs[0] if kind == "L" else (numbers[0] + dx, y) if kind == "H" else (x, numbers[0] + dy))
        elif kind in "CS":
            first = pairs[0] if kind == "C" else (handle if self.last in "CS" and self.last else self.at)
            self.handle = pairs[-2]
            self.curve_to(first, *pairs[-2:])
        elif kind in "QT":
            control = pairs[0] if kind == "Q" else (handle if self.last in "QT" and self.last else self.at)
            self.handle, end = control, pairs[-1]
            # A quadratic curve is the cubic one whose handles are two thirds of the way to its control point.
            self.curve_to(_between(self.at, control, 2 / 3), _between(end, control, 2 / 3), end)
        else:
            self.arc_to(numbers, (numbers[5] + dx, numbers[6] + dy))
        self.last = kind

    def arc_to(self, numbers: list[float], end: tuple[float, float]) -> None:
        """Draw an elliptical arc (SVG 2, appendix B.2.4: from end points to centre)."""
        rx, ry, tilt = abs(numbers[0]), abs(numbers[1]), math.radians(numbers[2])
        large, sweep = bool(numbers[3]), bool(numbers[4])
        if end == self.at:
            return
        if rx == 0 or ry == 0:
            self.line_to(end)
            return
        cos, sin = math.cos(tilt), math.sin(tilt)
        turn = np.array([[cos, -sin], [sin, cos]])
        start, stop = np.array(self.at), np.array(end)
        half = turn.T @ (start - stop) / 2 / [rx, ry]
        square = float(half @ half)
        if square > 1:  # radii too small to reach: grown until they do
            rx, ry, half, square = rx * math.sqrt(square), ry * math.sqrt(square), half / math.sqrt(square), 1.0
        side = math.sqrt(max(0.0, 1 / square - 1)) * (1 if large != sweep else -1)
        centre = side * np.array([half[1], -half[0]])
        first, last = half - centre, -half - centre
        begin, finish = math.atan2(first[1], first[0]), math.atan2(last[1], last[0])
        span = (finish - begin) % (2 * math.pi) - (0 if sweep else 2 * math.pi)
        middle = turn @ (centre * [rx, ry]) + (start + stop) / 2
        curves = [(curve * [rx, ry]) @ turn.T + middle for curve in _unit_arc(begin, begin + span)]
        curves[-1][-1] = stop
        for curve in curves:
            first, second, last = ((float(x), float(y)) for x, y in curve[1:])
            self.curve_to(first, second, last)


def _between(start: tuple[float, float], end: tuple[float, float], share: float) -> tuple[float, float]:
    return start[0] + share * (end[0] - start[0]), start[1] + share * (end[1] - start[1])
