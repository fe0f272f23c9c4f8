"""What is written can be read back."""

import numpy as np
import pytest
from svgpathtools import svg2paths

from vrnn.patterns.files.read import read_drawings
from vrnn.patterns.files.write import write_traces
from vrnn.patterns.resampling import normalise


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


def test_one_trace_as_svg_comes_back_up_to_place_and_size(tmp_path):
    path = tmp_path / "one.svg"
    write_traces(path, traces(1), "svg")
    (points,) = read_drawings(path).values()
    np.testing.assert_allclose(normalise(points), normalise(traces(1)[0]), atol=1e-4)


def test_svg_lays_the_traces_out_in_a_grid_at_one_scale(tmp_path):
    path = tmp_path / "many.svg"
    write_traces(path, traces(5), "svg")
    paths, _ = svg2paths(str(path))
    assert len(paths) == 5
    boxes = np.array([p.bbox() for p in paths])  # xmin, xmax, ymin, ymax
    cell = np.array([[0, 0], [1, 0], [2, 0], [0, 1], [1, 1]])
    np.testing.assert_allclose((boxes[:, 0] + boxes[:, 1]) / 2, 100 * cell[:, 0] + 50, atol=1e-3)
    np.testing.assert_allclose((boxes[:, 2] + boxes[:, 3]) / 2, 100 * cell[:, 1] + 50, atol=1e-3)
    sizes = np.stack([boxes[:, 1] - boxes[:, 0], boxes[:, 3] - boxes[:, 2]], axis=1)
    assert sizes.max() == pytest.approx(84.0, abs=1e-3)
    np.testing.assert_allclose(
        sizes / sizes.max(), np.ptp(traces(5), axis=1) / np.ptp(traces(5), axis=1).max(), atol=1e-4
    )


def test_a_trace_without_extent_is_still_written(tmp_path):
    write_traces(tmp_path / "dot.svg", np.zeros((1, 9, 2)), "svg")
    assert 'points="50.0000,50.0000 ' in (tmp_path / "dot.svg").read_text(encoding="utf-8")


@pytest.mark.parametrize("kind", ["csv", "svg"])
def test_numbers_that_are_not_finite_only_fit_npz(tmp_path, kind):
    bad = traces(3)
    bad[1, 5, 0] = np.nan
    with pytest.raises(ValueError, match=rf"trace 1 has numbers that are not finite \(1 of 3 have\): a {kind} file"):
        write_traces(tmp_path / "bad", bad, kind)
    write_traces(tmp_path / "bad.npz", bad, "npz")
    np.testing.assert_array_equal(np.load(tmp_path / "bad.npz")["traces"], bad)


def test_bad_requests(tmp_path):
    with pytest.raises(ValueError, match="expected one of the formats npz, csv, svg, mid, got 'png'"):
        write_traces(tmp_path / "a", traces(), "png")
    for shape in [(9, 2), (3, 9, 3), (0, 9, 2), (3, 0, 2)]:
        with pytest.raises(ValueError, match=r"expected traces of shape \(n, T, 2\)"):
            write_traces(tmp_path / "a", np.zeros(shape), "npz")


def test_strokes_become_one_line_each(tmp_path):
    offsets = np.array([[[0.0, 1, 0], [1, 1, 1], [0, 1, 0], [1, 0, -2]]])
    write_traces(tmp_path / "strokes.svg", offsets, "svg", "strokes")
    paths, _ = svg2paths(str(tmp_path / "strokes.svg"))
    first, second = ([path[0].start, *(line.end for line in path)] for path in paths)
    unit = 84.0 / 3  # three wide
    np.testing.assert_allclose(
        np.array(first) - first[0], unit * np.array([0, 1, 2 - 1j]), atol=1e-3
    )  # SVG's y points down
    np.testing.assert_allclose(np.array(second) - first[0], unit * np.array([3 - 1j, 3 + 1j]), atol=1e-3)


def test_columns_are_named_after_what_they_hold(tmp_path):
    for form, width, head in (("strokes", 3, "pen,dx,dy"), ("image", 4, "x0,x1,x2,x3")):
        values = np.random.default_rng(1).standard_normal((2, 3, width))
        write_traces(tmp_path / "a.csv", values, "csv", form)
        assert (tmp_path / "a.csv").read_text().splitlines()[0] == f"trace,step,{head}"
        table = np.loadtxt(tmp_path / "a.csv", delimiter=",", skiprows=1)
        np.testing.assert_array_equal(table[:, 2:], values.reshape(6, width))


def test_images_are_no_lines(tmp_path):
    with pytest.raises(ValueError, match="form image are none: write png, npz or csv"):
        write_traces(tmp_path / "a.svg", np.zeros((1, 8, 8)), "svg", "image")
    with pytest.raises(ValueError, match=r"expected traces of shape \(n, T, 3\)"):
        write_traces(tmp_path / "a.svg", np.zeros((1, 8, 2)), "svg", "strokes")
