"""Handwriting from the IAM On-Line Handwriting Database (IAM-OnDB; Liwicki and Bunke 2005).

The database is free for research after registration, and not ours to give away. Its files `lineStrokes/…/*.xml`, a line of
text each, look like this:

    <WhiteboardCaptureSession>
      <StrokeSet>
        <Stroke colour="black" start_time="769.05" end_time="769.64">
          <Point x="1073" y="1058" time="769.05"/>
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from defusedxml import DefusedXmlException
from defusedxml import ElementTree as SafeTree
from numpy.typing import NDArray

from vrnn.patterns.strokes import to_offsets
from vrnn.patterns.trace import Pattern, Split, Trace

Array = NDArray[np.float64]

HELD_OUT = 0.1  # share of the files for validation, and again for the test


class Handwriting(Pattern):
    """Every file one sequence of (pen, dx, dy), see `vrnn.patterns.strokes`.

    y points upwards, and one scale for dx and dy, from the training files, makes their two variances sum to 1 there
    (Chung et al. 2015). The files are shuffled and split 80 : 10 : 10 into training, validation and test.

    Args:
        directory: Searched for XML files, with everything below it.
        split_seed: Of the shuffle.

    Raises:
        ValueError: no such directory, fewer than three files in it, or a file that cannot be read (see `read_strokes`).
    """

    x_dim = 3
    form = "strokes"

    def __init__(self, directory: str | Path, split_seed: int = 0) -> None:
        paths = sorted(Path(directory).rglob("*.xml"))
        if len(paths) < 3:
            raise ValueError(
                f"directory={directory}: expected three *.xml files or more in it or below, one for each split, found "
                f"{len(paths)} (the working directory is {Path.cwd()}); IAM-OnDB's are in lineStrokes-all.tar.gz"
            )
        order = np.random.default_rng(split_seed).permutation(len(paths))
        held = max(1, round(HELD_OUT * len(paths)))
        self._files: dict[Split, NDArray[np.int64]] = {
            "val": order[:held],
            "test": order[held : 2 * held],
            "train": order[2 * held :],
        }
        sequences = [to_offsets(read_strokes(path)) for path in paths]
        moves = np.concatenate([sequences[i][:, 1:] for i in self._files["train"]])
        scale = np.sqrt(moves.var(axis=0).sum())
        if not scale > 0.0:
            raise ValueError(
                f"directory={directory}: in its training files the pen never moves: there is nothing to scale"
            )
        self._sequences = [sequence / [1.0, scale, scale] for sequence in sequences]

    def draw(self, split: Split, n: int, steps: int, rng: np.random.Generator) -> list[Trace]:
        """Return the sequences of n different files of a split in random order, or of all; of each the first `steps`."""
        chosen = rng.permutation(self._files[split])[:n]
        return [Trace.of_unknown_origin(self._sequences[i].copy()).until(steps) for i in chosen]


def read_strokes(path: Path) -> list[Array]:
    """Return the strokes of a file, each (n, 2) with n >= 1, in its own units, y upwards.

    Raises:
        ValueError: not well-formed (the message names the line), entity definitions, another kind of XML, a stroke
            without points, a coordinate that is no finite number (it names the stroke and the point), or fewer than two points.
    """
    try:
        root = SafeTree.parse(path).getroot()
    except DefusedXmlException as error:
        raise ValueError(f"{path}: refused, because it defines or references XML entities ({error})") from error
    except (SafeTree.ParseError, ValueError, LookupError, OSError) as error:
        raise ValueError(f"{path}: not a readable XML file: {error}") from error
    if root.tag != "WhiteboardCaptureSession":
        raise ValueError(f"{path}: expected <WhiteboardCaptureSession> as its root, got <{root.tag}>")
    strokes = []
    for i, stroke in enumerate(root.iterfind("StrokeSet/Stroke"), start=1):
        points = [_point(f"{path}: stroke {i}, point {j}", p) for j, p in enumerate(stroke.iterfind("Point"), start=1)]
        if not points:
            raise ValueError(f"{path}: stroke {i} (counted from 1) has no <Point>")
        strokes.append(np.array(points))
    if sum(map(len, strokes)) < 2:
        raise ValueError(f"{path}: expected two points or more in StrokeSet/Stroke/Point, got {sum(map(len, strokes))}")
    return strokes


def _point(where: str, element: Any) -> tuple[float, float]:
    """Return x and, upwards, y."""
    try:
        x, y = float(element.get("x", "")), float(element.get("y", ""))
    except ValueError:
        x = y = np.nan
    if not (abs(x) < 1e100 and abs(y) < 1e100):  # beyond it squares overflow; NaN is refused as well
        raise ValueError(f"{where} (counted from 1): expected finite numbers x and y, got {dict(element.attrib)}")
    return x, -y
