"""What is written can be read back."""

import numpy as np
import pytest
from svgpathtools import svg2paths

from vrnn.patterns.files.read import read_drawings
from vrnn.patterns.files.write import write_traces


def traces(n=5, steps=40):
    return np.cumsum(np.random.default_rng(7).standard_normal((n, steps, 2)), axis=1)


@pytest.mark.parametrize("kind", ["npz", "csv"])
def test_arrays_and_tables_come_back_exactly_and_in_order(tmp_path, kind):
    path = tmp_path / f"traces.{kind}"
    write_traces(path, traces(n=12), kind)
    np.testing.assert_array_equal(np.stack(list(read_drawings(path).values())), traces(n=12))


def test_npz_and_csv_as_other_programs_see_them(tmp_path):
    write_traces(tmp_path / "no_suffix", traces(), "npz")
    np.testing.assert_array_equal(np.load(tmp_path / "no_suffix")["traces"], traces())
    write_traces(tmp_path / "a.csv", traces(2, 3), "csv")
    table = np.genfromtxt(tmp_path / "a.csv", delimiter=",", names=True)
    assert table.dtype.names == ("trace", "step", "x", "y")
    assert table["trace"].tolist() == [0, 0, 0, 1, 1, 1]
    assert table["step"].tolist() == [0, 1, 2, 0, 1, 2]
    np.testing.assert_array_equal(table["y"], traces(2, 3)[..., 1].ravel())


def test_svg_lays_the_traces_out_in_a_grid_at_one_scale(tmp_path):
    path = tmp_path / "many.svg"
    write_traces(path, traces(5), "svg")
    paths, _ = svg2paths(str(path))
    assert len(paths) == 5
    boxes = np.array([p.bbox() for p in paths])  # xmin, xmax, ymin, ymax
    sizes = np.ptp(traces(5), axis=1)
    np.testing.assert_allclose(np.stack([np.diff(boxes[:, :2])[:, 0], np.diff(boxes[:, 2:])[:, 0]], axis=1), sizes)
    cell = sizes.max() / 0.84
    middles = np.stack([boxes[:, :2].mean(axis=1), boxes[:, 2:].mean(axis=1)], axis=1)
    place = np.array([[0, 0], [1, 0], [2, 0], [0, 1], [1, 1]])
    np.testing.assert_allclose(middles - middles[0], cell * place, atol=1e-9)
    root = path.read_text().splitlines()[0]
    corner = middles[0] - cell / 2
    assert 'width="600" height="400"' in root
    box = [float(number) for number in root.partition('viewBox="')[2].partition('"')[0].split()]
    np.testing.assert_allclose(box, [*corner, 3 * cell, 2 * cell], rtol=1e-8)


def test_a_trace_without_extent_is_still_written(tmp_path):
    write_traces(tmp_path / "dot.svg", np.zeros((1, 9, 2)), "svg")
    assert 'viewBox="-0.595238095 -0.595238095 1.19047619' in (tmp_path / "dot.svg").read_text(encoding="utf-8")


@pytest.mark.parametrize("kind", ["csv", "svg"])
def test_numbers_that_are_not_finite_only_fit_npz(tmp_path, kind):
    bad = traces(3)
    bad[1, 5, 0] = np.nan
    with pytest.raises(ValueError, match=rf"trace 1 has numbers that are not finite \(1 of 3 have\): a {kind} file"):
        write_traces(tmp_path / "bad", bad, kind)
    write_traces(tmp_path / "bad.npz", bad, "npz")
    np.testing.assert_array_equal(np.load(tmp_path / "bad.npz")["traces"], bad)


def test_bad_requests(tmp_path):
    with pytest.raises(ValueError, match=r"expected one of the formats npz, csv, svg, mid, .*, got 'png'"):
        write_traces(tmp_path / "a", traces(), "png")
    for shape in [(9, 2), (3, 9, 3), (0, 9, 2), (3, 0, 2)]:
        with pytest.raises(ValueError, match=r"expected traces of shape \(n, T, 2\)"):
            write_traces(tmp_path / "a", np.zeros(shape), "npz")


def test_strokes_become_one_line_each(tmp_path):
    offsets = np.array([[[0.0, 1, 0], [1, 1, 1], [0, 1, 0], [1, 0, -2]]])
    write_traces(tmp_path / "strokes.svg", offsets, "svg", "strokes")
    paths, _ = svg2paths(str(tmp_path / "strokes.svg"))
    first, second = ([path[0].start, *(line.end for line in path)] for path in paths)
    assert first == [0, 1, 2 - 1j]  # SVG's y points down
    assert second == [3 - 1j, 3 + 1j]


def test_columns_are_named_after_what_they_hold(tmp_path):
    for form, width, head in (("strokes", 3, "pen,dx,dy"), ("image", 4, "x0,x1,x2,x3")):
        values = np.random.default_rng(1).standard_normal((2, 3, width))
        write_traces(tmp_path / "a.csv", values, "csv", form)
        assert (tmp_path / "a.csv").read_text().splitlines()[0] == f"trace,step,{head}"
        table = np.loadtxt(tmp_path / "a.csv", delimiter=",", skiprows=1)
        np.testing.assert_array_equal(table[:, 2:], values.reshape(6, width))


def test_kinds_of_files_that_cannot_hold_what_is_written(tmp_path):
    for kind, form, n, fault in (
        ("inkml", "plane", 2, "an inkml file holds one drawing, but these are 2: set n=1, or write ndjson"),
        ("stroke3", "plane", 1, "stroke3 files hold moves of a pen that lifts"),
        ("json", "series", 1, "json files hold drawings, and sequences of the form series are none"),
    ):
        with pytest.raises(ValueError, match=fault):
            write_traces(tmp_path / "a", np.zeros((n, 8, 2)), kind, form)


def test_images_are_no_lines(tmp_path):
    with pytest.raises(ValueError, match="form image are none: write png, npz or csv"):
        write_traces(tmp_path / "a.svg", np.zeros((1, 8, 8)), "svg", "image")
    with pytest.raises(ValueError, match=r"expected traces of shape \(n, T, 3\)"):
        write_traces(tmp_path / "a.svg", np.zeros((1, 8, 2)), "svg", "strokes")
