"""Damaged kernels are compiled again, and where they cannot be kept, work continues. In processes with a cache of their own."""

import os
import subprocess
import sys

import pytest

from tests.conftest import ROOT

PROGRAM = """
from vrnn.engine.native import jit

def double(x):
    return 2 * x

kernel = jit.entry(double)
print(kernel(3), kernel.stats.cache_hits)
"""


@pytest.fixture
def double(tmp_path):
    """Run a program with one kernel in a process of its own; return what it prints and warns."""
    program = tmp_path / "doubles.py"
    program.write_text(PROGRAM)

    def run() -> tuple[str, str]:
        environment = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "NUMBA_CACHE_DIR": str(tmp_path / "cache")}
        ended = subprocess.run(
            [sys.executable, program], env=environment, capture_output=True, text=True, timeout=60, check=True
        )
        return ended.stdout.strip(), ended.stderr

    return run


def kernels(tmp_path):
    return [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]


def test_damaged_kernels_are_compiled_again(double, tmp_path):
    assert double()[0].startswith("6")
    (path,) = kernels(tmp_path)
    assert double() == ("6 Counter({(int64,): 1})", "")
    good = path.read_bytes()
    for damaged in (b"", good[:100], good[:-1], good[:2000] + bytes([good[2000] ^ 1]) + good[2001:]):
        path.write_bytes(damaged)
        printed, warned = double()
        assert printed == "6 Counter()"
        assert "is damaged, and is compiled again" in warned
        assert path.read_bytes() != damaged
    assert double() == ("6 Counter({(int64,): 1})", "")


def test_work_continues_where_no_kernel_can_be_kept(double, tmp_path):
    double()
    (path,) = kernels(tmp_path)
    path.unlink()
    path.mkdir()  # root may write in every directory, but nobody replaces a directory by a file
    printed, warned = double()
    assert printed == "6 Counter()"
    assert "cannot be kept" in warned
    assert not [left for left in path.parent.iterdir() if left.name.endswith(".part")]


def test_what_earlier_versions_kept_is_removed(double, tmp_path):
    double()
    (kept,) = kernels(tmp_path)
    old = [kept.with_name(f"doubles.double_old-4.py311.{ending}") for ending in ("nbi", "1.nbc")]
    other = kept.with_name("triples.triple-4.py311.nbi")
    for path in (*old, other):
        path.write_bytes(b"old")
    kept.unlink()
    double()
    assert {*kernels(tmp_path)} == {kept, other}
