"""What is written reads back as the same numbers, for random drawings and series in each kind of file."""

import gzip
import json

import numpy as np
import pytest

from vrnn.patterns import write_traces
from vrnn.patterns.files.drawing import Drawing
from vrnn.patterns.files.ink_json import write_json, write_ndjson
from vrnn.patterns.files.ink_xml import write_inkml
from vrnn.patterns.files.read import load_drawings
from vrnn.patterns.files.series_files import load_series
from vrnn.patterns.strokes import to_plane

SEEDS = range(20)


def random_drawing(rng, timed=None):
    """One to six strokes, many of one point, in any unit, with or without times."""
    sizes = [*rng.integers(1, 5, size=rng.integers(0, 6)), 8]
    rng.shuffle(sizes)
    unit, place = 10.0 ** rng.uniform((-12, 0), (12, 6))
    strokes = [unit * (place + rng.standard_normal((size, 2))) for size in sizes]
    timed = rng.random() < 0.5 if timed is None else timed
    times = np.split(1e9 * rng.random() + rng.random(sum(sizes)).cumsum(), np.cumsum(sizes)[:-1]) if timed else None
    return Drawing.of_strokes(strokes, times)


def random_moves(rng, steps):
    """Moves of a pen that lifts at every step, never, or now and then."""
    pen = rng.random(steps) < rng.choice([0.0, 0.2, 1.0])
    return np.column_stack([pen, 10.0 ** rng.uniform(-6, 6) * rng.standard_normal((steps, 2))])


def padded(sequences):
    """Stack sequences of unequal lengths, with NaN after their ends."""
    whole = np.full((len(sequences), max(map(len, sequences)), sequences[0].shape[1]), np.nan)
    for row, sequence in zip(whole, sequences, strict=True):
        row[: len(sequence)] = sequence
    return whole


def drawings_in(path):
    return list(load_drawings(path, fewest=1).values())


def assert_same(found, expected):
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one.points, other.points)
        np.testing.assert_array_equal(one.lifted, other.lifted)
        assert (one.time is None) == (other.time is None)
        if other.time is not None:
            np.testing.assert_array_equal(one.time, other.time)


@pytest.mark.parametrize("seed", SEEDS)
def test_drawings_with_times_come_back(tmp_path, seed):
    rng = np.random.default_rng(seed)
    drawings = [random_drawing(rng) for _ in range(4)]
    write_ndjson(tmp_path / "a.ndjson", drawings)
    write_json(tmp_path / "a.json", drawings)
    for name in ("a.ndjson", "a.json"):
        assert_same(drawings_in(tmp_path / name), drawings)
    write_inkml(tmp_path / "a.inkml", drawings[0])
    assert_same(drawings_in(tmp_path / "a.inkml"), drawings[:1])


@pytest.mark.parametrize("kind", ["npz", "csv", "ndjson", "json", "inkml", "stroke3", "svg"])
def test_moves_of_a_pen_come_back(tmp_path, kind):
    for seed in SEEDS:
        rng = np.random.default_rng(seed)
        count = 1 if kind in ("inkml", "svg") else 3
        moves = [random_moves(rng, steps) for steps in rng.integers(8, 20, size=count)]
        path = tmp_path / f"{seed}.{'npz' if kind == 'stroke3' else kind}"
        write_traces(path, padded(moves), kind, "strokes")
        expected = [Drawing(*to_plane(one)).stretch(0, len(one) + 1) for one in moves]
        if kind == "svg":  # whose shortest line has two points
            strokes = [stroke if len(stroke) > 1 else np.repeat(stroke, 2, axis=0) for stroke in expected[0].strokes]
            expected = [Drawing.of_strokes(strokes)]
        assert_same(drawings_in(path), expected)


@pytest.mark.parametrize("kind", ["npz", "csv", "ndjson", "json", "inkml", "svg"])
def test_points_of_the_plane_come_back(tmp_path, kind):
    for seed in SEEDS:
        rng = np.random.default_rng(seed)
        sizes = rng.integers(8, 20, size=1 if kind in ("inkml", "svg") else 3)
        traces = [10.0 ** rng.uniform(-9, 9) * (rng.standard_normal((size, 2)) + rng.uniform(-9, 9)) for size in sizes]
        write_traces(tmp_path / f"{seed}.{kind}", padded(traces), kind)
        assert_same(drawings_in(tmp_path / f"{seed}.{kind}"), [Drawing.of_strokes([trace]) for trace in traces])


@pytest.mark.parametrize("width", [1, 3, 40])
def test_series_come_back(tmp_path, width):
    rng = np.random.default_rng(width)
    series = [10.0 ** rng.uniform(-9, 9, size=width) * rng.standard_normal((size, width)) for size in (9, 12, 8)]
    names = ["a, b", 'c "d"', *map("e{}".format, range(38))][:width]
    write_traces(tmp_path / "a.csv", padded(series), "csv", "series", names)
    write_traces(tmp_path / "a.npz", padded(series), "npz", "series", names)
    for found in (load_series(tmp_path / "a.csv", names, "trace"), load_series(tmp_path / "a.npz")):
        for one, expected in zip(found.values(), series, strict=True):
            np.testing.assert_array_equal(one.values, expected)
            assert one.channels == tuple(names)


