"""Series of any width as a pattern."""

import inspect
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import yaml

from vrnn.data import TraceSet
from vrnn.patterns import SeriesPattern, Trace
from vrnn.patterns.files.series_files import load_series
from vrnn.patterns.recorded import random_window

RNG = np.random.default_rng(0)
VALUES = RNG.standard_normal((3, 40, 2)) * [1.0, 50.0] + [0.0, 1000.0]


def drawn(pattern, split="train", n=1, steps=None):
    return [trace.points for trace in pattern.draw(split, n, steps, np.random.default_rng(0))]


@pytest.fixture
def table(tmp_path):
    """A table of three stations with 40 steps each, as a spreadsheet with German settings exports it."""
    rows = [f"{'abc'[i]};{a!r};{b!r}".replace(".", ",") for i in range(3) for a, b in VALUES[i].tolist()]
    (tmp_path / "table.csv").write_text("\ufeffstation;heat;wind\n" + "\n".join(rows) + "\n", encoding="utf-8")
    return tmp_path / "table.csv"


def test_a_column_tells_sequences_apart(table):
    found = load_series(table, group="station")
    assert list(found) == [f"{table}[station={name}]" for name in "abc"]
    for series, values in zip(found.values(), VALUES, strict=True):
        assert series.channels == ("heat", "wind")
        np.testing.assert_array_equal(series.values, values)


@pytest.mark.parametrize(("columns", "expected"), [(["wind"], [1]), ([2, 1], [1, 0]), (["heat", 2], [0, 1])])
def test_columns_are_chosen_by_name_or_number(table, columns, expected):
    (series,) = load_series(table, columns).values()
    np.testing.assert_array_equal(series.values, VALUES.reshape(-1, 2)[:, expected])


def test_tables_without_a_header_and_of_one_column(tmp_path):
    (tmp_path / "a.csv").write_text("\n".join(f"{a!r},{b!r}" for a, b in VALUES[0].tolist()))
    (tmp_path / "b.csv").write_text("load\n" + "\n".join(map(repr, VALUES[0, :, 0].tolist())))
    (a,), (b,) = load_series(tmp_path / "a.csv").values(), load_series(tmp_path / "b.csv").values()
    np.testing.assert_array_equal(a.values, VALUES[0])
    np.testing.assert_array_equal(b.values, VALUES[0, :, :1])
    assert (a.channels, b.channels) == (("x0", "x1"), ("load",))


def test_arrays_of_every_shape(tmp_path):
    np.save(tmp_path / "flat.npy", VALUES[0, :, 0])
    np.save(tmp_path / "one.npy", VALUES[0])
    np.save(tmp_path / "many.npy", VALUES)
    np.savez(tmp_path / "unequal.npz", a=VALUES[0], b=VALUES[1, :15])
    shapes = {path.stem: [s.values.shape for s in load_series(path).values()] for path in tmp_path.iterdir()}
    assert shapes == {"flat": [(40, 1)], "one": [(40, 2)], "many": [(40, 2)] * 3, "unequal": [(40, 2), (15, 2)]}


def test_standardised_over_the_training_data_alone(tmp_path):
    np.save(tmp_path / "train.npy", VALUES[:2])
    np.save(tmp_path / "test.npy", VALUES[2:] + 7.0)
    pattern = SeriesPattern(tmp_path / "train.npy", test_files=tmp_path / "test.npy")
    training = np.concatenate(drawn(pattern, n=2))
    np.testing.assert_allclose(training.mean(axis=0), 0.0, atol=1e-12)
    np.testing.assert_allclose(training.std(axis=0), 1.0)
    assert pattern.x_dim == 2
    assert pattern.units.names == ("x0", "x1")
    for split in ("val", "test"):
        np.testing.assert_allclose(pattern.units.to_units(drawn(pattern, split)[0]), VALUES[2] + 7.0)


