"""A set of drawings that a user makes on the page: checked, kept on disk, and frozen for a training."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vrnn.checks import check_choice, check_pair, require
from vrnn.files import make_directory, read_limited, write_text_atomically
from vrnn.patterns.files.read import load_drawings
from vrnn.patterns.resampling import normalisation

Points = NDArray[np.float64]

CANVAS = 1000.0  # width and height of the page's canvas in the units of all coordinates; y points down
LARGEST_FILE = 10_000_000  # bytes of a set
MOST_DRAWINGS = 200
LARGEST_NUMBER = 1e9  # of a coordinate, and of the milliseconds since the page was opened
KINDS = ("laps", "strokes")  # what a set is taken for: see `vrnn.draw.recipes`
COLUMNS = ("x", "y", "t", "p")  # of a stroke: place, milliseconds, pressure from 0 to 1
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}")
SAVED = "drawings.json"

Stroke = dict[str, list[float]]


@dataclass(frozen=True)
class Junction:
    """A point that every lap passes, marked on one of the drawings, in the canvas's units."""

    drawing: int
    x: float
    y: float


@dataclass(frozen=True)
class DrawingSet:
    """Drawings, each a list of strokes, and how they are to be learned.

    Args:
        drawings: Of each drawing its strokes.
        junction: None: where each drawing starts.
        kind: One of KINDS; None: as the drawings suggest.
    """

    drawings: list[list[Stroke]] = field(default_factory=list)
    junction: Junction | None = None
    kind: str | None = None

    @classmethod
    def checked(cls, content: Any) -> DrawingSet:
        """Return a set from the JSON that the page sends, and that its file holds.

        Raises:
            ValueError: It is no such set; the message says where.
        """
        require(isinstance(content, dict), "the set", "an object with drawings", _kind_of(content))
        drawings = content.get("drawings")
        require(isinstance(drawings, list), "drawings", "a list", _kind_of(drawings))
        require(len(drawings) <= MOST_DRAWINGS, "drawings", f"at most {MOST_DRAWINGS}", len(drawings))
        kind = content.get("kind")
        junction = content.get("junction")
        return cls(
            [_checked_drawing(f"drawings[{i}]", one) for i, one in enumerate(drawings)],
            None if junction is None else _checked_junction(junction, len(drawings)),
            None if kind is None else check_choice("kind", kind, KINDS),
        )

    def to_json(self) -> str:
        """Return the set as a file that dataset=traces, strokes and drawn_laps read."""
        junction = None if self.junction is None else vars(self.junction)
        drawings = [{"strokes": strokes} for strokes in self.drawings]
        whole = {"drawings": drawings, "junction": junction, "kind": self.kind}
        return json.dumps(whole, separators=(",", ":")) + "\n"


class Shelf:
    """The directory of all sets, one directory each.

    Args:
        root: Where it is; made when something is first saved.
    """

    def __init__(self, root: Path):
        self.root = root

    def names(self) -> list[str]:
        """Return the names of the saved sets, by the alphabet."""
        return sorted(path.parent.name for path in self.root.glob(f"*/{SAVED}") if NAME.fullmatch(path.parent.name))

    def directory(self, name: Any) -> Path:
        """Return a set's directory; it need not exist.

        Raises:
            ValueError: The name is none.
        """
        ok = isinstance(name, str) and NAME.fullmatch(name) is not None
        require(ok, "name", "1 to 40 letters, digits, _ and -", str(name)[:60])
        return self.root / name

    def load(self, name: str) -> DrawingSet:
        """Return a saved set; an empty one if there is none of this name.

        Raises:
            ValueError: The name is none, or the file cannot be read.
        """
        path = self.directory(name) / SAVED
        if not path.exists():
            return DrawingSet()
        try:
            return DrawingSet.checked(parse(read_limited(path, LARGEST_FILE)))
        except (ValueError, OSError) as error:
            raise ValueError(f"{path} is damaged: {error} Remove or restore it.") from error

    def save(self, name: str, given: DrawingSet) -> Path:
        """Write a set, and return its file.

        Raises:
            ValueError: The name is none.
            OSError: The set's directory is a link, or cannot be written to.
        """
        directory = self.directory(name)
        make_directory(directory)
        write_text_atomically(directory / SAVED, given.to_json())
        return directory / SAVED

    def file(self, name: str) -> Path:
        """Return the file of a saved set.

        Raises:
            ValueError: There is none.
        """
        path = self.directory(name) / SAVED
        require(path.exists(), "name", "a saved set", name, "draw something first")
        return path

    def freeze(self, name: str) -> Path:
        """Return a copy of a set's file that later strokes leave as it is: a run is known by the content of its files.

        Raises:
            ValueError: There is no such set.
            OSError: The copy cannot be written.
        """
        path = self.file(name)
        text = read_limited(path, LARGEST_FILE).decode()
        copies = path.parent / "trained"
        make_directory(copies)
        copy = copies / f"{hashlib.sha256(text.encode()).hexdigest()[:8]}.json"
        if not copy.exists():
            write_text_atomically(copy, text)
        return copy


