"""Transforms of SVG and CSS as matrices (3, 3)."""

from __future__ import annotations

import math
import re

import numpy as np
from numpy.typing import NDArray

from vrnn.patterns.files.svg_path import length

Array = NDArray[np.float64]

FUNCTION = re.compile(r"[\s,]*([A-Za-z0-9]+)\s*\(([^()]*)\)")
ANGLES = {"": 1.0, "deg": 1.0, "rad": 180 / math.pi, "grad": 0.9, "turn": 360.0}
ANGLE = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)(deg|rad|grad|turn)?$")


def read_transform(text: str) -> Array:
    """Return the matrix (3, 3) of a list of transforms, as in "translate(10, 20) rotate(45)"; "none" is the unit matrix.

    Raises:
        ValueError: It is no such list, or one of its functions is not of the plane.
    """
    matrix = np.eye(3)
    if text.strip() in ("", "none"):
        return matrix
    position = 0
    while match := FUNCTION.match(text, position):
        matrix = matrix @ _function(match[1], match[2].replace(",", " ").split())
        position = match.end()
    if text[position:].strip() or position == 0:
        raise ValueError(f"Invalid SVG transform {text.strip()[:60]!r}: expected functions as in translate(10, 20)")
    return matrix


def viewport(attributes: dict[str, str], size: tuple[float, float]) -> Array:
    """Return the matrix (3, 3) of a nested <svg> or <symbol>: its place and its viewBox.

    Args:
        attributes: x, y, width, height, viewBox and preserveAspectRatio, each where it is given.
        size: Width and height that "100%" and a missing width and height stand for.

    Raises:
        ValueError: One of them is no length, or the viewBox is not four numbers.
    """

    def resolved(name: str, whole: float, default: str) -> float:
        text = attributes.get(name, default).strip()
        return float(text[:-1]) / 100 * whole if text.endswith("%") else length(text, name)

    place = _translation(resolved("x", size[0], "0"), resolved("y", size[1], "0"))
    if "viewBox" not in attributes:
        return place
    box = [float(number) for number in attributes["viewBox"].replace(",", " ").split()]
    if len(box) != 4 or box[2] <= 0 or box[3] <= 0:
        raise ValueError(f"viewBox must be four numbers, the last two above 0, but is {attributes['viewBox']!r}")
    width, height = resolved("width", size[0], "100%"), resolved("height", size[1], "100%")
    ratios = np.array([width / box[2], height / box[3]])
    align, _, meet = attributes.get("preserveAspectRatio", "xMidYMid meet").strip().partition(" ")
    if align != "none":
        ratios[:] = ratios.max() if meet.strip() == "slice" else ratios.min()
    share = {"Min": 0.0, "Mid": 0.5, "Max": 1.0}
    shares = [share.get(align[1:4], 0.0), share.get(align[5:8], 0.0)]
    spare = (np.array([width, height]) - ratios * box[2:]) * shares
    return place @ _translation(*spare) @ np.diag([*ratios, 1.0]) @ _translation(-box[0], -box[1])


def _translation(x: float, y: float) -> Array:
    matrix = np.eye(3)
    matrix[:2, 2] = x, y
    return matrix


def _function(name: str, arguments: list[str]) -> Array:
    """Return the matrix of one function."""
    kind = name.lower()
    try:
        if kind == "matrix":
            a, b, c, d, e, f = map(float, arguments)
            return np.array([[a, c, e], [b, d, f], [0.0, 0.0, 1.0]])
        if kind in ("translate", "translatex", "translatey"):
            moved = [length(argument, name) for argument in arguments]
            x, y = (moved[0], 0.0) if len(moved) == 1 else moved
            return _translation(*((0.0, x) if kind == "translatey" else (x, y)))
        if kind in ("scale", "scalex", "scaley"):
            factors = [float(argument) for argument in arguments]
            x, y = factors * 2 if len(factors) == 1 else factors
            return np.diag([1.0 if kind == "scaley" else x, 1.0 if kind == "scalex" else y, 1.0])
        if kind == "rotate":
            centre = (
                _translation(*(length(argument, name) for argument in arguments[1:])) if arguments[1:] else np.eye(3)
            )
            cos, sin = math.cos(angle := _radians(arguments[0])), math.sin(angle)
            turn = np.array([[cos, -sin, 0.0], [sin, cos, 0.0], [0.0, 0.0, 1.0]])
            return centre @ turn @ np.linalg.inv(centre)
        if kind in ("skewx", "skewy", "skew"):
            angles = [math.tan(_radians(argument)) for argument in arguments]
            x, y = (0.0, angles[0]) if kind == "skewy" else (angles[0], angles[1] if len(angles) > 1 else 0.0)
            return np.array([[1.0, x, 0.0], [y, 1.0, 0.0], [0.0, 0.0, 1.0]])
    except (ValueError, TypeError, IndexError) as error:
        raise ValueError(f"Invalid SVG transform {name}({' '.join(arguments)}): {error}") from error
    raise ValueError(f"Invalid SVG transform {name}(…): it is none of matrix, translate, scale, rotate and skew")


def _radians(text: str) -> float:
    match = ANGLE.match(text)
    if match is None:
        raise ValueError(f"{text!r} is no angle")
    return math.radians(float(match[1]) * ANGLES[match[2] or ""])
