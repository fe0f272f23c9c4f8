"""Formats of digital ink: strokes, times and parts come back as they were written; nothing hostile is run."""

import gzip
import json
import os

import numpy as np
import pytest

from vrnn.patterns import DrawnPattern
from vrnn.patterns.drawings import load_normalised
from vrnn.patterns.files.read import load_drawings

POINTS = np.array([[0.0, 0.0], [1, 0.5], [2, 2], [2.5, 3], [2, 4], [1, 4.5], [0, 3], [-1, 1], [-0.5, 0.1]])
SECOND = np.array([[5.0, 6.0], [7.0, 8.0]])
UP = np.array([1.0, -1.0])  # a screen's y axis points down


def only(path):
    (drawing,) = load_drawings(path).values()
    return drawing


def assert_two_strokes(drawing):
    first, second = drawing.strokes
    np.testing.assert_allclose(first, POINTS * UP, atol=1e-15)  # a place that is added rounds
    np.testing.assert_array_equal(second, SECOND * UP)


@pytest.mark.parametrize("pack", [gzip.compress, bytes])
def test_xournal_pages_hold_the_pen_s_strokes(tmp_path, pack):
    strokes = [("pen", POINTS), ("highlighter", POINTS * 9), ("pen", SECOND)]
    body = "".join(f'<stroke tool="{t}" width="1">{" ".join(map(str, p.ravel()))}</stroke>' for t, p in strokes)
    page = f"<page><layer>{body}</layer></page>"
    (tmp_path / "a.xopp").write_bytes(pack(f"<xournal><page/>{page}</xournal>".encode()))
    assert_two_strokes(only(tmp_path / "a.xopp"))


def test_inkml_has_times_and_differences(tmp_path):
    channels = "".join(f'<channel name="{name}"/>' for name in "XYT")
    trace = ",".join(f"{x} {y} {10 * i}" for i, (x, y) in enumerate(POINTS))
    ink = f"<traceFormat>{channels}</traceFormat><trace>{trace}</trace><trace>5 6 100,'2 '2 '10</trace>"
    (tmp_path / "a.inkml").write_text(f'<ink xmlns="http://www.w3.org/2003/InkML">{ink}</ink>')
    drawing = only(tmp_path / "a.inkml")
    assert_two_strokes(drawing)
    np.testing.assert_array_equal(drawing.time, [*range(0, 90, 10), 100, 110])


CONTEXTS = """<definitions>
<context xml:id="a"><inkSource><traceFormat><channel name="F"/><channel name="X"/><channel name="Y"/></traceFormat></inkSource>
</context><traceFormat xml:id="f"><channel name="X"/><channel name="Y"/></traceFormat><context xml:id="b" traceFormatRef="#f"/>
</definitions>"""


def test_inkml_of_pens_with_and_without_pressure(tmp_path):
    """As OneNote writes it, where each trace refers to a context."""
    first = ",".join(f"0.5 {x} {y}" for x, y in POINTS)
    traces = f'<trace contextRef="#a">{first}</trace><trace contextRef="#b">5 6,7 8</trace>'
    (tmp_path / "a.inkml").write_text(f"<ink>{CONTEXTS}{traces}</ink>")
    assert_two_strokes(only(tmp_path / "a.inkml"))
    (tmp_path / "b.inkml").write_text(f"<ink>{CONTEXTS}<trace>5 6,7 8</trace></ink>")
    with pytest.raises(ValueError, match=r"trace 1 .* expected one trace format, or a contextRef, but .* several"):
        load_drawings(tmp_path / "b.inkml")


def test_quickdraw_has_a_drawing_per_line(tmp_path):
    columns = [stroke.T.tolist() for stroke in (POINTS, SECOND)]
    (tmp_path / "a.ndjson").write_text(json.dumps({"word": "cat", "drawing": columns}) + "\n\n")
    assert_two_strokes(only(tmp_path / "a.ndjson"))
    (tmp_path / "b.ndjson").write_text('{"drawing": [[[1, 2], [3]]]}')
    with pytest.raises(ValueError, match=r"b.ndjson, line 1: stroke 1 .* must be two or three lists of equally many"):
        load_drawings(tmp_path / "b.ndjson")


@pytest.mark.parametrize(
    "stroke",
    [
        lambda p: p.tolist(),
        lambda p: {"points": [{"x": x, "y": y, "time": 7, "pressure": 0.5} for x, y in p]},
        lambda p: {"x": p[:, 0].tolist(), "y": p[:, 1].tolist()},
        lambda p: {"x": 3, "y": 4, "points": (p - [3, 4]).tolist()},
    ],
)
def test_json_of_strokes(tmp_path, stroke):
    (tmp_path / "a.json").write_text(json.dumps({"title": "two", "strokes": [stroke(POINTS), stroke(SECOND)]}))
    assert_two_strokes(only(tmp_path / "a.json"))


# ---- sketch-rnn: pickled arrays --------------------------------------------------------------------------------------


