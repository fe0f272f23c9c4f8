"""Strokes in JSON: QuickDraw's lines (.ndjson), and lists of points with time as signature pads and editors write them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vrnn.patterns.files.drawing import Drawing, check_points, read_bytes
from vrnn.patterns.files.labels import check_label

Array = NDArray[np.float64]

X, Y, TIME = ("x", "X"), ("y", "Y"), ("t", "T", "time", "timestamp")
DEEPEST = 50


def read_ndjson(path: Path, label: str | None = None) -> dict[str, Drawing]:
    """Return QuickDraw's drawings, one a line: {"drawing": [[[x, …], [y, …]], …]}, in raw files with a third list of times.

    Args:
        path: The file.
        label: The key of each drawing's label, as "word" is in QuickDraw's files; None: there are no labels.

    Raises:
        ValueError: A line that is no such drawing, or has no label (the message names it).
    """
    drawings, points = {}, 0
    for number, line in enumerate(read_bytes(path).split(b"\n"), start=1):
        if not line.strip():
            continue
        what = f"{path}, line {number}"
        record = _parsed(what, line)
        if not isinstance(record, dict) or not isinstance(record.get("drawing"), list):
            raise ValueError(
                f'{what}: expected {{"drawing": [[[x, …], [y, …]], …]}}, got {line[:60].decode(errors="replace")}'
            )
        strokes = []
        for i, stroke in enumerate(record["drawing"], start=1):
            try:
                columns = np.array(stroke, dtype=np.float64)
            except (ValueError, TypeError):
                columns = np.zeros(0)
            if columns.ndim != 2 or len(columns) not in (2, 3):
                raise ValueError(
                    f"{what}: stroke {i} (counted from 1) must be two or three lists of equally many numbers"
                )
            strokes.append(columns)
            points += columns.shape[1]
        check_points(path, points)
        strokes = [stroke for stroke in strokes if stroke.shape[1]]
        if strokes:
            timed = all(len(stroke) == 3 for stroke in strokes)
            times = [stroke[2] for stroke in strokes] if timed else None
            # SVG's and the screen's y axis points down.
            drawing = Drawing.of_strokes([s[:2].T * [1.0, -1.0] for s in strokes], times)
            own = None if label is None else _label(what, label, record)
            drawings[f"{path}[line {number}]"] = replace(drawing, label=own)
    return drawings


def _label(what: str, label: str, record: dict[str, Any]) -> str:
    if label not in record:
        raise ValueError(
            f"{what}: expected a label under the key {label!r}, but it has {', '.join(record)}: name one of them by "
            "dataset.label, or set dataset.label=folder"
        )
    return check_label(f"{what}, {label}", record[label])


def read_json(path: Path) -> dict[str, Drawing]:
    """Return the strokes in a JSON file; of a list under the key `drawings` each entry is a drawing of its own.

    A stroke is {"x": […], "y": […], "t": […]}, or a list of points [x, y], [x, y, t] or {"x": …, "y": …, "time": …}, alone or
    under the key `points`. Lists and objects around strokes may be of any kind. Time is optional; pressure and all other
    values are not read.

    Raises:
        ValueError: No JSON, or a stroke whose numbers are none (the message says where).
    """
    content = _parsed(str(path), read_bytes(path))
    several = content.get("drawings") if isinstance(content, dict) else None
    parts = (
        {f"{path}[{i}]": part for i, part in enumerate(several)} if isinstance(several, list) else {str(path): content}
    )
    drawings, points = {}, 0
    for name, part in parts.items():
        strokes = [stroke for stroke in _strokes(name, part) if len(stroke)]
        points += sum(map(len, strokes))
        check_points(path, points)
        if strokes:
            times = [stroke[:, 2] for stroke in strokes] if all(s.shape[1] > 2 for s in strokes) else None
            drawings[name] = Drawing.of_strokes([stroke[:, :2] * [1.0, -1.0] for stroke in strokes], times)
    return drawings


def write_ndjson(path: Path, drawings: Sequence[Drawing]) -> None:
    """Write drawings as QuickDraw does, one a line, with times where they are known."""
    lines = [json.dumps({"drawing": [[*columns.values()] for columns in _stroke_columns(one)]}) for one in drawings]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def write_json(path: Path, drawings: Sequence[Drawing]) -> None:
    """Write drawings as {"drawings": [{"strokes": [{"x": […], "y": […]}, …]}, …]}, with times "t" where they are known."""
    content = {"drawings": [{"strokes": _stroke_columns(drawing)} for drawing in drawings]}
    path.write_text(json.dumps(content) + "\n", encoding="utf-8")


def _stroke_columns(drawing: Drawing) -> list[dict[str, list[float]]]:
    """Return x, y (downwards, as on a screen) and, if it is known, t of each stroke."""
    columns = []
    for stroke, time in zip(drawing.strokes, drawing.stroke_times, strict=True):
        x, y = (stroke * [1.0, -1.0]).T.tolist()
        columns.append({"x": x, "y": y} | ({} if time is None else {"t": time.tolist()}))
    return columns


def _parsed(what: str, text: bytes) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{what}: not readable as JSON: {error}") from error


def _strokes(where: str, node: Any, depth: int = 0) -> Iterator[Array]:
    """Yield the strokes below a node in document order, each (n, 2) or, with time, (n, 3), y downwards as on a screen."""
    if depth > DEEPEST:
        raise ValueError(f"{where}: expected strokes at most {DEEPEST} levels deep")
    if isinstance(node, dict):
        columns = _row(node)
        if isinstance(columns[0], list) and isinstance(columns[1], list):
            yield _columns(where, columns)
            return
        points = node.get("points")
        if isinstance(points, list) and points:
            # An editor may give points relative to the place of the stroke.
            place = [value if isinstance(value, int | float) else 0.0 for value in columns[:2]]
            for stroke in _strokes(f"{where}.points", points, depth + 1):
                stroke[:, :2] += place
                yield stroke
            return
        for key, value in node.items():
            if isinstance(value, list | dict):
                yield from _strokes(f"{where}.{key}", value, depth + 1)
    elif isinstance(node, list) and node:
        if all(_is_point(point) for point in node):
            yield _points(where, node)
            return
        for i, value in enumerate(node):
            if isinstance(value, list | dict):
                yield from _strokes(f"{where}[{i}]", value, depth + 1)


def _is_point(node: Any) -> bool:
    if isinstance(node, dict):
        numbers = any(isinstance(node.get(key), int | float) for key in X) and any(key in node for key in Y)
        return numbers and "points" not in node  # with points it is a stroke that has a place
    return isinstance(node, list) and len(node) >= 2 and all(isinstance(value, int | float) for value in node)


def _columns(where: str, columns: list[Any]) -> Array:
    """Return a stroke given as lists of x, y and, perhaps, time."""
    given = [column for column in columns if isinstance(column, list)]
    if len({len(column) for column in given}) != 1:
        raise ValueError(f"{where}: x, y and time must be equally long, but are {[len(column) for column in given]}")
    return _numbers(where, given).T


def _points(where: str, points: list[Any]) -> Array:
    """Return a stroke given point by point."""
    rows = [_row(point) if isinstance(point, dict) else point for point in points]
    timed = all(len(row) > 2 and row[2] is not None for row in rows)
    return _numbers(where, [row[: 3 if timed else 2] for row in rows])


def _row(point: dict[str, Any]) -> list[Any]:
    """Return x, y and time (None where it is missing) of a point."""
    return [next((point[key] for key in keys if key in point), None) for keys in (X, Y, TIME)]


def _numbers(where: str, rows: list[Any]) -> Array:
    try:
        return np.array(rows, dtype=np.float64)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{where}: expected numbers ({error})") from error
