"""Own sequences scored by a run: the table, the figure, and a point that is out of place."""

import csv
import shutil

import numpy as np
import pytest

import vrnn
from tests.conftest import ROOT
from vrnn import plots
from vrnn.errors import ConfigError
from vrnn.runs.score import _file_names, score_files

FINISHED = ROOT / "tests" / "fixtures" / "runs" / "finished"
OPTIONS = {"particles": 8, "out": None, "checkpoint": "last", "seed": 0}


@pytest.fixture
def run(tmp_path):
    return shutil.copytree(FINISHED, tmp_path / "run")


def test_a_point_out_of_place_is_surprising(run, tmp_path):
    x = vrnn.load_run(run).data.traces("test")[0].points[:120].copy()
    x[60] += 3.0
    x[90] = np.nan
    np.save(tmp_path / "x.npy", x)
    (row,) = score_files(run, files=[str(tmp_path / "x.npy")], **OPTIONS)
    table = list(csv.DictReader((run / "scored" / "x.npy.csv").read_text().splitlines()))
    found = np.array([float(line["log_likelihood"] or "nan") for line in table])
    expected = vrnn.load_run(run).log_likelihood(x, particles=8).per_step
    np.testing.assert_array_equal(found, expected)
    assert np.nanargmin(found) in (60, 61)
    assert table[90]["x"] == table[90]["log_likelihood"] == ""
    assert row["steps"] == 119
    assert row["nats_per_step"] == pytest.approx(np.nanmean(expected))
    assert 1 / 119 <= row["surprising"] < 0.5
    assert (run / "scored" / "x.npy.png").stat().st_size > 5000


def test_without_the_data_there_is_no_limit(run, tmp_path):
    config = run / "config.yaml"
    config.write_text(config.read_text().replace("\ndataset:\n", "\ndataset:\n  digest: other\n"))
    np.save(tmp_path / "x.npy", np.cumsum(np.full((20, 2), 0.1), axis=0))
    (row,) = score_files(run, files=[str(tmp_path / "x.npy")], **OPTIONS)
    assert row["surprising"] is None


def test_a_missing_file_is_named(run):
    with pytest.raises(ConfigError, match=r"none\.npy"):
        score_files(run, files=["none.npy"], **OPTIONS)


def test_no_files_are_refused(run):
    with pytest.raises(ConfigError, match="files must name at least one file"):
        score_files(run, files=[], **OPTIONS)


def test_the_figure_marks_what_is_above_the_limit():
    points, surprise = np.cumsum(np.ones((30, 2)), axis=0), np.zeros(30)
    surprise[[4, 17]] = 5.0
    figure = plots.plot_surprise(points, surprise, 1.0)
    marked = [line for ax in figure.axes for line in ax.lines if line.get_marker() == "o"]
    assert [len(line.get_xdata()) for line in marked] == [2, 2]
    assert marked[1].get_xdata().tolist() == [4, 17]
    with pytest.raises(ValueError, match="must be"):
        plots.plot_surprise(points, surprise[1:], None)


def test_sequences_of_one_name_have_files_of_their_own():
    names = ["A/1.csv", "B/1.csv", "st.csv[a/x]", "st.csv[b/x]", "st.csv[c é]", "a[1]/2.npy"]
    assert _file_names(names) == ["1.csv", "1.csv-2", "st.csv-a-x", "st.csv-b-x", "st.csv-c-é", "2.npy"]
