"""Strokes of an SVG drawing (Xournal++, Inkscape, …) as points.

A stroke is what a browser draws with a line: a path, polyline, polygon, line, circle, ellipse or rectangle whose
`stroke` is visible, by its attributes, its `style=` or a simple rule of a style sheet. Filled shapes without a line are
background (Xournal++ writes the white page as the first path). Only in a file without a single visible `stroke` are the
shapes that say nothing of stroke and fill taken as strokes: a bare `<path d=…>` is more likely somebody's line.

Strokes follow each other in document order, which is the order they were drawn in. The file's outermost viewBox is not
applied: points are in its units.

A straight segment gives its two ends, so a pen's recorded points come back as they are. A curved segment (Bézier, arc)
is cut into pieces of equal length, at most 1 % of the drawing's longer side: where the curve's radius is r, a piece of
length s leaves the curve by s²/8r, which is 0.025 % of the side for a radius of 5 % of it.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from vrnn.patterns.files.drawing import MOST_POINTS, Drawing, check_points, read_xml
from vrnn.patterns.files.svg_path import SHAPES, Piece, shape_outline
from vrnn.patterns.files.svg_style import INHERITED, StyleSheet, tag
from vrnn.patterns.files.svg_transform import read_transform, viewport

logger = logging.getLogger(__name__)

Array = NDArray[np.float64]

PIECE = 0.01  # longest piece of a curved segment, as a share of the drawing's longer side
FINE = np.linspace(0.0, 1.0, 129)[:, None]  # parameters at which a curved segment is measured
LARGEST = 1e100  # coordinates whose squares are still finite
MOST_USED = 100_000  # elements drawn by <use>: one within another can stand for any number of shapes

CONTAINERS = ("svg", "g", "a", "switch", "symbol")
NOT_DRAWN = ("text", "image", "foreignObject")  # drawn by a browser, but not with lines that can be read
ANIMATIONS = ("animate", "animateTransform", "animateMotion", "set")
NO_COLOUR = re.compile(r"none|transparent|#[0-9a-f]{3}0|#[0-9a-f]{6}00")
FUNCTION = re.compile(r"(?:rgb|hsl)a?\((.*)\)")
ZERO = re.compile(r"[+-]?0*\.?0+(?:[eE][+-]?\d+)?\s*(?:%|[a-z]*)$", re.IGNORECASE)


class Shape(NamedTuple):
    """A shape that may be a stroke: its outline in the file's units, and whether it has a visible line (None: unsaid)."""

    pieces: list[Piece]
    stroked: bool | None


def read_svg(path: Path) -> Drawing:
    """Return the strokes of an SVG file (.svg, .svgz) as one drawing, in user units, y upwards.

    What a browser would honour and this reader does not is named in one warning.

    Raises:
        ValueError: Not well-formed, entity definitions, an unreadable shape, no stroke at all, or too many points.
    """
    root = read_xml(path, "SVG")
    if tag(root) != "svg":
        raise ValueError(f"{path}: expected an SVG file, got an XML file whose root is <{tag(root)}>")
    document = _Document(path, root)
    shapes = list(document.shapes())
    bare = not any(shape.stroked for shape in shapes)
    pieces = [p for shape in shapes if (shape.stroked or (bare and shape.stroked is None)) for p in shape.pieces]
    if document.ignored:
        logger.warning("%s: read without %s.", path, ", ".join(sorted(document.ignored)))
    if not pieces:
        raise ValueError(
            f"{path}: no strokes found: a stroke is a path, polyline, … with a line style; "
            "filled shapes and text are not strokes"
        )
    return _drawing(path, pieces)


