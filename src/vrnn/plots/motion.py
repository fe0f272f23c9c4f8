"""Moving pictures of a pen that draws: an animated GIF, a film (MP4), and an animated SVG, which a README can show."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO
from xml.sax.saxutils import escape

import numpy as np
from matplotlib.colors import to_hex
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from vrnn.files import write_atomically, write_text_atomically
from vrnn.patterns.strokes import to_plane
from vrnn.patterns.trace import SequenceKind
from vrnn.plots.style import HUES, INK, QUIET, TIME, Array

STEPS_PER_SECOND = 40  # how fast the pen draws
FRAMES_PER_SECOND = 20
LONGEST = 400  # frames: a longer drawing is drawn faster
REST = 1.5  # seconds for which the finished drawing stays
CELL, MARGIN = 200, 14  # pixels: a trace's place, and what stays free around it
TITLE = 12  # pixels: a title's height
FINER = 3  # lines are drawn so many times larger, then made smaller, so that they have smooth edges
COLOURS = 64  # of a GIF
PIECE = 24  # steps of a line in one colour in an SVG


@dataclass(frozen=True)
class Scene:
    """Traces in the coordinates of a picture, in pixels, y downwards.

    Attributes:
        size: Width and height.
        lines: n traces, (T, 2) each.
        lifted: For each (T,), True where no line leads to the next point.
        colours: For each those of its points, as #rrggbb.
        before: (k, 2), what all traces continue; empty if nothing.
        titles: What stands above the traces; () for nothing.
    """

    size: tuple[int, int]
    lines: Sequence[Array]
    lifted: Sequence[NDArray[np.bool_]]
    colours: Sequence[Sequence[str]]
    before: Array
    titles: Sequence[str] = ()

    @property
    def steps(self) -> int:
        """The number of points of the longest trace."""
        return max(map(len, self.lines))


def write_moving(path: Path, format: str, traces: Array, form: SequenceKind, before: Array | None = None) -> None:
    """Write traces as a moving picture.

    Args:
        path: The file.
        format: gif, mp4 (which needs the extra `video`) or animated_svg.
        traces: (n, T, 2), or moves of a pen (n, T, 3) with NaN after a drawing's end.
        form: "plane" or "strokes".
        before: (k, 2), what all traces continue; None: nothing.
    """
    if form == "strokes":
        moved = [to_plane(offsets[np.isfinite(offsets).all(axis=1)]) for offsets in traces]
        scene = lay_out([points for points, _ in moved], [lifted for _, lifted in moved], before)
    else:
        scene = lay_out([*traces], None, before)
    _WRITERS[format](path, scene)


def lay_out(
    traces: Sequence[Array],
    lifted: Sequence[NDArray[np.bool_]] | None = None,
    before: Array | None = None,
    titles: Sequence[str] = (),
) -> Scene:
    """Place traces in a picture, all on one scale.

    Args:
        traces: n traces (T, 2), each coloured by time in a place of its own.
        lifted: For each (T,), True where no line leads to the next point. None: nowhere.
        before: (k, 2), what all traces continue: they are drawn over each other, each in a colour of its own.
        titles: One for each trace, without `before`: the traces are then in one row.

    Raises:
        ValueError: There are no traces, one has no points, or points that are not finite.
    """
    if not len(traces) or not all(len(trace) and np.isfinite(trace).all() for trace in traces):
        raise ValueError("traces must be at least one, each with finite points.")
    lifted = [np.zeros(len(trace), dtype=bool) for trace in traces] if lifted is None else lifted
    if before is not None:
        boxes = [np.concatenate([before, *traces])] * len(traces)
        columns, places = 1, np.zeros((len(traces), 2))
        colours = [[HUES[i % len(HUES)]] * (1 + len(trace)) for i, trace in enumerate(traces)]
        traces = [np.concatenate([before[-1:], trace]) for trace in traces]
        lifted = [np.concatenate([[False], up]) for up in lifted]
        rows = 1
    else:
        boxes = list(traces)
        columns = len(traces) if titles else int(np.ceil(np.sqrt(len(traces))))
        rows = int(np.ceil(len(traces) / columns))
        places = np.stack([np.arange(len(traces)) % columns, np.arange(len(traces)) // columns], axis=1).astype(float)
        colours = [[*map(to_hex, TIME(np.linspace(0.0, 1.0, len(trace))))] for trace in traces]
    cell = CELL * (2 if columns == 1 else 1)
    middles = [(box.min(axis=0) + box.max(axis=0)) / 2 for box in boxes]
    extent = max(float(np.ptp(box, axis=0).max()) for box in boxes)
    scale = (cell - 2 * MARGIN) / extent if extent > 0 else 1.0

    def placed(points: Array, i: int) -> Array:
        return (points - middles[i]) * [scale, -scale] + cell * (places[i] + 0.5)

    return Scene(
        (cell * columns, cell * rows),
        [placed(trace, i) for i, trace in enumerate(traces)],
        lifted,
        colours,
        np.empty((0, 2)) if before is None else placed(before, 0),
        titles,
    )


def write_gif(path: Path, scene: Scene) -> None:
    """Write a scene as an animated GIF that repeats for ever."""
    first, *others = (frame.quantize(COLOURS, dither=Image.Dither.NONE) for frame in _frames(scene))
    durations = [1000 // FRAMES_PER_SECOND] * len(others) + [int(1000 * REST)]

    def write(file: BinaryIO) -> None:
        first.save(file, "GIF", save_all=True, append_images=others, duration=durations, loop=0, optimize=True)

    write_atomically(path, write)


def write_mp4(path: Path, scene: Scene) -> None:
    """Write a scene as a film, H.264, by imageio-ffmpeg (`pip install vrnn-lab[video]`)."""
    import imageio_ffmpeg  # an extra

    width, height = scene.size  # multiples of CELL, and so of 8, which the codec wants
    film = imageio_ffmpeg.write_frames(str(path), (width, height), fps=FRAMES_PER_SECOND, macro_block_size=8)
    film.send(None)
    for frame in _frames(scene):
        film.send(frame.tobytes())
    for _ in range(int(REST * FRAMES_PER_SECOND)):
        film.send(frame.tobytes())
    film.close()


def write_animated_svg(path: Path, scene: Scene) -> None:
    """Write a scene as an SVG that draws itself, and does so again for ever; a page or a README shows it as an image.

    Lines are pieces of one colour, each a dash that grows from point to point at the times of the points, and a dot is the pen.
    """
    total = scene.steps / STEPS_PER_SECOND + REST
    width, height = scene.size
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}">',
        '<rect width="100%" height="100%" fill="#fff"/>',
        '<g fill="none" stroke-width="1.6" stroke-linecap="round" stroke-linejoin="round">',
    ]
    if len(scene.before):
        parts.append(f'<polyline points="{_listed(scene.before)}" stroke="{QUIET}"/>')
    for line, up, colours in zip(scene.lines, scene.lifted, scene.colours, strict=True):
        parts += [_growing(line, first, last, colours[last], total) for first, last in _pieces(up)]
    parts += [
        "</g>",
        *(
            f'<text x="{CELL * (i + 0.5):g}" y="{TITLE}" font-size="{TITLE}" font-family="sans-serif" text-anchor="middle" '
            f'fill="{INK}">{escape(title)}</text>'
            for i, title in enumerate(scene.titles)
        ),
        *(_pen(line, colours[-1], total) for line, colours in zip(scene.lines, scene.colours, strict=True)),
    ]
    write_text_atomically(path, "\n".join([*parts, "</svg>", ""]))


def _frames(scene: Scene) -> Iterator[Image.Image]:
    """Yield the pictures of a scene, of which each adds a few steps."""
    canvas = Image.new("RGB", (FINER * scene.size[0], FINER * scene.size[1]), "white")
    draw = ImageDraw.Draw(canvas)
    if len(scene.before) > 1:
        draw.line([*map(tuple, FINER * scene.before)], fill=QUIET, width=2 * FINER, joint="curve")
    at_once = max(STEPS_PER_SECOND / FRAMES_PER_SECOND, scene.steps / LONGEST)
    ends = np.unique(np.append(np.arange(at_once, scene.steps, at_once).astype(int), scene.steps - 1))
    begin = 0
    for end in ends:
        for line, up, colours in zip(scene.lines, scene.lifted, scene.colours, strict=True):
            for i in range(begin + 1, min(end + 1, len(line))):
                if not up[i - 1]:
                    _draw_segment(draw, FINER * line[i - 1], FINER * line[i], colours[i])
        begin = end
        frame = canvas.copy()
        pens = ImageDraw.Draw(frame)
        for line, colours in zip(scene.lines, scene.colours, strict=True):
            x, y = FINER * line[min(end, len(line) - 1)]
            radius = 4 * FINER
            pens.ellipse([x - radius, y - radius, x + radius, y + radius], fill=colours[min(end, len(line) - 1)])
        frame = frame.reduce(FINER)
        words = ImageDraw.Draw(frame)
        for i, title in enumerate(scene.titles):
            words.text((CELL * (i + 0.5), 2), title, fill=INK, font_size=TITLE, anchor="ma")
        yield frame


def _draw_segment(draw: ImageDraw.ImageDraw, a: Array, b: Array, colour: str) -> None:
    """Draw a line with round ends, so that lines in different colours join."""
    draw.line([tuple(a), tuple(b)], fill=colour, width=2 * FINER)
    draw.ellipse([*(b - FINER + 0.5), *(b + FINER - 0.5)], fill=colour)


def _pieces(lifted: NDArray[np.bool_]) -> Iterator[tuple[int, int]]:
    """Yield (first, last) point of each piece of a line: at most PIECE steps, without a lift inside."""
    for stroke in np.split(np.arange(len(lifted)), np.flatnonzero(lifted[:-1]) + 1):
        for first in range(stroke[0], max(stroke[-1], stroke[0] + 1), PIECE):
            yield first, min(first + PIECE, int(stroke[-1]))


def _growing(line: Array, first: int, last: int, colour: str, total: float) -> str:
    """Return a piece as an SVG element that is drawn from the time of its first point to that of its last."""
    points = line[first : last + 1]
    walked = np.concatenate([[0.0], np.linalg.norm(np.diff(points, axis=0), axis=1).cumsum()])
    length = float(walked[-1])
    # An offset beyond the length hides the dash, round end and all, until its time has come.
    hidden, times = length + 4.0, np.arange(first, last + 1) / STEPS_PER_SECOND / total
    moments, offsets = [*times, 1.0], [*(length - walked), 0.0]
    if first > 0:
        moments, offsets = [0.0, times[0], *moments], [hidden, hidden, *offsets]
    return (
        f'<polyline points="{_listed(points)}" stroke="{colour}" stroke-dasharray="{length:.1f} {length + 9:.1f}">'
        f'<animate attributeName="stroke-dashoffset" dur="{total:g}s" repeatCount="indefinite" '
        f'values="{_numbers(offsets, 1)}" keyTimes="{_numbers(moments, 5)}"/></polyline>'
    )


def _pen(line: Array, colour: str, total: float) -> str:
    """Return the dot that moves along a line and rests at its end."""
    moments = [*(np.arange(len(line)) / STEPS_PER_SECOND / total), 1.0]
    path = np.concatenate([line, line[-1:]])
    moves = "".join(
        f'<animate attributeName="{name}" dur="{total:g}s" repeatCount="indefinite" values="{_numbers(values, 1)}" '
        f'keyTimes="{_numbers(moments, 5)}"/>'
        for name, values in (("cx", path[:, 0]), ("cy", path[:, 1]))
    )
    return f'<circle r="4" fill="{colour}">{moves}</circle>'


def _listed(points: Array) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)


def _numbers(values: Iterable[float], digits: int) -> str:
    return ";".join(f"{value:.{digits}f}" for value in values)


_WRITERS = {"gif": write_gif, "mp4": write_mp4, "animated_svg": write_animated_svg}
