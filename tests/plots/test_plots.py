"""Figures: their contents, and limits that one diverging trace does not change."""

import io
import math
import re
from dataclasses import dataclass

import numpy as np
import pytest
from matplotlib.collections import LineCollection
from matplotlib.colors import to_hex

from vrnn import plots
from vrnn.plots import style, traces


@dataclass
class Lap:
    label: str
    start: int
    end: int


def oval(steps=200, width=2.0, height=1.0):
    t = np.linspace(0, 6 * np.pi, steps)
    return np.stack([width * np.sin(t), height * np.cos(t)], axis=1)


def diverging(steps=200, start=150):
    points = oval(steps)
    points[start : start + 20] *= 10.0 ** np.arange(1, 41, 2)[:, None]
    points[start + 20 :] = np.nan
    return points


def pixels(figure):
    """Return the size of the figure as PNG; a warning of the renderer fails the test."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    assert buffer.getvalue().startswith(b"\x89PNG")
    return buffer.tell()


def lines_of(ax):
    (lines,) = [c for c in ax.collections if isinstance(c, LineCollection)]
    return lines


def texts(ax):
    return [text.get_text() for text in ax.texts]


# ---- traces ----------------------------------------------------------------------------------------------------------


def test_traces_share_the_limits_of_the_first():
    figure = plots.plot_traces({"shown": oval(), "generated": oval(width=50.0), "short": oval(30)})
    shown, generated, short, colourbar = figure.axes
    assert [ax.get_title() for ax in (shown, generated, short)] == ["shown", "generated", "short"]
    for ax in (shown, generated, short):
        # The box is 4 x 2 (a little less, by sampling), the margin a fifth of the longer side.
        assert ax.get_xlim() == pytest.approx((-2.8, 2.8), abs=0.01)
        assert ax.get_ylim() == pytest.approx((-1.8, 1.8), abs=0.01)
        assert ax.get_aspect() == 1.0
    assert colourbar.get_ylabel() == "step"
    assert pixels(figure) > 10_000


def test_segments_have_their_place_and_the_colour_of_their_time():
    figure = plots.plot_traces({"long": oval(), "short": oval(50)})
    for ax, steps in zip(figure.axes, (200, 50), strict=False):
        lines = lines_of(ax)
        segments = np.array(lines.get_segments())
        np.testing.assert_allclose(segments, np.stack([oval(steps)[:-1], oval(steps)[1:]], axis=1))
        np.testing.assert_array_equal(lines.get_array(), np.arange(steps - 1))
        assert (lines.norm.vmin, lines.norm.vmax) == (0, 199)  # the same colours for all panels


def test_a_diverging_trace_is_cut_off_with_a_note():
    figure = plots.plot_traces({"shown": oval(), "generated": diverging()})
    shown, generated, _ = figure.axes
    assert generated.get_xlim() == shown.get_xlim() == pytest.approx((-2.8, 2.8), abs=0.01)
    segments = np.array(lines_of(generated).get_segments())
    assert len(segments) == 169  # 170 finite points
    assert np.abs(segments).max() < 100
    assert texts(shown) == [""]
    (note,) = texts(generated)
    match = re.fullmatch(r"(\d+\.\d) % outside, not finite from step 170", note)
    assert 9.0 <= float(match[1]) <= 10.0
    assert pixels(figure) > 10_000


@pytest.mark.parametrize(
    "points", [np.full((9, 2), np.nan), np.zeros((9, 2)), oval()[:1], np.full((9, 2), np.inf), oval() * [1, 0]]
)
def test_traces_without_extent_get_a_panel(points):
    figure = plots.plot_traces({"shown": points, "generated": oval()})
    width, height = np.ptp(figure.axes[0].get_xlim()), np.ptp(figure.axes[0].get_ylim())
    assert width >= 2.0
    assert height >= width / 4
    pixels(figure)


def test_one_panel_and_bad_panels():
    assert len(plots.plot_traces({"shown": oval()}).axes) == 2  # with the colour bar
    with pytest.raises(ValueError, match="panels must be at least one"):
        plots.plot_traces({})
    with pytest.raises(ValueError, match=r"generated must have the shape \(T, 2\) with T >= 1, but has \(2, 200\)"):
        plots.plot_traces({"shown": oval(), "generated": oval().T})


# ---- grids -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("n", "grid"), [(1, (1, 1)), (2, (1, 2)), (5, (2, 3)), (9, (3, 3))])
def test_a_grid_has_all_traces(n, grid):
    figure = plots.plot_trace_grid(
        np.stack([oval() * (1 + 0.1 * i) for i in range(n)]), [f"trace {i}" for i in range(n)]
    )
    assert figure.axes[0].get_gridspec().get_geometry() == grid
    visible = [ax for ax in figure.axes if ax.get_visible()]
    assert [ax.get_title() for ax in visible] == [f"trace {i}" for i in range(n)]
    for i, ax in enumerate(visible):
        np.testing.assert_allclose(np.array(lines_of(ax).get_segments())[:, 0], oval()[:-1] * (1 + 0.1 * i))
    largest = 2 * (1 + 0.1 * (n - 1))
    assert figure.axes[0].get_xlim() == pytest.approx((-1.16 * largest, 1.16 * largest), rel=0.01)
    pixels(figure)


def test_a_diverging_trace_does_not_set_the_limits_of_a_grid():
    figure = plots.plot_trace_grid(np.stack([oval(), diverging(), 1.5 * oval(), oval(), np.full((200, 2), np.nan)]))
    assert figure.axes[0].get_xlim() == pytest.approx((-3.48, 3.48), abs=0.02)
    pixels(figure)


def test_flat_traces_get_panels_with_height():
    ax = plots.plot_trace_grid(np.stack([oval(), oval()]) * [1, 0]).axes[0]
    assert np.ptp(ax.get_ylim()) >= np.ptp(ax.get_xlim()) / 4


def test_a_grid_of_traces_of_unequal_length():
    figure = plots.plot_trace_grid([oval(), oval(50)])
    for ax, steps in zip(figure.axes, (200, 50), strict=True):
        assert len(lines_of(ax).get_segments()) == steps - 1
        assert lines_of(ax).norm.vmax == 199  # the same colours for all panels
    pixels(figure)


def test_errors_of_grids():
    with pytest.raises(ValueError, match=r"trace 0 must have the shape \(T, 2\) with T >= 1, but has \(2,\)"):
        plots.plot_trace_grid(oval())
    with pytest.raises(ValueError, match="titles must be one for each of 2 traces, but are 1"):
        plots.plot_trace_grid(np.stack([oval(), oval()]), ["only one"])


# ---- transitions -----------------------------------------------------------------------------------------------------


def test_transitions_are_in_their_places():
    truth = np.array([[0.0, 1.0], [0.25, 0.75]])
    model = np.array([[0.031, 0.969], [np.nan, np.nan]])
    figure = plots.plot_transitions(["circle", "eight"], truth, model, np.array([[0.01, 0.02], [0.03, 0.04]]))
    left, right = figure.axes
    assert [ax.get_title() for ax in figure.axes] == ["truth", "model"]
    assert texts(left) == ["0.00", "1.00", "0.25", "0.75"]
    assert texts(right) == ["0.03\n± 0.010", "0.97\n± 0.020", "-", "-"]
    assert [text.get_position() for text in left.texts] == [(0, 0), (1, 0), (0, 1), (1, 1)]  # (to, from)
    np.testing.assert_array_equal(left.images[0].get_array(), truth)
    assert left.images[0].get_clim() == right.images[0].get_clim() == (0.0, 1.0)
    assert [label.get_text() for label in right.get_xticklabels()] == ["circle", "eight"]
    pixels(figure)


def test_errors_of_transitions():
    with pytest.raises(ValueError, match=r"model must have the shape \(2, 2\) for 2 names, but has \(3, 3\)"):
        plots.plot_transitions(["a", "b"], np.eye(2), np.eye(3), np.eye(2))


# ---- laps ------------------------------------------------------------------------------------------------------------


def test_laps_are_in_the_panel_of_their_label():
    points = np.concatenate([oval(60), oval(60) * [0.3, 1.0], oval(60) * 9.0])
    laps = [Lap("wide", 0, 19), Lap("wide", 20, 59), Lap("thin", 60, 119), Lap("invalid", 120, 179)]
    figure = plots.plot_laps(points, laps)
    assert [ax.get_title() for ax in figure.axes] == ["thin: 25.0 % (1)", "wide: 50.0 % (2)", "invalid: 25.0 % (1)"]
    thin, wide, invalid = map(lines_of, figure.axes)
    np.testing.assert_allclose(thin.get_segments()[0], points[60:120])
    np.testing.assert_allclose(wide.get_segments()[1], points[20:60])
    assert {to_hex(colour) for colour in invalid.get_colors()} == {style.WRONG.lower()}
    assert figure.axes[0].get_xlim() == pytest.approx((-2.48, 2.48), abs=0.03)  # the box of the valid laps and 12 %
    pixels(figure)


def test_a_panel_counts_all_laps_and_plots_at_most_300():
    laps = [Lap("wide", i, i + 20) for i in range(150)] * 5
    figure = plots.plot_laps(oval(), laps)
    assert figure.axes[0].get_title() == "wide: 100.0 % (750)"
    assert 200 <= len(lines_of(figure.axes[0]).get_segments()) <= traces.LAPS_DRAWN
    assert figure.axes[1].get_title() == "invalid: 0.0 % (0)"


def test_no_laps_and_laps_of_a_diverging_trace():
    nothing = plots.plot_laps(oval(), [])
    assert [ax.get_title() for ax in nothing.axes] == ["invalid: - (0)"]
    pixels(nothing)
    broken = plots.plot_laps(
        diverging(), [Lap("wide", 0, 60), Lap("wide", 60, 120), Lap("invalid", 120, 200), Lap("wide", 200, 200)]
    )
    assert broken.axes[0].get_xlim() == pytest.approx((-2.48, 2.48), abs=0.03)
    pixels(broken)


# ---- latents ---------------------------------------------------------------------------------------------------------


SPREADS = [
    plots.Spread("deviations", np.linspace(0.1, 0.9, 40).reshape(20, 2)),
    plots.Spread("probabilities", np.tile([0.5, 0.2, 0.3], (20, 1)), stacked=True),
]


def test_kl_and_spreads_of_the_prior_with_laps_marked():
    kl = np.linspace(0.0, 0.3, 30)
    figure = plots.plot_latent(kl, [(5, "wide"), (12, "thin")], SPREADS, [(7.5, "thin"), (9.0, style.INVALID)])
    top, deviations, probabilities = figure.axes
    np.testing.assert_array_equal(top.lines[0].get_ydata(), kl)
    assert [line.get_xdata()[0] for line in top.lines[1:]] == [5, 12]
    assert texts(top) == ["wide", "thin"]
    assert texts(deviations) == ["thin", "invalid"]
    assert [to_hex(text.get_color()) for text in deviations.texts] == [
        to_hex(top.texts[1].get_color()),
        style.WRONG.lower(),
    ]
    np.testing.assert_array_equal(deviations.lines[1].get_ydata(), SPREADS[0].values[:, 1])
    assert len(probabilities.collections) == 3
    assert probabilities.get_ylim() == (0.0, 1.0)
    assert texts(probabilities) == []
    assert len({ax.get_xlim() for ax in figure.axes}) == 1
    pixels(figure)


def test_marks_outside_are_left_out_and_errors_of_latents():
    figure = plots.plot_latent(np.ones(10), [(3, "wide"), (40, "wide")], SPREADS[:1], [])
    assert texts(figure.axes[0]) == ["wide"]
    pixels(figure)
    with pytest.raises(ValueError, match=r"kl must have the shape \(T,\) with T >= 1, but has \(5, 2\)"):
        plots.plot_latent(np.zeros((5, 2)), [], SPREADS[:1], [])
    alone = plots.plot_latent(np.ones(5), [], [], [])  # a latent of a user's own has no known spread
    assert len(alone.axes) == 1
    pixels(alone)


def test_figures_do_not_use_pyplot():
    """Pyplot keeps every figure of its own in memory and may open windows."""
    import matplotlib.pyplot as plt

    before = plt.get_fignums()
    plots.plot_traces({"shown": oval()})
    plots.plot_latent(np.ones(5), [], SPREADS, [])
    assert plt.get_fignums() == before


def test_intervals_have_a_panel_per_score_and_a_row_per_setting():
    rows = {"a": (0.1, 0.05, 0.2), "b": (0.4, math.nan, math.nan), "c": (math.nan,) * 3}
    figure = plots.plot_intervals({"invalid_fraction": rows, "transition_tv": rows})
    left, right = figure.axes
    assert left.get_title() == "invalid fraction"
    assert [label.get_text() for label in left.get_yticklabels()] == ["a", "b", "c"]
    assert left.get_ylim() == right.get_ylim() == (2.5, -0.5)
    np.testing.assert_allclose(left.lines[0].get_xdata(), [0.1, 0.4, math.nan])
    with pytest.raises(ValueError, match="scores must have at least one score"):
        plots.plot_intervals({"invalid_fraction": {}})


# ---- files -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "begin"), [("a.png", b"\x89PNG"), ("a.pdf", b"%PDF"), ("a.svg", b"<?xml"), ("a", b"\x89PNG")]
)
def test_the_suffix_of_a_file_is_its_format(tmp_path, name, begin):
    plots.save(plots.plot_traces({"shown": oval()}), tmp_path / "new" / name)
    assert (tmp_path / "new" / name).read_bytes().startswith(begin)
    assert [path.name for path in (tmp_path / "new").iterdir()] == [name]


def test_saving_replaces_a_symbolic_link(tmp_path):
    target, path = tmp_path / "kept.txt", tmp_path / "figure.png"
    target.write_text("kept")
    path.symlink_to(target)
    plots.save(plots.plot_traces({"shown": oval()}), path)
    assert target.read_text() == "kept"
    assert not path.is_symlink()
    assert path.read_bytes().startswith(b"\x89PNG")


def test_a_figure_that_cannot_be_rendered_leaves_the_old_file(tmp_path):
    path = tmp_path / "figure.png"
    plots.save(plots.plot_traces({"shown": oval()}), path)
    before = path.read_bytes()
    figure = plots.plot_traces({"shown": oval()})
    figure.axes[0].set_title("$\\unknown$")
    with pytest.raises(ValueError, match="unknown"):
        plots.save(figure, path)
    assert path.read_bytes() == before


def test_a_continued_trace_shows_what_was_given():
    prefix, after = oval(60), [oval(20) + 5.0, oval(30)]
    figure = plots.plot_continued(prefix, after)
    axes = [ax for ax in figure.axes if ax.get_visible()]
    assert len(axes) == 2
    for ax in axes:
        np.testing.assert_allclose(ax.lines[-1].get_xydata(), prefix)
        low, high = ax.get_xlim()
        assert low < prefix[:, 0].min()
        assert high > after[0][:, 0].max()
    assert "60 given points" in figure.get_suptitle()
