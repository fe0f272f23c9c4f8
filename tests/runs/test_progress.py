"""A run's progress, read from its directory."""

import os
import time
from pathlib import Path

import pytest

from tests.conftest import ROOT
from vrnn.runs.directory import lock_run
from vrnn.runs.progress import ProgressReader

HEAD = "step,name,value\n"


@pytest.fixture
def run(tmp_path) -> Path:
    settings = (ROOT / "tests/fixtures/runs/interrupted/config.yaml").read_text()
    (tmp_path / "config.yaml").write_text(settings)
    return tmp_path


def rows(run: Path) -> Path:
    return run / "scalars.csv"


def test_a_run_at_work(run):
    reader = ProgressReader(run)
    assert reader.read() == ("interrupted", None, reader.read().steps, None, None)
    steps = reader.read().steps
    rows(run).write_text(f"{HEAD}5,train/elbo,1.0\n5,val/elbo,2.5\n10,speed/steps_per_second,2.0\n")
    assert reader.read()[:4] == ("interrupted", 10, steps, 2.5)
    with rows(run).open("a") as file:
        file.write("15,speed/steps_per_second,4.0\n15,val/elbo,3.25\n20,val/elbo,9")  # still being written
    written = time.time() - 7
    os.utime(rows(run), (written, written))
    with lock_run(run):
        now = reader.read()
    assert now[:4] == ("running", 15, steps, 3.25)
    # 1/2 s and 1/4 s per step, in the mean 3/8 s; 7 s have passed since.
    assert now.seconds_left == pytest.approx(max(0.0, (steps - 15) * 3 / 8 - 7), abs=0.5)


def test_a_resumed_run_goes_back_to_its_checkpoint(run):
    reader = ProgressReader(run)
    rows(run).write_text(f"{HEAD}5,val/elbo,2.5\n10,val/elbo,3.5\n15,speed/steps_per_second,4.0\n")
    assert reader.read()[1:4:2] == (15, 3.5)
    kept = run / "kept"
    kept.write_text(f"{HEAD}5,val/elbo,2.5\n")
    kept.replace(rows(run))  # as ScalarsFile does
    assert reader.read()[1:4:2] == (5, 2.5)
    with rows(run).open("a") as file:
        file.write("10,val/elbo,4.5\n")
    assert reader.read()[1:4:2] == (10, 4.5)


def test_a_finished_run_has_its_score():
    now = ProgressReader(ROOT / "tests/fixtures/runs/finished").read()
    assert now.state == "finished"
    assert now.elbo == pytest.approx(
        float(
            __import__("json").loads((ROOT / "tests/fixtures/runs/finished/scores.json").read_text())[
                "elbo_nats_per_step"
            ]
        )
    )


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"step,name\n1,val/elbo\n", b"5,val/elbo,nan\n5,val/elbo,x\n"])
def test_what_cannot_be_read_is_not_known(tmp_path, content):
    rows(tmp_path).write_bytes(content)
    (tmp_path / "config.yaml").write_bytes(content)
    (tmp_path / "scores.json").write_bytes(content)
    (tmp_path / "done").touch()
    now = ProgressReader(tmp_path).read()
    assert (now.steps, now.elbo, now.seconds_left) == (None, None, None)
