"""Files of kinds that people have trouble with: each gives its right answer."""

import logging
from pathlib import Path

import numpy as np
import pytest

from vrnn.patterns import DrawnPattern
from vrnn.patterns.files.read import load_drawings, read_drawings
from vrnn.patterns.resampling import normalise

CASES = Path(__file__).parents[1] / "fixtures" / "cases"
STAIRS = np.array([[20, 20], [40, 20], [40, 40], [20, 40], [20, 60], [40, 60], [40, 80], [20, 80]]) * [1.0, -1.0]


def only(name):
    (points,) = read_drawings(CASES / name).values()
    return points


@pytest.mark.parametrize("name", ["page.svg", "icon.svg"])
def test_what_is_not_drawn_with_a_line_is_no_stroke(name):
    np.testing.assert_array_equal(only(name), STAIRS)


def test_an_arc_that_ends_where_it_begins_is_left_out():
    np.testing.assert_array_equal(only("arc.svg"), [*STAIRS, [20, -90]])


def test_rows_of_empty_cells_are_lost_points():
    points = only("lost.csv")
    lost = np.isnan(points).all(axis=1)
    assert np.flatnonzero(lost).tolist() == [5, 6]
    np.testing.assert_array_equal(points[~lost], [[i, i * i] for i in range(12) if i not in (5, 6)])


def test_semicolons_and_decimal_commas():
    (drawing,) = load_drawings(CASES / "semicolon.csv").values()
    assert drawing.points[1].tolist() == [1.5, 1.0]
    assert drawing.points[5].tolist() == [5.0, 25.5]
    np.testing.assert_array_equal(drawing.time, np.arange(9) * 10.0)


def test_twenty_drawings_in_one_array():
    drawings = read_drawings(CASES / "twenty.npy")
    assert len(drawings) == 20
    drawn = DrawnPattern(CASES / "twenty.npy", holdout=0).draw("train", 16, 1000, np.random.default_rng(0))
    for points, trace in zip(drawings.values(), drawn, strict=True):  # all of them, though 16 are asked for
        np.testing.assert_allclose(trace.points, normalise(points))
    split = DrawnPattern(CASES / "twenty.npy")
    assert {part: len(split.draw(part, 16, 1000, None)) for part in ("train", "val", "test")} == {
        "train": 16,
        "val": 2,
        "test": 2,
    }


# ---- tables ----------------------------------------------------------------------------------------------------------

ROWS = [(0.5, 1.0), (1.25, -2.0), (2.0, 4.5), (3.0, 9.0), (4.0, 16.0), (5.0, 25.0), (6.0, 36.0), (7.0, 49.0)]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", " ", "   ", ", ", "; "])
@pytest.mark.parametrize("mark", [".", ","])
@pytest.mark.parametrize("header", ["x{}y\n", ""])
def test_delimiters_and_decimal_marks_are_recognised(tmp_path, delimiter, mark, header):
    if mark == "," and delimiter.strip() == ",":
        pytest.skip("nothing tells these apart")
    lines = [delimiter.join(str(number).replace(".", mark) for number in row) for row in ROWS]
    (tmp_path / "a.csv").write_text(header.format(delimiter) + "\n".join(lines) + "\n")
    (points,) = read_drawings(tmp_path / "a.csv").values()
    np.testing.assert_array_equal(points, ROWS)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_marks_of_the_byte_order(tmp_path, encoding):
    (tmp_path / "a.csv").write_text("x;y\n" + "\n".join(f"{x};{y}" for x, y in ROWS), encoding=encoding)
    (points,) = read_drawings(tmp_path / "a.csv").values()
    np.testing.assert_array_equal(points, ROWS)


def test_lost_points_between_tabs_and_blank_lines(tmp_path):
    lines = [f"{x}\t{y}" for x, y in ROWS]
    (tmp_path / "a.tsv").write_text("\n".join(["x\ty", *lines[:4], "\t", "", "  ", *lines[4:]]))
    (points,) = read_drawings(tmp_path / "a.tsv").values()
    assert np.flatnonzero(np.isnan(points).all(axis=1)).tolist() == [4]
    assert len(points) == 9


@pytest.mark.parametrize(
    ("rows", "taken", "first"),
    [
        ([f"{x},{y}" for x, y in ROWS], "as a header", ROWS[0]),
        ([f"{i},{i * i}" for i in range(8)], "as numbers: remove it if it is a header", (0, 1)),
    ],
)
def test_a_header_of_numbers_is_questioned(tmp_path, caplog, rows, taken, first):
    """As pandas writes columns without names. Beside decimals it is a header, beside whole numbers it may be a point."""
    (tmp_path / "a.csv").write_text("\n".join(["0,1", *rows]))
    with caplog.at_level(logging.WARNING):
        (points,) = read_drawings(tmp_path / "a.csv").values()
    assert tuple(points[0]) == first
    assert f"0,1 may be a header or numbers. It is taken {taken}" in caplog.text


def test_a_line_without_end_is_refused(tmp_path):
    (tmp_path / "a.csv").write_text("x,y\n" + "1" * 2_000_000)
    with pytest.raises(ValueError, match=r"row 2: expected at most 1,000,000 characters in a line"):
        read_drawings(tmp_path / "a.csv")
