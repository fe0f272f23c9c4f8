"""What a run leaves on the disk: nothing is overwritten unasked, and what dead writers left is removed."""

import os
import shutil
import time

from tests.conftest import ROOT
from vrnn.files import ABANDONED, remove_abandoned
from vrnn.runs.trained import generate_from_run

FINISHED = ROOT / "tests" / "fixtures" / "runs" / "finished"


def test_parts_of_dead_writers_are_removed(tmp_path):
    old, young, other = (tmp_path / name for name in ("failed.12ab34cd.part", "last.ckpt.12ab34cd.part", "part"))
    for path in (old, young, other):
        path.touch()
    long_ago = time.time() - ABANDONED - 10
    for path in (old, other):
        os.utime(path, (long_ago, long_ago))
    remove_abandoned(tmp_path)
    assert {*tmp_path.iterdir()} == {young, other}


def test_what_was_generated_is_not_overwritten(tmp_path):
    run = shutil.copytree(FINISHED, tmp_path / "run")
    options = {"n": 1, "steps": 3, "prefix": None, "format": "npz", "out": None, "sample": True, "checkpoint": "last"}
    first = generate_from_run(run, **options, seed=0)
    content = first.read_bytes()
    others = [generate_from_run(run, **options, seed=seed) for seed in (1, 2)]
    assert [path.name for path in (first, *others)] == ["generated.npz", "generated-2.npz", "generated-3.npz"]
    assert first.read_bytes() == content != others[0].read_bytes()
