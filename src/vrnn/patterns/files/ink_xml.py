"""Digital ink in XML: InkML (W3C, 2011) and Xournal++'s own files."""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vrnn.patterns.files.drawing import Drawing, check_points, read_xml
from vrnn.patterns.files.svg_style import tag

logger = logging.getLogger(__name__)

Array = NDArray[np.float64]

INKML_VALUE = re.compile(r"""\s*(['"!]?)\s*(-?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|#[0-9A-Fa-f]+|[*?TF])\s*""")
ID = "{http://www.w3.org/XML/1998/namespace}id"
XML = '<?xml version="1.0" encoding="UTF-8"?>'


def read_xopp(path: Path) -> dict[str, Drawing]:
    """Return the pen's strokes in a Xournal++ file (.xopp, .xoj), a drawing per page that has any.

    Strokes of the highlighter and the eraser, text and images are left out. The width of a stroke, by which Xournal++
    keeps the pen's pressure, is not read.

    Raises:
        ValueError: Damaged, another kind of XML, or a stroke that is no list of pairs (the message names page and stroke).
    """
    root = read_xml(path, "Xournal++")
    if tag(root) != "xournal":
        raise ValueError(f"{path}: expected a Xournal++ file, got an XML file whose root is <{tag(root)}>")
    drawings, points = {}, 0
    for number, page in enumerate(root.iterfind("page"), start=1):
        strokes = []
        for i, stroke in enumerate(page.iterfind("layer/stroke"), start=1):
            if stroke.get("tool", "pen") != "pen":
                continue
            try:
                numbers = np.array((stroke.text or "").split(), dtype=np.float64).reshape(-1, 2)
            except ValueError as error:
                raise ValueError(
                    f"{path}: page {number}, stroke {i} (counted from 1) must be pairs of numbers x y ({error})"
                ) from error
            if len(numbers):
                strokes.append(numbers * [1.0, -1.0])
            points += len(numbers)
            check_points(path, points)
        if strokes:
            drawings[f"{path}[page {number}]"] = Drawing.of_strokes(strokes)
    return drawings


def read_inkml(path: Path) -> dict[str, Drawing]:
    """Return the traces of an InkML file as one drawing; with a channel T their times are known.

    Values may be written as differences (' and "), and repeated (*), as the standard allows. Traces of a pen that is up are
    left out.

    Raises:
        ValueError: Damaged, another kind of XML, no channels X and Y, or a trace that cannot be read.
    """
    root = read_xml(path, "InkML")
    if tag(root) != "ink":
        raise ValueError(f"{path}: expected an InkML file, got an XML file whose root is <{tag(root)}>")
    channels_of = _Channels(path, root)
    strokes, times, points = [], [], 0
    for i, trace in enumerate((e for e in root.iter() if tag(e) == "trace"), start=1):
        if trace.get("type", "penDown") != "penDown":
            continue
        what = f"{path}: trace {i} (counted from 1)"
        channels = channels_of(what, trace)
        values = _inkml_values(what, trace.text or "", len(channels))
        if not len(values):
            continue
        strokes.append(values[:, [channels.index("X"), channels.index("Y")]] * [1.0, -1.0])
        if "T" in channels:
            times.append(values[:, channels.index("T")])
        points += len(values)
        check_points(path, points)
    known = 0 < len(times) == len(strokes) and all(np.isfinite(time).all() for time in times)
    return {str(path): Drawing.of_strokes(strokes, times if known else None)} if strokes else {}


def write_inkml(path: Path, drawing: Drawing) -> None:
    """Write a drawing as InkML, a trace for each stroke, with a channel T where times are known."""
    names = "XY" if drawing.time is None else "XYT"
    channels = "".join(f'<channel name="{name}" type="decimal"/>' for name in names)
    lines = []
    for stroke, time in zip(drawing.strokes, drawing.stroke_times, strict=True):
        values = np.column_stack([stroke * [1.0, -1.0], *([] if time is None else [time])])
        # Numbers of InkML have no exponent.
        points = (" ".join(np.format_float_positional(value, trim="-") for value in row) for row in values)
        lines.append(f"  <trace>{', '.join(points)}</trace>")
    head = '<ink xmlns="http://www.w3.org/2003/InkML">'
    text = [XML, head, f"  <traceFormat>{channels}</traceFormat>", *lines, "</ink>"]
    path.write_text("\n".join(text) + "\n", encoding="utf-8")


