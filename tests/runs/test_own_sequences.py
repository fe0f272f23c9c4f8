"""What is done with somebody's own sequences on the command line: continued, filled in and scored, as a run's own are."""

import csv

import numpy as np
import pytest

import vrnn
from tests.conftest import SMALL
from vrnn.errors import ConfigError
from vrnn.patterns.files.series_files import load_series
from vrnn.patterns.resampling import SmoothStroke, normalise
from vrnn.runs.drawing import read_sequence, read_sequences
from vrnn.runs.run import run
from vrnn.runs.score import score_files
from vrnn.runs.trained import generate_from_run, impute_from_run
from vrnn.runs.units import read_units

PACE = "training={steps: 6, log_every: 3, val_every: 6, checkpoint_every: 3, figure_every: 6}"
COMMON = {"checkpoint": "last", "seed": 0}
TIME = np.arange(120)
WIND, HEAT = 3 * np.sin(TIME / 5) + 10, 40 * np.cos(TIME / 5) + 1000


@pytest.fixture
def weather(composed, tmp_path):
    """A run on two columns of a table, and a table with the same columns in another order."""
    rows = [f"{a!r},{b!r}" for a, b in zip(WIND.tolist(), HEAT.tolist(), strict=True)]
    (tmp_path / "train.csv").write_text("wind,heat\n" + "\n".join(rows))
    swapped = [f"at {t},{b!r},{a!r}" for t, (a, b) in enumerate(zip(WIND.tolist(), HEAT.tolist(), strict=True))]
    (tmp_path / "more.csv").write_text("when,heat,wind\n" + "\n".join(swapped))
    config = composed(*SMALL, PACE, "dataset=series", f"dataset.files=[{tmp_path / 'train.csv'}]")
    run(config, tmp_path / "run", progress_bar=False)
    return tmp_path


def points_of(sequences):
    return [given.points for given in sequences.values()]


def read_csv(path):
    return list(csv.DictReader(path.read_text().splitlines()))


def test_a_series_continues_in_its_units_and_columns(weather):
    options = {"n": 3, "steps": 20, "prefix": str(weather / "more.csv"), "sample": True, **COMMON}
    path = generate_from_run(weather / "run", format="csv", out=None, **options)
    series = load_series(path, group="trace", columns=["wind", "heat"])
    expected = vrnn.load_run(weather / "run").generate(3, 20, prefix=np.stack([WIND, HEAT], axis=1))
    for found, values in zip(series.values(), expected.transpose(1, 0, 2), strict=True):
        np.testing.assert_allclose(found.values, values, rtol=1e-5)
    assert abs(expected[..., 1].mean() - 1000) < 100
    assert generate_from_run(weather / "run", format="png", out=None, **options).stat().st_size > 5000
    assert len(read_sequences([str(path)], vrnn.load_run(weather / "run").settings, read_units(weather / "run"))) == 3


@pytest.mark.parametrize("kind", ["npz", "csv"])
@pytest.mark.parametrize("columns", ["[x1,x0]", "[2,0]"])
def test_what_is_generated_of_some_columns_is_continued(composed, tmp_path, kind, columns):
    """By the names of the columns, whatever their order and number were in the run's data."""
    np.save(tmp_path / "all.npy", np.stack([WIND, HEAT, WIND + HEAT], axis=1))
    chosen = ["x1", "x0"] if columns == "[x1,x0]" else ["x2", "x0"]
    data = ["dataset=series", f"dataset.files=[{tmp_path / 'all.npy'}]", f"dataset.columns={columns}"]
    run(composed(*SMALL, PACE, *data), tmp_path / "run", progress_bar=False)
    options = {"n": 1, "steps": 20, "sample": True, "format": kind, **COMMON}
    first = generate_from_run(tmp_path / "run", prefix=None, out=str(tmp_path / f"first.{kind}"), **options)
    (series,) = load_series(first, chosen).values()
    whole = load_series(first, group="trace" if kind == "csv" else None)
    assert next(iter(whole.values())).channels[-2:] == tuple(chosen)
    settings, units = vrnn.load_run(tmp_path / "run").settings, read_units(tmp_path / "run")
    (again,) = read_sequences([str(first)], settings, units).values()
    np.testing.assert_array_equal(again.points, series.values)
    (own,) = read_sequences([str(tmp_path / "all.npy")], settings, units).values()
    np.testing.assert_allclose(own.points[:, 1], WIND)
    assert generate_from_run(tmp_path / "run", prefix=str(first), out=None, **options).is_file()


def test_names_of_columns_are_as_many_as_columns(tmp_path):
    np.savez(tmp_path / "a.npz", x=np.zeros((20, 2)), columns=np.array(["wind", "heat", "rain"]))
    with pytest.raises(ValueError, match=r"as many columns as names under the key columns, which are wind, heat, rain"):
        load_series(tmp_path / "a.npz")


