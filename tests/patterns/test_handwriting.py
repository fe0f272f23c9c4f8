"""Handwriting in the form of IAM-OnDB's files."""

import numpy as np
import pytest

from tests.handwriting import write_lines, xml
from vrnn.patterns import Handwriting
from vrnn.patterns.handwriting import read_strokes

SPLITS = ("train", "val", "test")


def drawn(pattern, split, n=99, steps=999, seed=0):
    return pattern.draw(split, n, steps, np.random.default_rng(seed))


def test_strokes_are_read_with_y_upwards(tmp_path):
    path = tmp_path / "line.xml"
    path.write_text(xml([[(10, 20), (13, 18)], [(5, 5)]]))
    first, second = read_strokes(path)
    np.testing.assert_array_equal(first, [[10, -20], [13, -18]])
    np.testing.assert_array_equal(second, [[5, -5]])


def test_the_two_variances_sum_to_one_over_the_training_files(tmp_path):
    pattern = Handwriting(write_lines(tmp_path, 20))
    moves = np.concatenate([trace.points for trace in drawn(pattern, "train")])[:, 1:]
    assert moves.var(axis=0).sum() == pytest.approx(1.0)
    whole = np.concatenate([trace.points for split in SPLITS for trace in drawn(pattern, split)])[:, 1:]
    assert abs(whole.var(axis=0).sum() - 1.0) > 1e-6  # nothing of the held-out files went into the scale


def test_a_sequence_is_its_file_up_to_the_scale(tmp_path):
    pattern = Handwriting(write_lines(tmp_path, 20))
    files = [read_strokes(path) for path in tmp_path.rglob("*.xml")]
    for trace in drawn(pattern, "val"):
        (strokes,) = [s for s in files if sum(map(len, s)) == len(trace.points) + 1]  # all files differ in length
        points = np.concatenate(strokes)
        ratio = np.diff(points, axis=0) / np.where(trace.points[:, 1:] == 0, np.nan, trace.points[:, 1:])
        assert np.nanmax(ratio) == pytest.approx(np.nanmin(ratio))
        ends = np.cumsum([len(stroke) for stroke in strokes]) - 2  # the step that arrives at a stroke's last point
        np.testing.assert_array_equal(np.flatnonzero(trace.points[:, 0]), ends)
        assert (trace.state == -1).all()


def test_files_are_split_whatever_the_run_s_seed(tmp_path):
    pattern = Handwriting(write_lines(tmp_path, 20))
    lengths = {split: {len(trace.points) for trace in drawn(pattern, split)} for split in SPLITS}
    assert [len(lengths[split]) for split in SPLITS] == [16, 2, 2]
    assert len(set.union(*lengths.values())) == 20
    assert {len(trace.points) for trace in drawn(pattern, "test", seed=5)} == lengths["test"]
    other = Handwriting(tmp_path, split_seed=1)
    assert {len(trace.points) for trace in drawn(other, "test")} != lengths["test"]  # 1 of 190 seeds gives the same two


def test_as_many_as_asked_and_no_longer(tmp_path):
    pattern = Handwriting(write_lines(tmp_path, 20))
    assert [len(trace.points) for trace in drawn(pattern, "train", n=3, steps=20)] == [20] * 3
    first, again = (drawn(pattern, "train", n=3, seed=4) for _ in range(2))
    assert all(np.array_equal(a.points, b.points) for a, b in zip(first, again, strict=True))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (xml([[(1, 2), (3, 4)], [(5, "six")]]), r"bad\.xml: stroke 2, point 1 \(counted from 1\).*'y': 'six'"),
        (xml([[(1, 2), ("nan", 4)]]), r"bad\.xml: stroke 1, point 2"),
        (xml([[(1, 2), (3, 4)], []]), r"bad\.xml: stroke 2 \(counted from 1\) has no <Point>"),
        (xml([[(1, 2)]]), r"bad\.xml: expected two points or more.*got 1"),
        (xml([]), r"bad\.xml: expected two points or more.*got 0"),
        (xml([[(1, 2), (3, 4)]]).replace("</Stroke>", "</Strike>"), r"bad\.xml: not a readable XML file.*line \d+"),
        ("<svg/>", r"bad\.xml: expected <WhiteboardCaptureSession> as its root, got <svg>"),
        ('<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', r"bad\.xml: refused.*entities"),
    ],
)
def test_a_bad_file_is_named_and_the_place_in_it(tmp_path, text, message):
    (write_lines(tmp_path, 5) / "bad.xml").write_text(text)
    with pytest.raises(ValueError, match=message) as caught:
        Handwriting(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_directory_without_files(tmp_path):
    with pytest.raises(ValueError, match=r"expected three \*\.xml files or more in it or below.*found 0"):
        Handwriting(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="found 2"):
        Handwriting(write_lines(tmp_path, 2))


def test_a_pen_that_never_moves(tmp_path):
    for i in range(3):
        (tmp_path / f"{i}.xml").write_text(xml([[(1, 1)] * 5]))
    with pytest.raises(ValueError, match="the pen never moves"):
        Handwriting(tmp_path)
