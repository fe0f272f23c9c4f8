"""Figures of each kind of sequence, of unequal lengths and with missing points."""

import io

import numpy as np
import pytest
from matplotlib.collections import LineCollection

from vrnn import plots
from vrnn.plots.sequences import SEQUENCE_PLOTS

STROKES = np.array([[[0.0, 1, 0], [1, 1, 1], [0, 1, 0], [0, 0, -2]]])


def segments(ax):
    (lines,) = [c for c in ax.collections if isinstance(c, LineCollection)]
    return np.array(lines.get_segments())


def test_strokes_are_added_up_with_gaps_where_the_pen_lifts():
    figure = SEQUENCE_PLOTS["strokes"].plot_grid(STROKES)
    np.testing.assert_allclose(segments(figure.axes[0]), [[[0, 0], [1, 0]], [[1, 0], [2, 1]], [[3, 1], [3, -1]]])


def test_strokes_of_unequal_length_side_by_side():
    figure = SEQUENCE_PLOTS["strokes"].plot_panels({"shown": STROKES, "generated": STROKES[:, :2]})
    titles = [ax.get_title() for ax in figure.axes if ax.get_visible()]
    assert titles == ["shown", "generated"]
    assert [len(segments(ax)) for ax in figure.axes[:2]] == [3, 2]


def test_images_are_in_a_grid_with_lines_between():
    images = np.arange(12.0).reshape(3, 2, 2) / 11
    (ax,) = SEQUENCE_PLOTS["image"].plot_grid(images).axes
    block = np.asarray(ax.images[0].get_array())
    assert block.shape == (7, 7)  # two by two images of two by two pixels, three lines
    np.testing.assert_array_equal(block[1:3, 1:3], images[0])
    np.testing.assert_array_equal(block[1:3, 4:6], images[1])
    np.testing.assert_array_equal(block[4:6, 1:3], images[2])
    assert (block[[0, 3, 6]] == -1).all()
    assert (block[4:6, 4:6] == -1).all()


def test_a_missing_pixel_is_coloured():
    images = np.array([[[0.0, 1.0], [np.nan, 0.0]]])
    (ax,) = SEQUENCE_PLOTS["image"].plot_panels({"shown": images}).axes
    rgb = ax.images[0].to_rgba(ax.images[0].get_array())[..., :3]
    assert rgb[1, 1].tolist() == [1, 1, 1]
    assert rgb[1, 2].max() < 0.01
    assert np.ptp(rgb[2, 1]) > 0.3


def test_each_image_has_its_title():
    figure = SEQUENCE_PLOTS["image"].plot_grid(np.zeros((2, 8, 8)), ["one", "two"])
    assert [ax.get_title() for ax in figure.axes] == ["one", "two"]


def test_below_an_image_with_fewer_rows_the_cell_is_empty():
    (ax,) = SEQUENCE_PLOTS["image"].plot_grid([np.ones((3, 2)), np.full((1, 2), 0.5)]).axes
    grid = np.asarray(ax.images[0].get_array())
    assert grid.shape == (5, 7)
    np.testing.assert_array_equal(grid[1:4, 4:6], [[0.5, 0.5], [-1, -1], [-1, -1]])


@pytest.mark.parametrize(("kind", "x_dim"), [("plane", 2), ("strokes", 3), ("image", 8), ("series", 1), ("series", 9)])
def test_sequences_of_unequal_length_have_figures(kind, x_dim):
    rng = np.random.default_rng(0)
    sequences = [rng.random((steps, x_dim)) for steps in (8, 5, 1)]
    panels = {"true": sequences, "generated": sequences[::-1]}
    for figure in (
        SEQUENCE_PLOTS[kind].plot_panels(panels),
        SEQUENCE_PLOTS[kind].plot_grid(sequences),
        SEQUENCE_PLOTS[kind].plot_grid(sequences, ["one", "two", "three"]),
    ):
        figure.savefig(io.BytesIO(), format="png")
        assert all(ax.collections or ax.images or ax.lines for ax in figure.axes if ax.get_visible())


def test_errors_of_images():
    with pytest.raises(
        ValueError, match=r"shown must be images of the shape \(height, width\), all of one width, but have \[\(8,\)"
    ):
        plots.plot_images({"shown": np.zeros((8, 8))})
    with pytest.raises(ValueError, match="there are no panels"):
        plots.plot_images({})


def test_a_gap_in_a_trace_is_missing_points():
    points = np.cumsum(np.ones((20, 2)), axis=0)
    points[5:9] = np.nan
    figure = SEQUENCE_PLOTS["plane"].plot_panels({"shown": points[None]})
    assert [text.get_text() for text in figure.axes[0].texts] == ["20.0 % missing"]
    assert len(segments(figure.axes[0])) == 14


@pytest.mark.parametrize(("width", "title"), [(8, ""), (12, "the first 8 of 12 channels")])
def test_channels_that_are_not_shown_are_counted(width, title):
    x = np.zeros((3, width))
    for figure in plots.plot_series({"true": [x]}), plots.plot_fan(x, x, x[None], begin=1):
        assert [ax.get_title(loc="left") for ax in figure.axes] == [title, *[""] * 7]