# ---- kinds that other programs write: here in the form in which they do --------------------------------------------------


def xournal(drawing):
    """As Xournal++ writes a page: the pen's pressure is the width of each segment, and y points down."""
    lines = [
        f'<stroke tool="pen" ts="0" color="#000000ff" capStyle="round" width="1.41{" 0.9" * (len(stroke) - 1)}">'
        + " ".join(map(repr, (stroke * [1.0, -1.0]).ravel().tolist()))
        + "</stroke>"
        for stroke in drawing.strokes
    ]
    page = f'<page width="595.27" height="841.88"><background type="solid"/><layer>{"".join(lines)}</layer></page>'
    text = f'<?xml version="1.0" standalone="no"?><xournal creator="xournalpp 1.2" fileversion="4">{page}</xournal>'
    return gzip.compress(text.encode())


def timed_points_with_pressure(drawing):
    """As signature pads write JSON: a list of points for each stroke, with time and pressure."""
    rng = np.random.default_rng(0)
    strokes = [
        [
            {"x": x, "y": -y, "time": t, "pressure": rng.random()}
            for (x, y), t in zip(stroke.tolist(), time.tolist(), strict=True)
        ]
        for stroke, time in zip(drawing.strokes, drawing.stroke_times, strict=True)
    ]
    return json.dumps([{"penColor": "black", "points": points} for points in strokes]).encode()


def ink_with_pressure(drawing):
    """As pens write InkML: channels X, Y, F and T, differences after the first point."""
    channels = "".join(f'<channel name="{name}"/>' for name in ("X", "Y", "F", "T"))
    traces = []
    for stroke, time in zip(drawing.strokes, drawing.stroke_times, strict=True):
        points = [f"{x!r} {-y!r} 0.5 {t!r}" for (x, y), t in zip(stroke.tolist(), time.tolist(), strict=True)]
        traces.append(f"<trace>{','.join(points)}</trace>")
    context = f"<context><inkSource><traceFormat>{channels}</traceFormat></inkSource></context>"
    return f"<ink>{context}{''.join(traces)}</ink>".encode()


@pytest.mark.parametrize("seed", SEEDS)
def test_files_as_other_programs_write_them_read(tmp_path, seed):
    drawing = random_drawing(np.random.default_rng(seed), timed=True)
    untimed = Drawing(drawing.points, drawing.lifted)
    (tmp_path / "a.xopp").write_bytes(xournal(drawing))
    assert_same(drawings_in(tmp_path / "a.xopp"), [untimed])
    for name, content in (("a.json", timed_points_with_pressure(drawing)), ("a.inkml", ink_with_pressure(drawing))):
        (tmp_path / name).write_bytes(content)
        assert_same(drawings_in(tmp_path / name), [drawing])


def test_sketches_of_whole_numbers_come_back(tmp_path):
    """As sketch-rnn's files: int16 moves. All of the second go to the right by one at most, as its pen does."""
    rng = np.random.default_rng(0)
    first = np.column_stack([rng.integers(-90, 90, (12, 2)), rng.integers(0, 2, 12)]).astype(np.int16)
    second = np.column_stack([rng.integers(0, 2, 12), rng.integers(-90, 90, 12), rng.integers(0, 2, 12)]).astype(
        np.int16
    )
    held = np.empty(2, dtype=object)
    held[:] = [first, second]
    np.savez_compressed(tmp_path / "a.npz", train=held)
    found = drawings_in(tmp_path / "a.npz")
    for one, moves in zip(found, held, strict=True):
        np.testing.assert_array_equal(one.points, moves[:, :2].cumsum(axis=0) * [1, -1])
        np.testing.assert_array_equal(one.lifted[:-1], moves[:-1, 2] == 1)


@pytest.mark.parametrize("shape", [(30,), (30, 2), (30, 5), (4, 30, 3)])
def test_arrays_in_npy_come_back(tmp_path, shape):
    array = np.random.default_rng(0).standard_normal(shape)
    np.save(tmp_path / "a.npy", array)
    found = np.stack([one.values for one in load_series(tmp_path / "a.npy").values()])
    np.testing.assert_array_equal(found.reshape(shape), array)
    if shape[1:] == (2,):
        np.testing.assert_array_equal(drawings_in(tmp_path / "a.npy")[0].points, array)


def test_tables_in_parquet_come_back(tmp_path):
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    values = np.random.default_rng(0).standard_normal((40, 3)) * [1e-9, 1.0, 1e9]
    table = arrow.table({"a": values[:, 0], "b": values[:, 1], "c": values[:, 2], "who": ["x"] * 15 + ["y"] * 25})
    parquet.write_table(table, tmp_path / "a.parquet")
    first, second = load_series(tmp_path / "a.parquet", group="who").values()
    np.testing.assert_array_equal(np.concatenate([first.values, second.values]), values)
