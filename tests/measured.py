"""What a process of its own takes, apart from the memory of the test's process."""

import subprocess
import sys
from typing import NamedTuple

from tests.conftest import ROOT

# A child's peak memory begins with that of the process which starts it, so a small one does.
LAUNCHER = """
import os, subprocess, sys
child = subprocess.Popen(sys.argv[1:], stdout=sys.stderr)
_, status, used = os.wait4(child.pid, 0)
print(os.waitstatus_to_exitcode(status), used.ru_utime + used.ru_stime, used.ru_maxrss / 1024**2)
"""


class Measured(NamedTuple):
    """What a process printed, its exit code, its processor time in seconds and its peak memory in GB."""

    text: str
    code: int
    seconds: float
    peak: float


def run_measured(*command: str) -> Measured:
    """Run a Python command in the repository's root; its exit code must be looked at."""
    launch = [sys.executable, "-c", LAUNCHER, sys.executable, *command]
    done = subprocess.run(launch, cwd=ROOT, capture_output=True, text=True, check=True)
    code, seconds, peak = done.stdout.split()
    return Measured(done.stderr, int(code), float(seconds), float(peak))