def test_exogenous_series_are_standardised_and_cut(tmp_path):
    rows = [f"{b!r},{a!r},{t}" for t, (a, b) in enumerate(VALUES[0].tolist())]
    (tmp_path / "a.csv").write_text("wind,heat,t\n" + "\n".join(rows))
    pattern = SeriesPattern(tmp_path / "a.csv", condition_columns=["t", "wind"])
    assert (pattern.x_dim, pattern.units.names, pattern.units.exogenous_names) == (1, ("heat",), ("t", "wind"))
    (whole,) = pattern.draw("train", 1, None, np.random.default_rng(0))
    np.testing.assert_allclose(whole.exogenous.mean(axis=0), 0.0, atol=1e-12)
    np.testing.assert_allclose(whole.exogenous.std(axis=0), 1.0)
    for trace in pattern.draw("train", 5, 10, np.random.default_rng(0)):
        (t, wind), heat = (
            pattern.units.exogenous.to_units(trace.exogenous).T,
            pattern.units.to_units(trace.points)[:, 0],
        )
        steps = np.rint(t).astype(int)
        assert np.diff(steps).tolist() == [1] * 9
        np.testing.assert_allclose(np.stack([heat, wind], axis=1), VALUES[0][steps])
    moves = SeriesPattern(tmp_path / "a.csv", condition_columns=["t"], differences=True, standardise=False, holdout=0)
    (trace,) = moves.draw("train", 1, None, np.random.default_rng(0))
    np.testing.assert_array_equal(trace.exogenous[:, 0], np.arange(1, 40))  # each at the later of its two steps
    batch = TraceSet([whole, whole.until(9)]).batch([1, 0], 4, 12)
    np.testing.assert_allclose(batch.condition[:, 1], whole.exogenous[4:12], rtol=1e-6)
    assert not batch.condition[5:, 0].any()  # after its end


def test_exogenous_series_that_are_refused(tmp_path):
    rows = [f"{a!r},{b!r}" for a, b in VALUES[0].tolist()]
    rows[3] = "1.0,"
    (tmp_path / "a.csv").write_text("heat,wind\n" + "\n".join(rows))
    for options, message in (
        ({"condition_columns": ["rain"]}, "there is no column 'rain'; it has heat, wind"),
        (
            {"condition_columns": ["wind"]},
            r"condition_columns must be known .* but step 3 of wind .* is nan: fill it in",
        ),
        ({"condition_columns": ["heat"], "columns": ["heat"]}, "heat is both"),
        ({"condition_columns": ["heat", "wind"]}, "no column is left for the channels"),
        ({"condition_columns": ["heat"], "label": "folder"}, "set dataset.label or dataset.condition_columns to null"),
    ):
        with pytest.raises(ValueError, match=message):
            SeriesPattern(tmp_path / "a.csv", **options)


def test_differences_and_raw_values(tmp_path):
    np.save(tmp_path / "a.npy", VALUES[0])
    pattern = SeriesPattern(tmp_path / "a.npy", differences=True, standardise=False, holdout=0)
    np.testing.assert_array_equal(drawn(pattern)[0], np.diff(VALUES[0], axis=0))
    assert pattern.units.mean == (0.0, 0.0)


def test_missing_numbers_are_gaps(tmp_path):
    rows = [f"{a!r},{b!r}" for a, b in VALUES[0].tolist()]
    rows[3], rows[7] = ",1000.5", "nan,NA"
    (tmp_path / "a.csv").write_text("heat,wind\n" + "\n".join(rows))
    pattern = SeriesPattern(tmp_path / "a.csv", holdout=0)
    (trace,) = pattern.draw("train", 1, 100, np.random.default_rng(0))
    assert np.flatnonzero(~trace.observed).tolist() == [3, 7]


def test_a_channel_that_never_changes_stays_finite(tmp_path):
    np.save(tmp_path / "a.npy", np.column_stack([VALUES[0, :, 0], np.full(40, 5.0)]))
    assert SeriesPattern(tmp_path / "a.npy").units.scale[1] == 1.0


def test_what_cannot_be_read_is_one_line(table, tmp_path):
    np.save(tmp_path / "short.npy", VALUES[0, :5])
    np.save(tmp_path / "four.npy", np.zeros((2, 2, 2, 2)))
    np.save(tmp_path / "objects.npy", np.array([{}], dtype=object), allow_pickle=True)
    np.save(tmp_path / "inf.npy", np.where(np.arange(40)[:, None] == 6, np.inf, VALUES[0]))
    (tmp_path / "empty.csv").write_text("a,b\n")
    np.save(tmp_path / "wide.npy", VALUES[0][:, [0, 1, 1]])
    for files, options, message in [
        (
            table,
            {},
            r"table.csv, row 2: expected a number, got 'a': choose the columns of numbers, as in dataset.columns=",
        ),
        (table, {"columns": ["rain"]}, r"there is no column 'rain'; it has station, heat, wind"),
        (table, {"columns": [1, "heat"]}, r"must name each column once"),
        (table, {"group": "city"}, r"there is no column 'city'"),
        (table, {"columns": []}, r"columns must name at least one of"),
        (tmp_path / "short.npy", {}, r"short.npy: a sequence needs at least 8 steps without a missing number, got 5"),
        (tmp_path / "four.npy", {}, r"four.npy: expected an array \(T,\), \(T, d\) or \(n, T, d\)"),
        (tmp_path / "objects.npy", {}, r"objects.npy: not a readable array file"),
        (tmp_path / "inf.npy", {}, r"step 6 of x0 \(counted from 0\) is inf"),
        (tmp_path / "empty.csv", {}, r"empty.csv"),
        (
            [tmp_path / "wide.npy", table],
            {"columns": [1, 2]},
            r"has the channels heat, wind, but",
        ),
        (tmp_path / "gone.csv", {}, r"gone.csv: no such file"),
        (tmp_path / "a.wav", {}, r"expected series in one of .npy, .npz, .csv"),
        (tmp_path / "wide.npy", {"group": "a"}, r"group=a names a column of a table, but arrays have none"),
    ]:
        with pytest.raises(ValueError, match=message) as raised:
            SeriesPattern(files, **options)
        assert "\n" not in str(raised.value)


