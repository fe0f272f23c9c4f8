"""Strokes of an SVG drawing (Xournal++, Inkscape, …) as points.

What counts as a stroke: every path, polyline, polygon, line, circle, ellipse and rectangle that is drawn with a line.
Filled shapes without a line are background (Xournal++ writes the white page as the first path), and so is whatever is
hidden or only defined. Strokes follow each other in document order, which is the order they were drawn in, and are
joined: a lifted pen becomes a straight jump.

A straight segment gives its two ends, so a pen's recorded points come back as they are. A curved segment (Bézier, arc)
is cut into pieces of equal length, at most 1 % of the drawing's longer side: where the curve's radius is r, a piece of
length s leaves the curve by s²/8r, which is 0.025 % of the side for a radius of 5 % of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from defusedxml import DefusedXmlException
from defusedxml import ElementTree as SafeTree
from numpy.typing import NDArray
from svgpathtools import Line, parse_path
from svgpathtools.document import CONVERSIONS
from svgpathtools.parser import parse_transform

Points = NDArray[np.float64]

PIECE = 0.01  # longest piece of a curved segment, as a share of the drawing's longer side
FINE = np.linspace(0.0, 1.0, 129)  # parameters at which a curved segment is measured
LARGEST = 1e100  # coordinates whose squares are still finite

CONTAINERS = {"svg", "g", "a", "switch"}


def read_svg(path: Path) -> Points:
    """Return the strokes of an SVG file, joined in document order: (T, 2), in user units, y upwards.

    Raises:
        ValueError: not well-formed, entity definitions (a file of a few lines could fill the memory with them), an
            unreadable shape, or no stroke at all.
    """
    try:
        root = SafeTree.parse(path).getroot()
    except DefusedXmlException as error:
        cure = "export the drawing as plain SVG"
        raise ValueError(f"{path}: refused, because it defines or references XML entities ({error}): {cure}") from error
    except (SafeTree.ParseError, ValueError, LookupError) as error:
        raise ValueError(f"{path}: not a well-formed SVG file: {error}") from error
    if _tag(root) != "svg":
        raise ValueError(f"{path}: expected an SVG file, got an XML file whose root is <{_tag(root)}>")

    segments = [s for shape, matrix in _shapes(path, root) for s in _segments(path, shape, matrix)]
    if not segments:
        raise ValueError(
            f"{path}: no strokes found: a stroke is a path, polyline, … with a line style; "
            "filled shapes and text are not strokes"
        )
    size = np.ptp(np.concatenate(segments), axis=0).max()
    points = _joined([segment if len(segment) == 2 else _thinned(segment, PIECE * size) for segment in segments])
    return points * [1.0, -1.0]  # SVG's y axis points down


def _tag(element: Any) -> str:
    """Return an element's name without its namespace ('' for comments, whose tag is not text)."""
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""


def _shapes(path: Path, root: Any) -> Iterator[tuple[Any, Points]]:
    """Yield the stroked shapes in document order, each with its transform to user units (3, 3)."""
    # A stack of our own: a file may nest its groups deeper than Python likes to recurse.
    stack: list[tuple[Any, Points, dict[str, str]]] = [(root, np.eye(3), {})]
    while stack:
        element, matrix, style = stack.pop()
        own = {key: element.get(key) for key in ("stroke", "fill", "display") if element.get(key)}
        declarations = (part.partition(":") for part in element.get("style", "").split(";"))
        own |= {key.strip(): value.strip() for key, _, value in declarations if value}
        if own.get("display") == "none":
            continue
        style = style | own
        try:
            matrix = matrix @ parse_transform(element.get("transform"), strict=True)
        except ValueError as error:
            raise ValueError(f"{path}: <{_tag(element)} id={element.get('id')!r}>: {error}") from error
        if _tag(element) in CONTAINERS:
            stack.extend((child, matrix, style) for child in reversed(element))
        elif _tag(element) in CONVERSIONS and _is_stroked(style):
            yield element, matrix


def _is_stroked(style: dict[str, str]) -> bool:
    """Tell whether a shape is drawn with a line.

    By the standard a shape that says nothing is filled black, yet a bare path (or one styled by a class) is more
    likely somebody's stroke: only a fill without a stroke, or `stroke: none`, makes it background.
    """
    return style.get("stroke", style.get("fill", "none") == "none") not in ("none", False)


def _segments(path: Path, shape: Any, matrix: Points) -> list[Points]:
    """Return a shape's segments in user units: (2, 2) for a straight one, (129, 2) for a curved one."""
    what = f"{path}: <{_tag(shape)} id={shape.get('id')!r}>"
    try:
        parsed = parse_path(CONVERSIONS[_tag(shape)](shape))
        lines = [np.array([s.start, s.end] if isinstance(s, Line) else [s.point(t) for t in FINE]) for s in parsed]
        planes = [np.stack([z.real, z.imag, np.ones(len(z))], axis=1) for z in lines]
    except Exception as error:  # the library fails in many ways on bad data: assertions, None in sums, warnings
        raise ValueError(f"{what} has unreadable data ({type(error).__name__}: {error})") from error
    with np.errstate(all="ignore"):
        segments = [plane @ matrix[:2].T for plane in planes]
    if not all((np.abs(segment) < LARGEST).all() for segment in segments):
        raise ValueError(f"{what} has coordinates that are not finite or beyond {LARGEST:g}")
    return segments


def _thinned(curve: Points, longest: float) -> Points:
    """Replace a finely measured curve by pieces of equal length, none longer than `longest`."""
    along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(curve, axis=0).T))])
    pieces = int(np.ceil(along[-1] / longest)) if along[-1] > 0 else 1
    at = np.linspace(0.0, along[-1], pieces + 1)
    return np.stack([np.interp(at, along, curve[:, i]) for i in (0, 1)], axis=1)


def _joined(segments: list[Points]) -> Points:
    """Chain segments, dropping a start that repeats the end before it."""
    parts = [segments[0]]
    for segment in segments[1:]:
        parts.append(segment[1:] if np.array_equal(segment[0], parts[-1][-1]) else segment)
    return np.concatenate(parts)
