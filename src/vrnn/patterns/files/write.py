"""Writes traces to files that people, programs and `read_drawings` can read."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from pathlib import Path

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
    """Write traces (n, T, x_dim) to `path` as one of four kinds of file.

    - npz: One array `traces` of shape (n, T, x_dim).
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
    bad = np.flatnonzero(~np.isfinite(traces).all(axis=(1, 2)))
    if kind != "npz" and bad.size:
        raise ValueError(
            f"trace {bad[0]} has numbers that are not finite ({bad.size} of {len(traces)} have): "
            f"a {kind} file cannot hold them; write npz, or only the finite traces"
        )
    _WRITERS[kind](Path(path), traces, form, names)


def _write_npz(path: Path, traces: Points, form: SequenceKind, names: Sequence[str]) -> None:
    with path.open("wb") as file:  # given a name, numpy would append .npz to any other suffix
        np.savez_compressed(file, traces=traces)


def _write_csv(path: Path, traces: Points, form: SequenceKind, names: Sequence[str]) -> None:
    columns = {"plane": ["x", "y"], "strokes": ["pen", "dx", "dy"]}.get(form)
    columns = columns or list(names) or [f"x{i}" for i in range(traces.shape[-1])]
    # repr gives the shortest decimal that reads back as the same float
    lines = [
        ",".join([str(i), str(step), *map(repr, point)])
        for i, trace in enumerate(traces)
        for step, point in enumerate(trace.tolist())
    ]
    head = io.StringIO()
    csv.writer(head, lineterminator="").writerow(["trace", "step", *columns])  # quotes a name with a comma
    path.write_text("\n".join([head.getvalue(), *lines]) + "\n", encoding="utf-8")


def _write_svg(path: Path, traces: Points, form: SequenceKind, names: Sequence[str]) -> None:
    lifted = np.zeros(traces.shape[:2], dtype=bool)
    if form == "strokes":
        moved = [to_plane(offsets) for offsets in traces]
        traces, lifted = (np.stack(part) for part in zip(*moved, strict=True))
    columns = int(np.ceil(np.sqrt(len(traces))))
    rows = int(np.ceil(len(traces) / columns))
    low, high = traces.min(axis=1), traces.max(axis=1)
    extent = float((high - low).max())
    scale = (CELL - 2 * MARGIN) / extent if extent > 0 else 1.0
    place = np.stack([np.arange(len(traces)) % columns, np.arange(len(traces)) // columns], axis=1)
    centred = (traces - ((low + high) / 2)[:, None]) * [scale, -scale]  # SVG's y axis points down
    placed = centred + (CELL * (place + 0.5))[:, None]
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


def _write_mid(path: Path, traces: Points, form: SequenceKind, names: Sequence[str]) -> None:
    write_midi(path, traces)


_WRITERS: dict[str, Callable[[Path, Points, SequenceKind, Sequence[str]], None]] = {
    "npz": _write_npz,
    "csv": _write_csv,
    "svg": _write_svg,
    "mid": _write_mid,
}