def test_the_config_has_every_option_and_the_codes_defaults():
    path = Path(__file__).parents[2] / "conf" / "dataset" / "series.yaml"
    config = yaml.safe_load(path.read_text(encoding="utf-8"))["dataset"]
    defaults = {name: p.default for name, p in inspect.signature(SeriesPattern).parameters.items()}
    assert config == defaults | {"_target_": "vrnn.patterns.SeriesPattern", "files": "???"}


@pytest.mark.skipif(find_spec("pyarrow") is not None, reason="pyarrow is installed")
def test_parquet_without_pyarrow_says_what_to_install(tmp_path):
    (tmp_path / "a.parquet").write_bytes(b"PAR1")
    with pytest.raises(ValueError, match=r"parquet files need pyarrow: pip install 'vrnn-lab\[parquet\]'"):
        load_series(tmp_path / "a.parquet")


def test_parquet_reads_as_the_same_table_of_text(tmp_path):
    """With columns of floats, of integers with a missing one, and of text."""
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    columns = {"station": ["a", "b"] * 10, "heat": VALUES[0, :20, 0].tolist(), "count": [*range(19), None]}
    parquet.write_table(arrow.table(columns), tmp_path / "a.parquet")
    found = load_series(tmp_path / "a.parquet", group="station")
    assert [name.rpartition("[")[2] for name in found] == ["station=a]", "station=b]"]
    for i, series in enumerate(found.values()):
        assert series.channels == ("heat", "count")
        np.testing.assert_array_equal(series.values[:, 0], VALUES[0, i:20:2, 0])
        np.testing.assert_array_equal(series.values[:9, 1], np.arange(i, i + 18, 2))
    assert np.isnan(found[f"{tmp_path / 'a.parquet'}[station=b]"].values[-1, 1])
    with pytest.raises(ValueError, match="numbers in the column station, but it holds string: choose the columns"):
        load_series(tmp_path / "a.parquet")
    (tmp_path / "a.parquet").write_bytes(b"PAR1")
    with pytest.raises(ValueError, match="not readable as parquet"):
        load_series(tmp_path / "a.parquet")


def test_an_empty_cell_of_a_single_column_is_a_gap(tmp_path):
    """As a blank line, and in quotes, as pandas writes it; blank lines around the table are none."""
    (tmp_path / "one.csv").write_text('\na\n\n1\n2\n\n4\n""\n"6"\n\n\n')
    (found,) = load_series(tmp_path / "one.csv", fewest=1).values()
    np.testing.assert_array_equal(found.values[:, 0], [1, 2, np.nan, 4, np.nan, 6])
    (tmp_path / "two.csv").write_text("a,b\n1,2\n\n3,4\n,\n7,8\n9,10\n")
    (two,) = load_series(tmp_path / "two.csv", fewest=1).values()
    np.testing.assert_array_equal(two.values[:, 0], [1, 3, np.nan, 7, 9])


def test_windows_of_a_series_with_a_long_gap_are_not_empty():
    x = np.arange(200.0)[:, None]
    x[50:150] = np.nan
    trace = Trace(np.nan_to_num(x), np.full(200, -1), np.full(200, -1), observed=np.isfinite(x[:, 0]))
    rng = np.random.default_rng(0)
    windows = [random_window(trace, 20, rng) for _ in range(400)]
    assert all(window.observed.any() for window in windows)
    assert len({float(window.points[window.observed][0, 0]) for window in windows}) > 60  # of 119 that there are
