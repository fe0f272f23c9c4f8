"""A short form of `make torture`."""

import os
import subprocess
import sys

import pytest

from tests.conftest import ROOT


@pytest.mark.parametrize("kinds", [["kills", "numerics"], ["storage", "fuzz"]])
def test_one_fault_of_each_kind_is_survived(kinds):
    command = [sys.executable, "-m", "tests.torture", "--scale", "0.001", "--only", *kinds]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=240)
    tried = ended.stdout.splitlines()[-1].split()
    assert ended.returncode == 0, ended.stdout
    assert tried[0] == "survived"
    assert tried[1] == tried[3]
