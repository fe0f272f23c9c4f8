"""A run on exogenous series: it is given them on the command line and in Python, in their own units."""

import numpy as np
import pytest

import vrnn
from tests.conftest import SMALL
from vrnn.errors import ConfigError
from vrnn.patterns.files.series_files import load_series
from vrnn.runs.run import run
from vrnn.runs.score import score_files
from vrnn.runs.trained import generate_from_run, impute_from_run

PACE = "training={steps: 6, log_every: 3, val_every: 6, checkpoint_every: 3, figure_every: 6}"
COMMON = {"checkpoint": "last", "seed": 0}
TIME = np.arange(120)
HEAT, POWER = 3 * np.sin(TIME / 5) + 10, 40 * np.cos(TIME / 5) + 1000
GENERATE = {"n": 2, "prefix": None, "sample": True, "format": "csv", "out": None, **COMMON}


def write(path, *columns):
    rows = zip(*(values.tolist() for _, values in columns), strict=True)
    path.write_text(",".join(name for name, _ in columns) + "\n" + "\n".join(",".join(map(repr, row)) for row in rows))
    return str(path)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    from hydra import compose, initialize_config_dir

    from tests.conftest import ROOT
    from vrnn.runs.schema import register

    register()
    folder = tmp_path_factory.mktemp("exogenous")
    write(folder / "train.csv", ("heat", HEAT), ("power", POWER))
    write(folder / "more.csv", ("power", POWER), ("other", TIME), ("heat", HEAT))
    write(folder / "future.csv", ("heat", HEAT[:20]))
    own = ["dataset=series", f"dataset.files=[{folder / 'train.csv'}]", "dataset.condition_columns=[heat]"]
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        config = compose("train", overrides=[*SMALL, PACE, *own, "condition=series", "engine=reference"])
    run(config, folder / "run", progress_bar=False)
    return folder


def test_the_units_of_both_are_stored(trained):
    units = vrnn.load_run(trained / "run").units
    assert (units.names, units.exogenous_names) == (("power",), ("heat",))
    assert units.exogenous.mean[0] == pytest.approx(HEAT[:96].mean())
    assert units.exogenous.scale[0] == pytest.approx(HEAT[:96].std())


def test_generation_follows_a_file(trained):
    loaded = vrnn.load_run(trained / "run")
    path = generate_from_run(trained / "run", steps=None, label=str(trained / "future.csv"), **GENERATE)
    found = np.stack([one.values for one in load_series(path, ["power"], "trace").values()], axis=1)
    expected = loaded.generate(2, 20, condition=HEAT[:20, None])
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    assert not np.allclose(expected, loaded.generate(2, 20, condition=HEAT[:20, None] + 3.0))
    options = GENERATE | {"prefix": str(trained / "more.csv")}
    path = generate_from_run(trained / "run", steps=15, label=str(trained / "future.csv"), **options)
    found = np.stack([one.values for one in load_series(path, ["power"], "trace").values()], axis=1)
    both = np.concatenate([HEAT, HEAT[:15]])[:, None]
    np.testing.assert_allclose(found, loaded.generate(2, 15, POWER[:, None], condition=both), rtol=1e-5)


def test_generation_follows_held_out_series(trained):
    loaded = vrnn.load_run(trained / "run")
    path = generate_from_run(trained / "run", steps=None, **GENERATE)
    found = np.stack([one.values for one in load_series(path, ["power"], "trace").values()], axis=1)
    np.testing.assert_allclose(found, loaded.generate(2, 24, condition=HEAT[96:, None]), rtol=1e-5)


def test_gaps_and_scores_read_their_series(trained):
    loaded, x = vrnn.load_run(trained / "run"), POWER[:, None]
    (row,) = score_files(trained / "run", files=[str(trained / "more.csv")], particles=4, out=None, **COMMON)
    expected = loaded.log_likelihood(x, particles=4, condition=HEAT[:, None]).per_step.mean()
    assert row["nats_per_step"] == pytest.approx(expected)
    assert expected != pytest.approx(
        loaded.log_likelihood(x, particles=4, condition=HEAT[::-1, None].copy()).per_step.mean()
    )
    options = {"drawing": str(trained / "more.csv"), "gap": [50, 60], "n": 2, "particles": 4, "out": None, **COMMON}
    filled = load_series(impute_from_run(trained / "run", format="csv", **options), ["power"], "trace")
    for one in filled.values():
        np.testing.assert_array_equal(one.values[:50], x[:50])


def test_arrays_that_name_their_columns_are_read_by_name(trained):
    """As a table with the same columns is, in another order than the run's data."""
    columns = np.array(["power", "other", "heat"])
    np.savez(trained / "named.npz", x=np.stack([POWER, TIME, HEAT], axis=1), columns=columns)
    np.savez(trained / "future.npz", x=np.stack([TIME, HEAT], axis=1)[:20], columns=columns[1:])
    rows = [
        score_files(trained / "run", files=[str(trained / name)], particles=4, out=None, **COMMON)[0]
        for name in ("more.csv", "named.npz")
    ]
    assert rows[0]["nats_per_step"] == rows[1]["nats_per_step"]
    paths = [
        generate_from_run(trained / "run", steps=None, label=str(trained / name), **GENERATE)
        for name in ("future.csv", "future.npz")
    ]
    assert paths[0].read_text() == paths[1].read_text()


def test_what_does_not_fit_is_one_line(trained):
    write(trained / "without.csv", ("power", POWER))
    prefix = {"prefix": str(trained / "more.csv")}
    for options, message in (
        ({"steps": 21, "label": str(trained / "future.csv")}, "steps must be at most 20"),
        (
            {"steps": 5, "label": "warm"},
            r"condition must be a file with the exogenous series heat \(.npy, .* but is warm",
        ),
        ({"steps": 5, "label": str(trained / "without.csv")}, "there is no column 'heat'; it has power"),
        ({"steps": 5, **prefix}, "condition must be a file with the exogenous series of the steps after the prefix"),
    ):
        with pytest.raises(ConfigError, match=message):
            generate_from_run(trained / "run", **(GENERATE | options))
    for files, label, message in (
        ("without.csv", None, "there is no column 'heat'"),
        (
            "more.csv",
            "warm",
            "condition must be left out for a run with condition=series, whose exogenous series are in files",
        ),
    ):
        with pytest.raises(ConfigError, match=message):
            score_files(trained / "run", files=[str(trained / files)], particles=4, out=None, label=label, **COMMON)
