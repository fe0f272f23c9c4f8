"""One drawing as it lies in a file, and the limits that a file of drawings must keep."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from defusedxml import DefusedXmlException
from defusedxml import ElementTree as SafeTree
from numpy.typing import NDArray

Array = NDArray[np.float64]
Part = Literal["train", "val", "test"]

MOST_BYTES = 100 * 10**6  # of one file, decompressed
MOST_POINTS = 10**7  # of one file
GZIP = b"\x1f\x8b"


@dataclass(frozen=True)
class Drawing:
    """A pen's points, y upwards, in the file's own units.

    Attributes:
        points: (T, 2); a row of NaN is a lost point.
        lifted: (T,), True where no line leads from the point to the next one. The last one is True.
        time: (T,), when the points were drawn, in the file's own unit, or None where the file does not say.
        part: What the file says it is for, or None where it does not say.
        label: The name of its class, or None where it has none.
    """

    points: Array
    lifted: NDArray[np.bool_]
    time: Array | None = None
    part: Part | None = None
    label: str | None = None

    @classmethod
    def of_strokes(cls, strokes: Sequence[Array], times: Sequence[Array] | None = None) -> Drawing:
        """Return strokes (n, 2), each drawn without a lift, as one drawing."""
        lifted = np.zeros(sum(map(len, strokes)), dtype=bool)
        lifted[np.cumsum([len(stroke) for stroke in strokes]) - 1] = True
        return cls(np.concatenate(strokes), lifted, None if times is None else np.concatenate(times))

    def __len__(self) -> int:
        return len(self.points)

    def stretch(self, begin: int, end: int) -> Drawing:
        """Return the points begin, …, end - 1, with a lift after the last one."""
        lifted = self.lifted[begin:end].copy()
        lifted[-1:] = True
        time = None if self.time is None else self.time[begin:end]
        return replace(self, points=self.points[begin:end], lifted=lifted, time=time)

    def at_interval(self, name: str, interval: float) -> Drawing:
        """Return the drawing at equal times, interpolated along each stroke from its first point on.

        Args:
            name: The drawing's, for messages.
            interval: The time between two points, in the unit of `time`.

        Raises:
            ValueError: Its times are not known or go back, or there would be too many points.
        """
        if self.time is None:
            raise ValueError(
                f"{name}: expected the times of its points for interval={interval}, but it has none: record them (InkML, "
                "JSON, a column t of a table), or set interval=null"
            )
        strokes, times = [], []
        for stroke, time in zip(self.strokes, self.stroke_times, strict=True):
            assert time is not None  # they are known
            if (np.diff(time) < 0.0).any():
                raise ValueError(f"{name}: times must not go back within a stroke: repair them, or set interval=null")
            steps = (time[-1] - time[0]) / interval
            if steps > MOST_POINTS:
                raise ValueError(
                    f"{name}: interval={interval} makes more than {MOST_POINTS:,} points: take a longer one"
                )
            times.append(time[0] + interval * np.arange(int(steps + 1e-9) + 1))
            strokes.append(np.column_stack([np.interp(times[-1], time, axis) for axis in stroke.T]))
        return replace(Drawing.of_strokes(strokes, times), part=self.part, label=self.label)

    @property
    def strokes(self) -> list[Array]:
        """The strokes, each (n, 2)."""
        return np.split(self.points, np.flatnonzero(self.lifted[:-1]) + 1)

    @property
    def stroke_times(self) -> list[Array] | list[None]:
        """The times of the points of each stroke, (n,), or None for each where they are not known."""
        ends = np.flatnonzero(self.lifted[:-1]) + 1
        return [None] * (len(ends) + 1) if self.time is None else np.split(self.time, ends)


def read_bytes(path: Path) -> bytes:
    """Return what a file holds, decompressed if it is compressed by gzip.

    Raises:
        ValueError: It is larger than `MOST_BYTES`, or the compressed data are damaged.
    """
    with path.open("rb") as file:
        compressed = file.read(2) == GZIP
        file.seek(0)
        try:
            content = (gzip.GzipFile(fileobj=file) if compressed else file).read(MOST_BYTES + 1)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise ValueError(f"{path}: its compressed data are damaged ({error}): copy or export it again") from error
    check_size(path, len(content))
    return content


def check_size(path: Path, size: int) -> None:
    """Refuse a file of more bytes than `MOST_BYTES`, counted as they are when decompressed."""
    if size > MOST_BYTES:
        raise ValueError(
            f"{path}: expected at most {MOST_BYTES // 10**6} MB (decompressed), but it holds more: split it into several files"
        )


def check_points(path: Path, count: int) -> None:
    """Refuse a file of more points than `MOST_POINTS`."""
    if count > MOST_POINTS:
        raise ValueError(
            f"{path}: expected at most {MOST_POINTS:,} points, but it holds more: split it into several files"
        )


def read_xml(path: Path, kind: str) -> Any:
    """Return the root element of an XML file, plain or compressed by gzip.

    Raises:
        ValueError: Not well-formed (the message names the line), or it defines entities: a file of a few lines could fill
            the memory with them.
    """
    content = read_bytes(path)
    try:
        return SafeTree.fromstring(content)
    except DefusedXmlException as error:
        cure = "export the drawing as plain " + kind
        raise ValueError(f"{path}: refused, because it defines or references XML entities ({error}): {cure}") from error
    except (SafeTree.ParseError, ValueError, LookupError) as error:
        raise ValueError(f"{path}: not a well-formed {kind} file: {error}") from error
