"""Each form of sequence has its picture, and what is hidden is not drawn."""

import numpy as np
import pytest
from matplotlib.collections import LineCollection

from vrnn import plots
from vrnn.plots.sequences import SEQUENCE_PLOTS

STROKES = np.array([[[0.0, 1, 0], [1, 1, 1], [0, 1, 0], [0, 0, -2]]])


def segments(ax):
    (lines,) = [c for c in ax.collections if isinstance(c, LineCollection)]
    return np.array(lines.get_segments())


def test_strokes_are_added_up_and_lifts_leave_no_line():
    figure = SEQUENCE_PLOTS["strokes"].plot_grid(STROKES)
    np.testing.assert_allclose(segments(figure.axes[0]), [[[0, 0], [1, 0]], [[1, 0], [2, 1]], [[3, 1], [3, -1]]])


def test_strokes_of_unequal_length_side_by_side():
    figure = SEQUENCE_PLOTS["strokes"].plot_panels({"shown": STROKES, "generated": STROKES[:, :2]})
    titles = [ax.get_title() for ax in figure.axes if ax.get_visible()]
    assert titles == ["shown", "generated"]
    assert [len(segments(ax)) for ax in figure.axes[:2]] == [3, 2]


def test_images_stand_in_a_grid_with_a_line_between():
    images = np.arange(12.0).reshape(3, 2, 2) / 11
    (ax,) = SEQUENCE_PLOTS["image"].plot_grid(images).axes
    block = np.asarray(ax.images[0].get_array())
    assert block.shape == (7, 7)  # two by two images of two pixels, three lines
    np.testing.assert_array_equal(block[1:3, 1:3], images[0])
    np.testing.assert_array_equal(block[1:3, 4:6], images[1])
    np.testing.assert_array_equal(block[4:6, 1:3], images[2])
    assert (block[[0, 3, 6]] == -1).all()
    assert (block[4:6, 4:6] == -1).all()


def test_a_pixel_nobody_saw_is_neither_black_nor_white():
    images = np.array([[[0.0, 1.0], [np.nan, 0.0]]])
    (ax,) = SEQUENCE_PLOTS["image"].plot_panels({"shown": images}).axes
    rgb = ax.images[0].to_rgba(ax.images[0].get_array())[..., :3]
    assert rgb[1, 1].tolist() == [1, 1, 1]
    assert rgb[1, 2].max() < 0.01
    assert np.ptp(rgb[2, 1]) > 0.3


def test_each_image_under_its_title():
    figure = SEQUENCE_PLOTS["image"].plot_grid(np.zeros((2, 8, 8)), ["one", "two"])
    assert [ax.get_title() for ax in figure.axes] == ["one", "two"]


def test_bad_images():
    with pytest.raises(ValueError, match=r"shown: expected shape \(n, height, width\), each >= 1, got \(8, 8\)"):
        plots.plot_images({"shown": np.zeros((8, 8))})
    with pytest.raises(ValueError, match="expected at least one panel"):
        plots.plot_images({})


def test_a_gap_in_the_plane_is_missing_and_not_the_end():
    points = np.cumsum(np.ones((20, 2)), axis=0)
    points[5:9] = np.nan
    figure = SEQUENCE_PLOTS["plane"].plot_panels({"shown": points[None]})
    assert [text.get_text() for text in figure.axes[0].texts] == ["20.0 % missing"]
    assert len(segments(figure.axes[0])) == 14
