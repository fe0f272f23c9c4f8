"""One bad file in one run stops no comparison: the run is named with its reason, and the others are compared."""

import numpy as np
import pytest
from omegaconf import OmegaConf
from tensorboard.summary.writer.record_writer import RecordWriter

from tests.runs.test_compare import make_run
from vrnn.runs.collect import collect, training_seconds
from vrnn.runs.compare_report import report


def spoil_events(path):
    """Write a record whose frame is right and whose message is none."""
    with (path / "events.out.tfevents.9").open("wb") as file:
        RecordWriter(file).write(b"\xff\xff val/elbo speed/steps_per_second")


def spoil_sample(array):
    return lambda path: np.save(path / "sample.npy", array)


def spoil(name, content):
    return lambda path: (path / name).write_bytes(content)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (spoil_sample(np.zeros(5)), "sample.npy is damaged"),
        (spoil_sample(np.zeros((0, 2))), "sample.npy is damaged"),
        (spoil_sample(np.array([["a"]])), "sample.npy is damaged"),
        (spoil("sample.npy", b""), "sample.npy is damaged"),
        (spoil("sample.npy", b"\x93NUMPY\x01\x00\xff\xffjunk"), "sample.npy is damaged"),
        (spoil("scores.json", b"[1]"), "scores.json is damaged"),
        (spoil("scores.json", b'{"elbo_nats_per_step": ' + b"9" * 401 + b"}"), "must be a number"),
        (spoil("scores.json", b'{"elbo_nats_per_step": "high"}'), "must be a number"),
        (spoil("scores.json", b'{"elbo_nats_per_step": true}'), "must be a number"),
        (spoil("config.yaml", b"seed: \xff"), "config.yaml is damaged"),
        (spoil_events, "is damaged, and the run's curves are left out"),
    ],
)
def test_a_bad_file_stops_no_comparison(tmp_path, capsys, monkeypatch, damage, said):
    monkeypatch.setenv("COLUMNS", "300")
    for seed in range(2):
        make_run(tmp_path, {"h": 8, "seed": seed}, 1.5, curve=(1.0, 2.0))
    damage(make_run(tmp_path, {"h": 8, "seed": 2}, 1.5, curve=(1.0, 2.0)))
    report(OmegaConf.create({"runs": str(tmp_path), "sort": "elbo_nats_per_step", "out": None, "traces": 4}))
    printed = capsys.readouterr().out
    assert "h-8-seed-2" in printed
    assert said in printed
    assert "1.5" in printed
    assert said in (tmp_path / "compare.md").read_text()


def test_a_failure_in_another_encoding_is_told(tmp_path, capsys):
    make_run(tmp_path, {"h": 8, "seed": 0}, 1.5)
    failed = make_run(tmp_path, {"h": 8, "seed": 1})
    (failed / "failed").write_bytes(b"\xff\xfe no UTF-8")
    report(OmegaConf.create({"runs": str(tmp_path), "sort": "elbo_nats_per_step", "out": None, "traces": 4}))
    assert "no UTF-8" in capsys.readouterr().out


def test_a_cut_off_event_file_is_no_damage(tmp_path, capsys):
    """As a killed process leaves it."""
    run = make_run(tmp_path, {"h": 8, "seed": 0}, 1.5, curve=(1.0, 2.0))
    (run / "events.out.tfevents.9").write_bytes(b"junk" * 9)
    report(OmegaConf.create({"runs": str(tmp_path), "sort": "elbo_nats_per_step", "out": None, "traces": 4}))
    assert "damaged" not in capsys.readouterr().out


def test_seeds_of_other_types_are_sorted(tmp_path):
    for seed in (0, "x", 1.5):
        make_run(tmp_path, {"h": 8, "seed": seed}, 1.5)
    report(OmegaConf.create({"runs": str(tmp_path), "sort": "elbo_nats_per_step", "out": None, "traces": 4}))


def test_a_damaged_event_file_has_no_training_time(tmp_path):
    directory = make_run(tmp_path, {"seed": 0}, 1.5, curve=(1.0, 2.0))
    spoil_events(directory)
    (run,) = collect(tmp_path)
    assert np.isnan(training_seconds(run))
