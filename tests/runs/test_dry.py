"""`vrnn train … dry=true`: what a command would do is listed, and nothing is done."""

import shutil
import subprocess
import sys

import pytest

from tests.conftest import ROOT
from vrnn.cli.arguments import take_dry
from vrnn.errors import ConfigError
from vrnn.runs.directory import lock_run
from vrnn.runs.dry import standing
from vrnn.runs.name import run_name

RUNS = ROOT / "tests" / "fixtures" / "runs"


def test_a_dry_sweep_lists_its_jobs_and_makes_nothing(tmp_path):
    first, second, third, fourth = (
        run_name("mine", None, "eye", ["sweep=mine", f"recurrence={recurrence}", f"seed={seed}"])
        for recurrence in ("gru", "lstm")
        for seed in (0, 1)
    )
    shutil.copytree(RUNS / "finished", tmp_path / "outputs" / first)
    shutil.copytree(RUNS / "interrupted", tmp_path / "outputs" / second)
    (tmp_path / "outputs" / third).mkdir()
    (tmp_path / "outputs" / third / "failed").write_text("ValueError: broken\nin two lines\n")
    before = sorted(tmp_path.rglob("*"))
    words = [sys.executable, str(ROOT / "scripts" / "train.py"), "-m", "sweep=mine", "recurrence=gru,lstm", "seed=0,1"]
    done = subprocess.run([*words, "dry=true"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        f"outputs/{first}: finished",
        f"outputs/{second}: interrupted at step 50",
        f"outputs/{third}: failed: ValueError: broken",
        f"outputs/{fourth}: not begun",
    ]
    assert sorted(tmp_path.rglob("*")) == before


def test_how_a_run_stands(tmp_path):
    shutil.copytree(RUNS / "interrupted", tmp_path / "run")
    checkpoint = tmp_path / "run" / "checkpoints" / "last.ckpt"
    checkpoint.write_bytes(b"nothing")
    assert standing(tmp_path / "run") == "interrupted with a damaged checkpoint"
    checkpoint.unlink()
    assert standing(tmp_path / "run") == "interrupted before its first checkpoint"
    with lock_run(tmp_path / "run"):
        assert standing(tmp_path / "run") == "running"


def test_dry_is_true_or_false():
    assert take_dry(["seed=1", "dry=true"]) == (["seed=1"], True)
    assert take_dry(["dry=False"]) == ([], False)
    with pytest.raises(ConfigError, match="dry must be true or false, but is 'true,false'"):
        take_dry(["dry=true,false"])