class _Channels:
    """The names of a point's values in order, for each trace of an InkML file: those of its context, or of the one format.

    OneNote has several contexts in a file: pens with and without pressure.
    """

    def __init__(self, path: Path, root: Any) -> None:
        self.path = path
        self.by_id = {element.get(ID): element for element in root.iter() if element.get(ID)}
        formats = (_format(element) for element in root.iter() if tag(element) == "traceFormat")
        self.formats = [list(names) for names in dict.fromkeys(map(tuple, filter(None, formats)))] or [["X", "Y"]]
        self.known: dict[str, list[str]] = {}  # of each context

    def __call__(self, what: str, trace: Any) -> list[str]:
        """Return the names for a trace; `what` names it in messages.

        Raises:
            ValueError: There are no channels X and Y, or the file has several formats and does not say which is the trace's.
        """
        context = trace.get("contextRef", "")
        if context not in self.known:
            self.known[context] = self._of_context(trace)
        own = self.known[context]
        if len(self.formats) > 1 and not own:
            raise ValueError(
                f"{what}: expected one trace format, or a contextRef, but the file has several: {self.formats}"
            )
        names = own or self.formats[0]
        if "X" not in names or "Y" not in names:
            raise ValueError(f"{self.path}: expected the channels X and Y, but its trace format has {names}")
        return names

    def _of_context(self, trace: Any) -> list[str]:
        """Return the format in a trace's context, or in what that refers to; [] where there is none."""
        context = self._referred(trace, "contextRef")
        places = [context, *(self._referred(context, name) for name in ("traceFormatRef", "inkSourceRef"))]
        return next((names for place in places if place is not None and (names := _format(place))), [])

    def _referred(self, element: Any, name: str) -> Any:
        return None if element is None else self.by_id.get(element.get(name, "").removeprefix("#"))


def _format(element: Any) -> list[str]:
    """Return the names of the channels in an element."""
    return [channel.get("name", "") for channel in element.iter() if tag(channel) == "channel"]


def _inkml_values(what: str, text: str, width: int) -> Array:
    """Return the values (n, width) of a trace; where fewer are given, as channels that come and go may be, NaN."""
    rows: list[list[float]] = []
    orders, speeds = [0] * width, [0.0] * width  # 0: values themselves, 1: differences, 2: differences of differences
    for point in text.split(","):
        if not point.strip():
            continue
        row: list[float] = []
        position = 0
        last = rows[-1] if rows else [0.0] * width
        while position < len(point) and (match := INKML_VALUE.match(point, position)):
            position, i = match.end(), len(row)
            if i >= width:
                break
            orders[i] = {"": orders[i], "!": 0, "'": 1, '"': 2}[match[1]]
            row.append(_inkml_value(match[2], orders[i], last[i], speeds, i))
        if position < len(point) or len(row) < 2:
            raise ValueError(f"{what} must be points of {width} numbers, but holds {point.strip()[:40]!r}")
        rows.append(row + [np.nan] * (width - len(row)))
    return np.array(rows).reshape(-1, width)


def _inkml_value(text: str, order: int, last: float, speeds: list[float], i: int) -> float:
    """Return channel i's value, given the last one, and keep its speed, the last difference."""
    if text == "?":
        return np.nan
    if text in "TF":
        return float(text == "T")
    if text == "*":
        value = last + (speeds[i] if order == 2 else 0.0)
    else:
        number = float(int(text[1:], 16)) if text.startswith("#") else float(text)
        speeds[i] = number if order == 1 else speeds[i] + number if order == 2 else number - last
        value = number if order == 0 else last + speeds[i]
    return value