@dataclass(frozen=True)
class View:
    """Where the coordinates that a model sees lie on the canvas: canvas = (x, y) + size * (X, -Y).

    Args:
        x: Of the model's origin.
        y: Likewise.
        size: Canvas units in one of the model's.
    """

    x: float
    y: float
    size: float

    def to_canvas(self, points: Points) -> Points:
        """Return the model's points (…, 2) on the canvas."""
        placed: Points = np.array([self.x, self.y]) + self.size * points * [1.0, -1.0]
        return placed

    def from_canvas(self, points: Points) -> Points:
        """Return points (…, 2) of the canvas as the model sees them."""
        seen: Points = (points - [self.x, self.y]) / self.size * [1.0, -1.0]
        return seen


def view_of(file: Path) -> View:
    """Return where the normalised drawings of a set's file lie on the canvas: the mean over its drawings.

    Raises:
        ValueError: No drawing is long enough.
    """
    places = np.array([(*mean, 1.0 / factor) for mean, factor in _normalisations(file).values()]).mean(axis=0)
    return View(float(places[0]), float(-places[1]), float(places[2]))


def normalised_junction(file: Path, junction: Junction) -> list[float]:
    """Return a junction in the units of the normalised drawings, as dataset.junction takes it.

    Raises:
        ValueError: The drawing that it is marked on is too short.
    """
    found = _normalisations(file)
    name = f"{file}[{junction.drawing}]"
    require(name in found, "the marked junction", "on a drawing that is long enough", junction.drawing + 1)
    mean, factor = found[name]
    place = (np.array([junction.x, -junction.y]) - mean) * factor
    return [round(float(value), 4) for value in place]


def parse(text: bytes) -> Any:
    """Return what JSON holds.

    Raises:
        ValueError: It is none, is nested too deeply, or holds a number that is not finite.
    """

    def refuse(number: str) -> None:
        raise ValueError(f"numbers must be finite, but one is {number}.")

    try:
        return json.loads(text, parse_constant=refuse)
    except RecursionError as error:
        raise ValueError("the JSON is nested too deeply.") from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"not readable as JSON: {error}.") from error


def checked_strokes(where: str, content: Any) -> list[Stroke]:
    """Return strokes, each with as many x, y, t and p.

    Raises:
        ValueError: They are none; the message says where.
    """
    require(isinstance(content, list), where, "a list of strokes", _kind_of(content))
    return [_checked_stroke(f"{where}[{i}]", one) for i, one in enumerate(content)]


def _normalisations(file: Path) -> dict[str, tuple[Points, float]]:
    return {name: normalisation(drawing.points) for name, drawing in load_drawings(file).items()}


def _checked_drawing(where: str, content: Any) -> list[Stroke]:
    require(isinstance(content, dict), where, "an object with strokes", _kind_of(content))
    return checked_strokes(f"{where}.strokes", content.get("strokes"))


def _checked_stroke(where: str, content: Any) -> Stroke:
    require(isinstance(content, dict), where, f"an object with {', '.join(COLUMNS)}", _kind_of(content))
    columns = {name: content.get(name) for name in COLUMNS}
    for name, column in columns.items():
        require(isinstance(column, list), f"{where}.{name}", "a list of numbers", _kind_of(column))
        bad = next((value for value in column if not _is_coordinate(value)), None)
        require(bad is None, f"{where}.{name}", f"numbers of at most {LARGEST_NUMBER:g}", bad)
    lengths = {len(column) for column in columns.values()}
    require(len(lengths) == 1 and 0 not in lengths, where, "lists of one length, with a point", sorted(lengths))
    backward = any(b < a for a, b in zip(columns["t"], columns["t"][1:], strict=False))
    require(not backward, f"{where}.t", "times that do not go back", "some that do")
    return columns


def _checked_junction(content: Any, count: int) -> Junction:
    require(isinstance(content, Mapping), "junction", "an object with drawing, x and y", _kind_of(content))
    drawing = content.get("drawing")
    ok = isinstance(drawing, int) and not isinstance(drawing, bool) and 0 <= drawing < count
    require(ok, "junction.drawing", f"one of {count} drawings, counted from 0", drawing)
    x, y = check_pair("junction", [content.get("x"), content.get("y")])
    return Junction(drawing, float(x), float(y))


def _is_coordinate(value: Any) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and abs(value) <= LARGEST_NUMBER


def _kind_of(value: Any) -> str:
    return "missing" if value is None else type(value).__name__