class _Document:
    """An SVG file's elements with their styles."""

    def __init__(self, path: Path, root: Any) -> None:
        self.path, self.root = path, root
        self.ignored: set[str] = set()
        self.parents = {child: parent for parent in root.iter() for child in parent}
        self.by_id = {element.get("id"): element for element in reversed(list(root.iter())) if element.get("id")}
        self.sheet = StyleSheet()
        for element in root.iter():
            if tag(element) == "style":
                self.sheet.add("".join(element.itertext()))
        self.ignored.update(self.sheet.ignored)
        self.size = self._size()

    def _size(self) -> tuple[float, float]:
        """Width and height in user units of what percentages refer to."""
        try:
            box = [float(number) for number in self.root.get("viewBox", "").replace(",", " ").split()]
            if len(box) == 4:
                return box[2], box[3]
            return float(self.root.get("width", "100")), float(self.root.get("height", "100"))
        except ValueError:
            return 100.0, 100.0

    def shapes(self) -> Iterator[Shape]:
        """Yield what may be a stroke in document order."""
        # A stack of our own: a file may nest its groups deeper than Python likes to recurse.
        # Of each element: its matrix, its parent's style, and the <use> elements that led to it.
        stack: list[tuple[Any, Array, dict[str, str], tuple[Any, ...]]] = [(self.root, np.eye(3), {}, ())]
        points = used = 0
        while stack:
            element, matrix, inherited, users = stack.pop()
            used += bool(users)
            if used > MOST_USED:
                raise ValueError(
                    f"{self.path}: expected at most {MOST_USED:,} elements drawn by <use>, but it has more"
                )
            name = tag(element)
            if name in NOT_DRAWN or name in ANIMATIONS:
                self.ignored.add(f"<{name}>")
            if name not in CONTAINERS and name not in SHAPES and name != "use":
                continue
            style = self._style(element, inherited)
            if style.get("display", "").lower() == "none" or ZERO.match(style.get("opacity", "1")):
                continue
            with self._named(element):
                matrix = matrix @ read_transform(style.get("transform", ""))
                if name in ("svg", "symbol") and element is not self.root:
                    matrix = matrix @ viewport(self._viewport(element, users), self.size)
                if name in CONTAINERS:
                    stack.extend((child, matrix, style, users) for child in reversed(self._children(element)))
                elif name == "use":
                    target = self._target(element, users)
                    if target is not None:
                        place = viewport({key: element.get(key, "0") for key in ("x", "y")}, self.size)
                        stack.append((target, matrix @ place, style, (*users, element)))
                else:
                    shape = Shape(_mapped(shape_outline(name, element.attrib), matrix), _is_stroked(style))
                    points += sum(len(piece.points) for piece in shape.pieces)
                    check_points(self.path, points)
                    yield shape

    def _named(self, element: Any) -> _Naming:
        return _Naming(f"{self.path}: <{tag(element)} id={element.get('id')!r}>")

    def _style(self, element: Any, inherited: dict[str, str]) -> dict[str, str]:
        """Return an element's style: its own declarations over what it inherits."""
        own = self.sheet.properties(self._ancestry(element)) if self.sheet.rules else self.sheet.properties([element])
        style = {name: inherited[name] for name in INHERITED if name in inherited}
        for name, value in own.items():
            if value.lower() == "inherit":
                style.pop(name, None)
                if name in inherited:
                    style[name] = inherited[name]
            elif value.lower() in ("initial", "revert"):
                style.pop(name, None)
            elif value.lower() != "unset":
                style[name] = value
        for name in ("clip-path", "mask", "stroke-dasharray"):
            if style.get(name, "none").lower() not in ("none", "0"):
                self.ignored.add(name)
        if "transform-origin" in style and style.get("transform", "none") != "none":
            self.ignored.add("transform-origin")
        if "var(" in "".join(own.values()):
            self.ignored.add("var(…)")
        return style

    def _ancestry(self, element: Any) -> list[Any]:
        ancestry = [element]
        while (parent := self.parents.get(ancestry[-1])) is not None:
            ancestry.append(parent)
        return ancestry[::-1]

    def _children(self, element: Any) -> list[Any]:
        """Return the children that are drawn: of a <switch> the first that can be; a <symbol> is drawn by <use> alone."""
        if tag(element) == "switch":
            drawn = (c for c in element if tag(c) in (*CONTAINERS, *SHAPES, "use") and not c.get("requiredExtensions"))
            return [child for child in drawn][:1]
        return [child for child in element if tag(child) != "symbol"]

    def _viewport(self, element: Any, users: tuple[Any, ...]) -> dict[str, str]:
        """Return the attributes of a nested <svg> or <symbol>; the <use> that draws it may give another size."""
        attributes = {key: value for key, value in element.attrib.items() if key != "transform"}
        if users and self._reference(users[-1]) == element.get("id"):
            attributes |= {key: users[-1].get(key) for key in ("width", "height") if users[-1].get(key)}
        return attributes

    def _reference(self, use: Any) -> str:
        href = next((value for key, value in use.attrib.items() if key.rpartition("}")[2] == "href"), "")
        return href.removeprefix("#") if href.startswith("#") else ""

    def _target(self, use: Any, users: tuple[Any, ...]) -> Any:
        """Return the element that a <use> draws; None if it lies in another file, is missing, or is drawn by itself."""
        target = self.by_id.get(self._reference(use))
        if target is None or use in users or target in self._ancestry(use):
            self.ignored.add("a <use> without an element of this file to draw")
            return None
        return target