def objects(items):
    held = np.empty(len(items), dtype=object)
    held[:] = items
    return held


def test_sketch_rnn_files_give_moves_and_their_own_split(tmp_path):
    rng = np.random.default_rng(0)
    moves = [np.column_stack([rng.integers(-9, 9, (n, 2)), np.arange(n) == 5]).astype(np.int16) for n in (12, 13, 14)]
    np.savez(tmp_path / "a.npz", train=objects(moves[:2]), valid=objects(moves[2:]), test=objects(moves[2:]))
    drawings = list(load_drawings(tmp_path / "a.npz").values())
    assert [drawing.part for drawing in drawings] == ["train", "train", "val", "test"]
    for drawing, sketch in zip(drawings, [*moves, moves[2]], strict=True):
        np.testing.assert_array_equal(drawing.points, sketch[:, :2].cumsum(axis=0) * UP)
        assert [len(stroke) for stroke in drawing.strokes] == [6, len(sketch) - 6]


class Hostile:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_a_hostile_pickle_is_refused_and_does_not_run(tmp_path):
    np.savez(tmp_path / "a.npz", train=objects([Hostile(tmp_path / "made")]))
    with pytest.raises(ValueError, match=r"it names \w+.mkdir, which is no array of numbers"):
        load_drawings(tmp_path / "a.npz")
    assert not (tmp_path / "made").exists()


# ---- limits ----------------------------------------------------------------------------------------------------------


def test_what_inflates_beyond_the_limit_is_refused(tmp_path):
    (tmp_path / "a.xopp").write_bytes(gzip.compress(b"<xournal>" + b" " * (101 * 10**6)))
    np.savez_compressed(tmp_path / "b.npz", a=np.zeros((7_000_000, 2)))
    for name in ("a.xopp", "b.npz"):
        with pytest.raises(ValueError, match=rf"{name}: expected at most 100 MB \(decompressed\)"):
            load_drawings(tmp_path / name)


def test_use_within_use_cannot_multiply_without_end(tmp_path, monkeypatch):
    monkeypatch.setattr("vrnn.patterns.files.svg.MOST_USED", 1000)
    levels = "".join(f'<g id="l{i + 1}">' + f'<use href="#l{i}"/>' * 10 + "</g>" for i in range(9))
    (tmp_path / "a.svg").write_text(
        f'<svg><defs><g id="l0"><path stroke="red" d="M0 0L1 1"/></g>{levels}</defs><use href="#l9"/></svg>'
    )
    with pytest.raises(ValueError, match=r"expected at most 1,000 elements drawn by <use>"):
        load_drawings(tmp_path / "a.svg")


def test_points_at_equal_times_along_each_stroke(tmp_path):
    """Two straight strokes, the first at constant speed, the second ever faster: x = t and x = t^2 / 100."""
    first, second = np.arange(0, 91, 10.0), np.arange(0, 101, 10.0)
    strokes = [
        [first.tolist(), [0] * 10, first.tolist()],
        [(second**2 / 100).tolist(), [1] * 11, (second + 500).tolist()],
    ]
    (tmp_path / "a.ndjson").write_text(json.dumps({"drawing": strokes}))
    (drawing,) = load_normalised(tmp_path / "a.ndjson", interval=20.0).values()
    one, two = only(tmp_path / "a.ndjson").at_interval("a", 20.0).strokes
    np.testing.assert_allclose(one[:, 0], [0, 20, 40, 60, 80])
    np.testing.assert_allclose(two[:, 0], [0, 4, 16, 36, 64, 100])
    assert [len(stroke) for stroke in drawing.strokes] == [5, 6]
    assert drawing.points.std(axis=0).sum() == pytest.approx(2.0)


def test_times_that_cannot_be_used_are_refused(tmp_path):
    (tmp_path / "a.csv").write_text("x,y\n" + "".join(f"{i},{i * i}\n" for i in range(12)))
    (tmp_path / "b.csv").write_text("x,y,t\n" + "".join(f"{i},{i * i},{-i}\n" for i in range(12)))
    (tmp_path / "c.csv").write_text("x,y,t\n" + "".join(f"{i},{i * i},{i}\n" for i in range(12)))
    for name, interval, fault in (
        ("a.csv", 1.0, "expected the times of its points for interval=1.0, but it has none"),
        ("b.csv", 1.0, "times must not go back"),
        ("c.csv", 1e-9, "more than 10,000,000 points: take a longer one"),
        ("c.csv", 5.0, "fewer than 8 points at interval=5.0: take a shorter one"),
        ("c.csv", 0.0, "interval must be a number > 0"),
    ):
        with pytest.raises(ValueError, match=fault):
            load_normalised(tmp_path / name, interval)
    with pytest.raises(ValueError, match="speed or interval must be null"):
        DrawnPattern(tmp_path / "c.csv", speed=0.2, interval=1.0)
    assert len(DrawnPattern(tmp_path / "c.csv", interval=0.5, holdout=0).draw("test", 1, None, None)[0].points) == 23
