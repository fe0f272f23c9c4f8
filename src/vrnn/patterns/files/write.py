"""Writes traces to files that people, programs and `read_drawings` can read."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vrnn.patterns.files.midi import check_midi, write_midi
from vrnn.patterns.strokes import to_plane
from vrnn.patterns.trace import SequenceKind

Points = NDArray[np.float64]

CELL = 100.0  # width and height of one trace's place in an SVG, in user units
MARGIN = 8.0


def write_traces(
    path: str | Path, traces: Points, kind: str, form: SequenceKind = "plane", names: Sequence[str] = ()
) -> None:
    """Write traces (n, T, x_dim) to `path` as one of four kinds of file. Steps of NaN at a trace's end are not part of it.

    - npz: One array `traces` of shape (n, T, x_dim); trace_0, trace_1, … where the lengths differ.
    - csv: Columns trace,step,x,y (strokes: trace,step,pen,dx,dy; others: trace,step and `names`, or
      x0,x1,…), numbers in full precision.
    - svg: One polyline a stroke, in a grid of equal scale, y upwards; for eyes and Inkscape; not for images. `read_drawings`
      joins an SVG's strokes to one drawing, so write one trace where it is to be read back.
    - mid: Piano rolls as notes, see `write_midi`.

    Raises:
        ValueError: unknown kind, traces of another shape, none or without points, (csv, svg, mid) not finite, (svg) images,
            (mid) anything but piano rolls.
    """
    traces = np.asarray(traces, dtype=np.float64)
    if kind not in _WRITERS:
        raise ValueError(f"expected one of the formats {', '.join(_WRITERS)}, got {kind!r}")
    x_dim = {"plane": 2, "strokes": 3}.get(form)
    if traces.ndim != 3 or x_dim not in (None, traces.shape[-1]) or traces.size == 0:
        raise ValueError(f"expected traces of shape (n, T, {x_dim or 'x_dim'}) with n, T >= 1, got {traces.shape}")
    if kind == "svg" and form not in ("plane", "strokes"):
        raise ValueError(
            f"an svg file holds drawings, and sequences of the form {form} are none: write png, npz or csv"
        )
    if kind == "mid":
        check_midi(form)
    ended = [trace[: _length(trace)] for trace in traces]
    bad = [i for i, trace in enumerate(ended) if not len(trace) or not np.isfinite(trace).all()]
    if kind != "npz" and bad:
        raise ValueError(
            f"trace {bad[0]} has numbers that are not finite ({len(bad)} of {len(traces)} have): "
            f"a {kind} file cannot hold them; write npz, or only the finite traces"
        )
    _WRITERS[kind](Path(path), ended, form, names)


def _length(trace: Points) -> int:
    """Return the number of steps up to the last one that holds a number."""
    return int(np.flatnonzero(~np.isnan(trace).all(axis=1)).max(initial=-1)) + 1


def _write_npz(path: Path, traces: Sequence[Points], form: SequenceKind, names: Sequence[str]) -> None:
    with path.open("wb") as file:  # given a name, numpy would append .npz to any other suffix
        if len({*map(len, traces)}) == 1:
            np.savez_compressed(file, traces=np.stack(traces))
        else:
            named: dict[str, Any] = {f"trace_{i}": trace for i, trace in enumerate(traces)}
            np.savez_compressed(file, **named)


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


def _write_svg(path: Path, traces: Sequence[Points], form: SequenceKind, names: Sequence[str]) -> None:
    lifted = [np.zeros(len(trace), dtype=bool) for trace in traces]
    if form == "strokes":
        traces, lifted = map(list, zip(*(to_plane(offsets) for offsets in traces), strict=True))
    columns = int(np.ceil(np.sqrt(len(traces))))
    rows = int(np.ceil(len(traces) / columns))
    low, high = (np.stack([end(trace, axis=0) for trace in traces]) for end in (np.min, np.max))
    extent = float((high - low).max())
    scale = (CELL - 2 * MARGIN) / extent if extent > 0 else 1.0
    place = np.stack([np.arange(len(traces)) % columns, np.arange(len(traces)) // columns], axis=1)
    middle, centre = (low + high) / 2, CELL * (place + 0.5)
    # SVG's y axis points down.
    placed = [(trace - middle[i]) * [scale, -scale] + centre[i] for i, trace in enumerate(traces)]
    lines = []
    for i, (trace, up) in enumerate(zip(placed, lifted, strict=True)):
        strokes = np.split(trace, np.flatnonzero(up[:-1]) + 1)
        for j, stroke in enumerate(strokes):
            name = f"trace_{i}" if len(strokes) == 1 else f"trace_{i}_stroke_{j}"
            lines.append(f'  <polyline id="{name}" points="{" ".join(f"{x:.4f},{y:.4f}" for x, y in stroke)}"/>')
    size = f"{CELL * columns:g} {CELL * rows:g}"
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size}">'
    style = 'fill="none" stroke="#1b3a57" stroke-width="0.6" stroke-linecap="round" stroke-linejoin="round"'
    path.write_text("\n".join([head, f" <g {style}>", *lines, " </g>", "</svg>"]) + "\n", encoding="utf-8")


def _write_mid(path: Path, traces: Sequence[Points], form: SequenceKind, names: Sequence[str]) -> None:
    write_midi(path, traces)


_WRITERS: dict[str, Callable[[Path, Sequence[Points], SequenceKind, Sequence[str]], None]] = {
    "npz": _write_npz,
    "csv": _write_csv,
    "svg": _write_svg,
    "mid": _write_mid,
}