class _Naming:
    """Names the element in an error of its data."""

    def __init__(self, what: str) -> None:
        self.what = what

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if isinstance(error, ValueError | OverflowError) and not str(error).startswith(self.what.partition(": <")[0]):
            raise ValueError(f"{self.what} has unreadable data: {error}") from error


def _is_stroked(style: dict[str, str]) -> bool | None:
    """Return whether a shape is drawn with a visible line; None if it says nothing of line and fill."""
    if "stroke" not in style:
        return False if "fill" in style else None
    if _is_transparent(style["stroke"].lower()):
        return False
    if style.get("visibility", "visible").lower() in ("hidden", "collapse"):
        return False
    return not any(ZERO.match(style.get(name, "1")) for name in ("stroke-width", "stroke-opacity"))


def _is_transparent(colour: str) -> bool:
    """Return whether a colour draws nothing; the fourth number of rgb(…) and hsl(…) is its opacity."""
    function = FUNCTION.fullmatch(colour)
    if function is None:
        return NO_COLOUR.fullmatch(colour) is not None
    numbers = re.split(r"[\s,/]+", function[1].strip())
    return len(numbers) == 4 and ZERO.match(numbers[3]) is not None


def _mapped(pieces: list[Piece], matrix: Array) -> list[Piece]:
    """Return an outline in user units."""
    with np.errstate(all="ignore"):
        mapped = [Piece(p.points @ matrix[:2, :2].T + matrix[:2, 2], p.curved) for p in pieces]
    if not all((np.abs(piece.points) < LARGEST).all() for piece in mapped):
        raise ValueError(f"coordinates that are not finite or beyond {LARGEST:g}")
    return mapped


def _drawing(path: Path, pieces: list[Piece]) -> Drawing:
    """Chain pieces to strokes: the pen is lifted where a piece does not begin where the one before it ends."""
    low = np.min([piece.points.min(axis=0) for piece in pieces], axis=0)
    size = float((np.max([piece.points.max(axis=0) for piece in pieces], axis=0) - low).max())
    strokes: list[list[Array]] = []
    count, end = 0, None
    for piece in pieces:
        points = _thinned(piece.points, PIECE * size, MOST_POINTS - count) if piece.curved else piece.points
        if end is not None and np.array_equal(points[0], end):
            strokes[-1].append(points[1:])
        else:
            strokes.append([points])
        end = points[-1]
        count += len(points)
        check_points(path, count)
    return Drawing.of_strokes([np.concatenate(stroke) * [1.0, -1.0] for stroke in strokes])  # SVG's y axis points down


def _thinned(controls: Array, longest: float, most: int) -> Array:
    """Cut a Bézier curve (4, 2) into pieces of equal length, none longer than `longest`, at most `most`."""
    a, b, c, d = controls
    rest = 1.0 - FINE
    curve = rest**3 * a + 3 * rest**2 * FINE * b + 3 * rest * FINE**2 * c + FINE**3 * d
    along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(curve, axis=0).T))])
    pieces = int(min(np.ceil(along[-1] / longest), most)) if along[-1] > 0 else 1
    at = np.linspace(0.0, along[-1], pieces + 1)
    cut = np.stack([np.interp(at, along, curve[:, i]) for i in (0, 1)], axis=1)
    cut[0], cut[-1] = a, d
    return cut
