"""A user's own drawings with the pen's lifts."""

import inspect
import re
from pathlib import Path

import numpy as np
import pytest
import yaml

from vrnn.patterns import DrawnStrokes, write_traces
from vrnn.patterns.files.read import load_drawings
from vrnn.patterns.strokes import end_drawings, stroke_shares, to_offsets

TEE = '<svg xmlns="http://www.w3.org/2000/svg"><path fill="none" stroke="black" d="M0 0{} M50 0{}"/></svg>'


@pytest.fixture
def tee(tmp_path):
    """A T of two strokes with 11 points each."""
    bar, stem = ("".join(f" L{x} 0" for x in range(10, 110, 10)), "".join(f" L50 {y}" for y in range(10, 110, 10)))
    (tmp_path / "tee.svg").write_text(TEE.format(bar, stem))
    return tmp_path / "tee.svg"


def moves(pattern, split="train"):
    (trace,) = pattern.draw(split, 1, 1000, np.random.default_rng(0))
    return trace.points


def test_the_pen_lifts_between_strokes(tee):
    pattern = DrawnStrokes(tee, holdout=0)
    pen, *_ = found = moves(pattern).T
    assert np.flatnonzero(pen).tolist() == [9, 20]  # at the last point of each stroke
    assert found[1:].var(axis=1).sum() == pytest.approx(1.0)
    bar, jump, stem = found[1:, :10].T, found[1:, 10], found[1:, 11:].T
    np.testing.assert_allclose(bar, [bar[0]] * 10, atol=1e-12)
    np.testing.assert_allclose(jump, -5 * bar[0], atol=1e-12)
    np.testing.assert_allclose(stem, [bar[0][::-1] * [1, -1]] * 10, atol=1e-12)  # downwards


def test_two_strokes_are_written_as_two(tee, tmp_path):
    pattern = DrawnStrokes(tee, holdout=0)
    write_traces(tmp_path / "out.svg", pattern.units.to_units(moves(pattern))[None], "svg", "strokes")
    assert len(re.findall("<polyline", (tmp_path / "out.svg").read_text())) == 2
    (drawing,) = load_drawings(tmp_path / "out.svg").values()
    assert [len(stroke) for stroke in drawing.strokes] == [11, 11]


def test_a_drawing_ends_with_its_strokes(tee, tmp_path):
    """Two drawings that go on: the T and a stroke more, and the same with a longer pause; each ends after its second lift."""
    pattern = DrawnStrokes(tee, holdout=0)
    assert pattern.units.strokes == (0.0, 0.0, 1.0)
    whole, pause = moves(pattern), np.array([[0.0, 0.1, 0.1]] * 4)
    traces = np.stack([np.concatenate([whole, pause, whole]), np.concatenate([pause, whole, whole])])
    ended, have_ended = end_drawings(traces, pattern.units.strokes, np.random.default_rng(0))
    assert have_ended.all()
    np.testing.assert_array_equal(np.isfinite(ended).all(axis=2).sum(axis=1), [21, 25])
    np.testing.assert_array_equal(ended[0, :21], whole)
    write_traces(tmp_path / "out.svg", ended, "svg", "strokes")
    assert len(re.findall("<polyline", (tmp_path / "out.svg").read_text())) == 4
    for kind in ("csv", "npz"):
        write_traces(tmp_path / f"out.{kind}", ended, kind, "strokes")
        found = list(load_drawings(tmp_path / f"out.{kind}").values())
        assert [len(drawing) for drawing in found] == [22, 26]
        np.testing.assert_array_equal(to_offsets(found[0].strokes)[:, 0], whole[:, 0])
    assert end_drawings(traces, (), np.random.default_rng(0))[0] is traces


def test_a_drawing_may_end_with_its_last_step(tee):
    """The T in exactly as many steps as it has has ended; a step before it has not, and nor has a pen that never lifts."""
    pattern = DrawnStrokes(tee, holdout=0)
    whole = moves(pattern)
    for traces, expected in ((whole[None], True), (whole[None, :-1], False), (0 * whole[None], False)):
        _, have_ended = end_drawings(traces, pattern.units.strokes, np.random.default_rng(0))
        assert have_ended.tolist() == [expected]


def test_the_number_of_strokes_is_that_of_the_data():
    assert stroke_shares([1, 3, 3, 1, 3]) == (0.0, 0.4, 0.0, 0.6)
    lifts = np.tile([[1.0, 0.0, 0.0]], (4000, 5, 1))
    cut, _ = end_drawings(lifts, (0.0, 0.4, 0.0, 0.6), np.random.default_rng(0))
    steps = np.isfinite(cut).all(axis=2).sum(axis=1)
    assert set(steps.tolist()) == {1, 3}
    assert (steps == 3).mean() == pytest.approx(0.6, abs=0.04)  # five standard errors


@pytest.mark.parametrize("kind", ["npz", "csv"])
def test_what_is_written_reads_as_the_same_strokes(tee, tmp_path, kind):
    pattern = DrawnStrokes(tee, holdout=0)
    write_traces(tmp_path / f"out.{kind}", moves(pattern)[None], kind, "strokes")
    np.testing.assert_allclose(moves(DrawnStrokes(tmp_path / f"out.{kind}", holdout=0)), moves(pattern), atol=1e-12)


def test_the_config_has_every_option_and_the_codes_defaults():
    path = Path(__file__).parents[2] / "conf" / "dataset" / "strokes.yaml"
    config = yaml.safe_load(path.read_text(encoding="utf-8"))["dataset"]
    defaults = {name: p.default for name, p in inspect.signature(DrawnStrokes).parameters.items()}
    assert config == defaults | {"_target_": "vrnn.patterns.DrawnStrokes", "files": "???"}


def test_renderings_with_jitter_keep_their_lifts(tee):
    """As many as are asked for: turned and scaled by about a twentieth, with noise of a twentieth of a move."""
    pattern = DrawnStrokes(tee, holdout=0, jitter=0.05)
    still = moves(DrawnStrokes(tee, holdout=0))
    drawn = np.stack([trace.points for trace in pattern.draw("train", 4000, 1000, np.random.default_rng(0))])
    assert drawn.shape == (4000, 21, 3)
    np.testing.assert_array_equal(drawn[..., 0], np.tile(still[:, 0], (4000, 1)))
    np.testing.assert_allclose(drawn.mean(axis=0), still, atol=0.02)
    angle = np.arctan2(drawn[:, 10, 2], drawn[:, 10, 1]) - np.arctan2(still[10, 2], still[10, 1])
    length = np.hypot(drawn[:, 10, 1], drawn[:, 10, 2]) / np.hypot(still[10, 1], still[10, 2])
    noise = 0.05 * np.sqrt(2) / np.hypot(still[10, 1], still[10, 2])  # of the two ends of the jump
    for found in (np.sin(angle), np.log(length)):
        assert found.std() == pytest.approx(np.hypot(0.05, noise), rel=0.06)
    assert len(pattern.draw("train", 3, 5, np.random.default_rng(0))[2].points) == 5
    with pytest.raises(ValueError, match=r"jitter must be a number in \[0, 1\], but is -1"):
        DrawnStrokes(tee, jitter=-1)
