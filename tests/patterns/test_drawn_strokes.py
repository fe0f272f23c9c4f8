"""A user's own drawings with the pen's lifts."""

import inspect
import re
from pathlib import Path

import numpy as np
import pytest
import yaml

from vrnn.patterns import DrawnStrokes, write_traces
from vrnn.patterns.files.read import load_drawings

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