def test_a_gap_in_a_series_is_filled_in_its_units(weather):
    options = {"drawing": str(weather / "more.csv"), "gap": [50, 60], "n": 2, "particles": 4, "out": None, **COMMON}
    rows = read_csv(impute_from_run(weather / "run", format="csv", **options))
    heat = np.array([float(row["heat"]) for row in rows]).reshape(2, 120)
    outside = (TIME < 50) | (TIME >= 60)
    np.testing.assert_array_equal(heat[:, outside], np.stack([HEAT, HEAT])[:, outside])
    assert (np.abs(heat[:, ~outside] - HEAT[~outside]) > 1e-3).any()
    assert impute_from_run(weather / "run", format="png", **options).stat().st_size > 5000


def test_a_series_is_scored_in_its_units(weather):
    (row,) = score_files(weather / "run", files=[str(weather / "more.csv")], particles=4, out=None, **COMMON)
    expected = vrnn.load_run(weather / "run").log_likelihood(np.stack([WIND, HEAT], axis=1), particles=4)
    assert row["nats_per_step"] == pytest.approx(expected.per_step.mean())
    assert row["surprising"] < 0.2  # the limit is that of the run's own test traces, in the same units
    table = read_csv(weather / "run" / "scored" / "more.csv.csv")
    assert [float(line["wind"]) for line in table] == WIND.tolist()


def test_parquet_is_read_by_the_names_of_its_columns(weather):
    """In another order, with one more, and with two stations: as the same tables of text are."""
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    columns = {"when": TIME.tolist(), "heat": HEAT.tolist(), "wind": WIND.tolist()}
    parquet.write_table(arrow.table(columns), weather / "more.parquet")
    trained = vrnn.load_run(weather / "run")
    (given,) = points_of(read_sequences([str(weather / "more.parquet")], trained.settings, trained.units))
    np.testing.assert_array_equal(given, np.stack([WIND, HEAT], axis=1))
    stations = {name: 2 * column for name, column in columns.items()} | {"station": ["a"] * 120 + ["b"] * 120}
    parquet.write_table(arrow.table(stations), weather / "two.parquet")
    trained.settings["dataset"]["group"] = "station"
    found = points_of(read_sequences([str(weather / "two.parquet")], trained.settings, trained.units))
    assert [len(points) for points in found] == [120, 120]


def test_a_series_that_does_not_fit_is_refused(weather):
    settings, units = vrnn.load_run(weather / "run").settings, read_units(weather / "run")
    (weather / "wrong.csv").write_text("wind,rain\n" + "1,2\n" * 20)
    np.save(weather / "wide.npy", np.ones((20, 3)))
    np.save(weather / "far.npy", np.stack([WIND, 100 * HEAT], axis=1))
    for name, fault in (
        ("wrong.csv", "no column 'heat'; it has wind, rain"),
        ("wide.npy", "expected 2 columns, the run's channels wind, heat, but it has 3"),
        ("far.npy", r"heat from 9\d\d to 1.04e\+03, but .* give it in the units of the data"),
    ):
        with pytest.raises(ConfigError, match=fault):
            read_sequence("prefix", str(weather / name), settings, units)


def test_drawings_are_resampled_as_the_run_has_seen_them(tmp_path):
    """The points of a circle, crowded on one side, come back at one distance; the last one is where the drawing ends."""
    angle = 2 * np.pi * np.linspace(0, 1, 200) ** 2
    points = 50 * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    np.save(tmp_path / "circle.npy", points)
    dataset = {"_target_": "vrnn.patterns.DrawnPattern", "files": [str(tmp_path / "circle.npy")], "speed": 0.25}
    settings = {"dataset": dataset, "allow": ["vrnn"], "condition": {"_target_": "vrnn.networks.NoCondition"}}
    (found,) = points_of(read_sequences(dataset["files"], settings, vrnn.Units()))
    steps = np.hypot(*np.diff(found, axis=0).T)
    np.testing.assert_allclose(steps, 0.25, rtol=0.01)
    np.testing.assert_allclose(found[-1], normalise(points)[-1], atol=1e-9)
    assert len(found) == int(SmoothStroke(normalise(points)).length / 0.25) + 1
    dataset |= {"speed": None, "interval": 2.0}
    np.savetxt(
        tmp_path / "timed.csv", np.column_stack([points, np.arange(200)]), delimiter=",", header="x,y,t", comments=""
    )
    (found,) = points_of(read_sequences([str(tmp_path / "timed.csv")], settings, vrnn.Units()))
    np.testing.assert_allclose(found, normalise(points[::2]))
    dataset["speed"] = 0.25
    points[20] = np.nan
    np.save(tmp_path / "circle.npy", points)
    dataset["interval"] = None
    with pytest.raises(ConfigError, match=r"without lost points .* has 1: fill them in"):
        read_sequences(dataset["files"], settings, vrnn.Units())
