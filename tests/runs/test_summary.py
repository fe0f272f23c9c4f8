"""A finished run answers at once."""

import subprocess
import sys


def test_is_finished_needs_no_heavy_imports():
    code = "import sys, vrnn.cli, vrnn.runs.summary, vrnn.runs.sweep; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()
    assert not {"torch", "pytorch_lightning", "matplotlib", "numba"} & {*loaded}
