"""Moving pictures: what is drawn, when, and that it is right at the end."""

import xml.etree.ElementTree as ET
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vrnn.plots.motion import CELL, REST, STEPS_PER_SECOND, lay_out, write_animated_svg, write_gif, write_moving

SVG = "{http://www.w3.org/2000/svg}"


def spiral(steps: int = 60) -> np.ndarray:
    angle = np.linspace(0, 9, steps)
    return np.stack([angle * np.cos(angle), angle * np.sin(angle)], axis=1)


def numbers(text: str) -> np.ndarray:
    return np.array([float(number) for number in text.split(";")])


def read_gif(path: Path) -> list[tuple[np.ndarray, int]]:
    """For each frame where there is ink, (height, width), and for how many milliseconds."""
    with Image.open(path) as film:
        frames = []
        for i in range(film.n_frames):
            film.seek(i)
            frames.append((np.asarray(film.convert("L")) < 250, film.info["duration"]))
        return frames


def test_traces_keep_their_shape_and_lie_in_their_places():
    first, second = spiral(), 0.5 * spiral() + 100
    scene = lay_out([first, second])
    assert scene.size == (2 * CELL, CELL)
    for i, (points, line) in enumerate(zip((first, second), scene.lines, strict=True)):
        assert line[:, 0].min() > i * CELL
        assert line[:, 0].max() < (i + 1) * CELL
        slope, _ = np.polyfit(points[:, 0], line[:, 0], 1)
        np.testing.assert_allclose(np.diff(line, axis=0), slope * np.diff(points, axis=0) * [1, -1], atol=1e-9)


def test_a_gif_takes_the_time_of_its_points_and_ends_whole(tmp_path):
    scene = lay_out([spiral(100)])
    write_gif(tmp_path / "a.gif", scene)
    frames = read_gif(tmp_path / "a.gif")
    assert sum(duration for _, duration in frames) == pytest.approx(1000 * (100 / STEPS_PER_SECOND + REST), abs=100)
    inked = [np.array([ink[int(y), int(x)] for x, y in scene.lines[0]]) for ink, _ in frames]
    assert inked[-1].all()
    assert not inked[0][20:].any()
    # The dot of the pen moves on.
    assert all(later.sum() >= earlier.sum() - 2 for earlier, later in pairwise(inked))


def test_an_svg_has_each_point_at_its_time(tmp_path):
    """The visible length of all pieces at the time of a point is the length of the line up to it."""
    points = spiral()
    scene = lay_out([points])
    write_animated_svg(tmp_path / "a.svg", scene)
    pieces = ET.parse(tmp_path / "a.svg").getroot().findall(f".//{SVG}polyline")
    total = len(points) / STEPS_PER_SECOND + REST
    walked = np.concatenate([[0], np.linalg.norm(np.diff(scene.lines[0], axis=0), axis=1).cumsum()])
    for step in (0, 1, 23, 24, 25, 40, 59):
        seen = 0.0
        for piece in pieces:
            length = float(piece.get("stroke-dasharray").split()[0])
            animate = piece.find(f"{SVG}animate")
            moments, offsets = numbers(animate.get("keyTimes")), numbers(animate.get("values"))
            assert moments[0] == 0
            assert moments[-1] == 1
            assert (np.diff(moments) >= 0).all()
            seen += max(0.0, length - np.interp(step / STEPS_PER_SECOND / total, moments, offsets))
        assert seen == pytest.approx(walked[step], abs=1.0)  # coordinates have one decimal


def test_no_line_where_the_pen_is_lifted(tmp_path):
    moves = np.zeros((1, 20, 3))
    moves[0, :, 1] = 1.0
    moves[0, 9, 0] = 1.0  # lifted after the tenth step
    write_moving(tmp_path / "a.svg", "animated_svg", moves, "strokes")
    pieces = ET.parse(tmp_path / "a.svg").getroot().findall(f".//{SVG}polyline")
    assert [len(piece.get("points").split()) for piece in pieces] == [11, 10]  # 21 points
    write_moving(tmp_path / "a.gif", "gif", moves, "strokes")
    ink, _ = read_gif(tmp_path / "a.gif")[-1]
    row = ink.any(axis=0)
    assert np.flatnonzero(np.diff(row.astype(int))).size == 4  # two strokes


def test_continuations_begin_where_the_prefix_ends(tmp_path):
    prefix = spiral()
    fan = lay_out([prefix[-1] + np.cumsum(np.full((5, 2), d), axis=0) for d in (0.1, -0.1)], None, prefix)
    assert fan.size == (2 * CELL, 2 * CELL)
    for line, colours in zip(fan.lines, fan.colours, strict=True):
        np.testing.assert_allclose(line[0], fan.before[-1])
        assert len(line) == len(colours) == 6
    assert fan.colours[0][0] != fan.colours[1][0]
    write_gif(tmp_path / "a.gif", fan)


def test_a_film_has_the_gif_s_frames(tmp_path):
    video = pytest.importorskip("imageio_ffmpeg")
    write_moving(tmp_path / "a.mp4", "mp4", spiral()[None], "plane")
    frames, seconds = video.count_frames_and_secs(str(tmp_path / "a.mp4"))
    assert frames == 30 + 30
    assert seconds == pytest.approx(3.0)


@pytest.mark.parametrize("traces", [[], [np.empty((0, 2))], [np.full((3, 2), np.nan)]])
def test_nothing_to_draw_is_refused(traces: list, tmp_path: Path):
    with pytest.raises(ValueError, match="traces must be at least one, each with finite points"):
        lay_out(traces)
