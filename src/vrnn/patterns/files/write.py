"""Writes traces to files that people, programs and `read_drawings` can read."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vrnn.patterns.files.drawing import Drawing
from vrnn.patterns.files.ink_json import write_json, write_ndjson
from vrnn.patterns.files.ink_xml import write_inkml
from vrnn.patterns.files.midi import check_midi, write_midi
from vrnn.patterns.files.numpy_files import COLUMNS
from vrnn.patterns.strokes import to_plane
from vrnn.patterns.trace import SequenceKind

Points = NDArray[np.float64]

CELL = 1 / 0.84  # width of one trace's place in an SVG, by that of the largest trace
PIXELS = 200  # width of the place when it is opened
LINE = 0.006  # width of the line by the place's

DRAWN = ("svg", "ndjson", "json", "inkml", "stroke3")  # kinds of files that hold drawings alone


def write_traces(
    path: str | Path, traces: Points, kind: str, form: SequenceKind = "plane", names: Sequence[str] = ()
) -> None:
    """Write traces (n, T, x_dim) to `path` as one of several kinds of file. Steps of NaN at a trace's end are not part of it.

    Numbers are written in full precision, so that `read_drawings` returns the same points and strokes; `load_series` those of
    csv and npz.

    - npz: One array `traces` of shape (n, T, x_dim); trace_0, trace_1, … where the lengths differ; `names` under columns.
    - csv: Columns trace,step,x,y (strokes: trace,step,pen,dx,dy; others: trace,step and `names`, or x0,x1,…).
    - ndjson, json: QuickDraw's lines, and strokes {"x": […], "y": […]}; a drawing each, y downwards.
    - inkml: The strokes of one drawing, y downwards.
    - stroke3: sketch-rnn's npz, moves (dx, dy, pen) of each drawing under the key train; only of strokes.
    - svg: One polyline a stroke; for eyes and Inkscape. The first trace has its own coordinates, y downwards; others are moved
      to places beside it. `read_drawings` joins the strokes of an SVG to one drawing, and those that touch to one stroke.
    - mid: Piano rolls as notes, see `write_midi`.

    Raises:
        ValueError: What `check_kind` refuses, traces of another shape, none or without points, or (all but npz) not finite.
    """
    traces = np.asarray(traces, dtype=np.float64)
    if kind not in _WRITERS:
        raise ValueError(f"expected one of the formats {', '.join(_WRITERS)}, got {kind!r}")
    x_dim = {"plane": 2, "strokes": 3}.get(form)
    if traces.ndim != 3 or x_dim not in (None, traces.shape[-1]) or traces.size == 0:
        raise ValueError(f"expected traces of shape (n, T, {x_dim or 'x_dim'}) with n, T >= 1, got {traces.shape}")
    check_kind(kind, form, len(traces))
    ended = [trace[: _length(trace)] for trace in traces]
    bad = [i for i, trace in enumerate(ended) if not len(trace) or not np.isfinite(trace).all()]
    if kind != "npz" and bad:
        raise ValueError(
            f"trace {bad[0]} has numbers that are not finite ({len(bad)} of {len(traces)} have): "
            f"a {kind} file cannot hold them; write npz, or only the finite traces"
        )
    _WRITERS[kind](Path(path), ended, form, names)


def check_kind(kind: str, form: SequenceKind, count: int) -> None:
    """Refuse to write sequences as a kind of file that cannot hold them.

    Args:
        kind: Of the file.
        form: Of the sequences.
        count: How many they are.

    Raises:
        ValueError: It cannot, or (mid) what writes it is not installed.
    """
    if kind in DRAWN and form not in ("plane", "strokes"):
        raise ValueError(
            f"{kind} files hold drawings, and sequences of the form {form} are none: write png, npz or csv"
        )
    if kind == "stroke3" and form != "strokes":
        raise ValueError("stroke3 files hold moves of a pen that lifts, which dataset=strokes has: write npz or ndjson")
    if kind == "inkml" and count > 1:
        raise ValueError(f"an inkml file holds one drawing, but these are {count}: set n=1, or write ndjson")
    if kind == "mid":
        check_midi(form)


def _length(trace: Points) -> int:
    """Return the number of steps up to the last one that holds a number."""
    return int(np.flatnonzero(~np.isnan(trace).all(axis=1)).max(initial=-1)) + 1


def _drawings(traces: Sequence[Points], form: SequenceKind) -> list[Drawing]:
    """Return traces of the plane or moves of a pen as drawings; each ends with a lift."""
    if form == "plane":
        return [Drawing.of_strokes([trace]) for trace in traces]
    return [Drawing(*to_plane(moves)).stretch(0, len(moves) + 1) for moves in traces]


def _write_npz(path: Path, traces: Sequence[Points], form: SequenceKind, names: Sequence[str]) -> None:
    if len({*map(len, traces)}) == 1:
        arrays: dict[str, Any] = {"traces": np.stack(traces)}
    else:
        arrays = {f"trace_{i}": trace for i, trace in enumerate(traces)}
    if names and form == "series":
        arrays[COLUMNS] = np.array(names)
    with path.open("wb") as file:  # given a name, numpy would append .npz to any other suffix
        np.savez_compressed(file, **arrays)


def _write_stroke3(path: Path, traces: Sequence[Points], form: SequenceKind, names: Sequence[str]) -> None:
    held = np.empty(len(traces), dtype=object)
    # Its first move leads from the origin to the first point, and its y axis points down.
    held[:] = [np.vstack([np.zeros(3), moves[:, [1, 2, 0]] * [1.0, -1.0, 1.0]]) for moves in traces]
    with path.open("wb") as file:
        np.savez_compressed(file, train=held)


def _write_csv(path: Path, traces: Sequence[Points], form: SequenceKind, names: Sequence[str]) -> None:
    columns = {"plane": ["x", "y"], "strokes": ["pen", "dx", "dy"]}.get(form)
    columns = columns or list(names) or [f"x{i}" for i in range(traces[0].shape[-1])]
    # repr gives the shortest decimal that reads back as the same float
    lines = [
        ",".join([str(i), str(step), *map(repr, point)])
        for i, trace in enumerate(traces)
        for step, point in enumerate(trace.tolist())
    ]
    head = io.StringIO()
    csv.writer(head, lineterminator="").writerow(["trace", "step", *columns])  # quotes a name with a comma
    path.write_text("\n".join([head.getvalue(), *lines]) + "\n", encoding="utf-8")


def _write_ndjson(path: Path, traces: Sequence[Points], form: SequenceKind, names: Sequence[str]) -> None:
    write_ndjson(path, _drawings(traces, form))


def _write_json(path: Path, traces: Sequence[Points], form: SequenceKind, names: Sequence[str]) -> None:
    write_json(path, _drawings(traces, form))


def _write_inkml(path: Path, traces: Sequence[Points], form: SequenceKind, names: Sequence[str]) -> None:
    (drawing,) = _drawings(traces, form)
    write_inkml(path, drawing)


def _write_svg(path: Path, traces: Sequence[Points], form: SequenceKind, names: Sequence[str]) -> None:
    drawings = _drawings(traces, form)
    columns = int(np.ceil(np.sqrt(len(drawings))))
    rows = int(np.ceil(len(drawings) / columns))
    # SVG's y axis points down.
    boxes = [(np.min(points, axis=0), np.max(points, axis=0)) for points in (d.points * [1.0, -1.0] for d in drawings)]
    cell = CELL * (max(float((high - low).max()) for low, high in boxes) or 1.0)
    middles = [(low + high) / 2 for low, high in boxes]
    lines = []
    for i, drawing in enumerate(drawings):
        place = np.array([i % columns, i // columns])
        moved = middles[0] - middles[i] + cell * place  # exactly 0 for the first one
        for j, stroke in enumerate(drawing.strokes):
            name = f"trace_{i}" if len(drawing.strokes) == 1 else f"trace_{i}_stroke_{j}"
            # A line of one point draws nothing; of two equal ones, a dot.
            points = (stroke if len(stroke) > 1 else np.repeat(stroke, 2, axis=0)) * [1.0, -1.0] + moved
            lines.append(f'  <polyline id="{name}" points="{" ".join(f"{x!r},{y!r}" for x, y in points.tolist())}"/>')
    x, y = middles[0] - cell / 2
    size = f'width="{PIXELS * columns}" height="{PIXELS * rows}"'
    box = f'viewBox="{x:.9g} {y:.9g} {cell * columns:.9g} {cell * rows:.9g}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} {box}>'
    width = f'stroke-width="{LINE * cell:.3g}" stroke-linecap="round" stroke-linejoin="round"'
    style = f'fill="none" stroke="#1b3a57" {width}'
    path.write_text("\n".join([head, f" <g {style}>", *lines, " </g>", "</svg>"]) + "\n", encoding="utf-8")


def _write_mid(path: Path, traces: Sequence[Points], form: SequenceKind, names: Sequence[str]) -> None:
    write_midi(path, traces)


_WRITERS: dict[str, Callable[[Path, Sequence[Points], SequenceKind, Sequence[str]], None]] = {
    "npz": _write_npz,
    "csv": _write_csv,
    "svg": _write_svg,
    "mid": _write_mid,
    "ndjson": _write_ndjson,
    "json": _write_json,
    "inkml": _write_inkml,
    "stroke3": _write_stroke3,
}
