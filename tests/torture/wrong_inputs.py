"""Wrong command lines, each in a process of its own."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import cache, partial
from pathlib import Path

import yaml

from tests.conftest import ROOT
from tests.torture.outcome import Outcome, sample, try_each

TABLE: dict[str, str] = yaml.safe_load((Path(__file__).parent / "wrong_inputs.yaml").read_text())
SLOWEST = 3.0  # seconds of computing until the answer: on an idle machine these are the seconds waited
TORCH = 1.25  # seconds of computing in which a machine that SLOWEST is meant for imports torch
TRIES = 3  # the fastest counts
FINISHED = ROOT / "tests" / "fixtures" / "runs" / "finished"
CODE = "import sys; sys.argv[0] = 'vrnn'; from vrnn.cli import main; main()"


def torture(scale: float, work: Path) -> Iterator[Outcome]:
    """Try a share of the wrong command lines."""
    yield from try_each("wrong inputs", partial(try_line, work.parent), sample(TABLE, scale))


def try_line(parent: Path, line: str) -> str:
    """Return what is wrong with the answer to a command line; "" if it is as it must be."""
    work = Path(tempfile.mkdtemp(dir=parent))
    lay_out(work)
    before, seconds = listing(work), []
    while len(seconds) < TRIES and min(seconds, default=longest()) >= longest():
        ended, spent = run_vrnn(line, work)
        seconds.append(spent)
        if wrong := judge(line, ended, before, listing(work)):
            return wrong
    return f"answered after {min(seconds):.1f} s of {longest():.1f}" if min(seconds) >= longest() else ""


@cache
def longest() -> float:
    """Return the seconds of computing that an answer may take here: more than SLOWEST where importing torch is slow."""
    seconds = min(run_python("import torch", ROOT)[1] for _ in range(TRIES))
    return SLOWEST * max(1.0, seconds / TORCH)


def judge(line: str, ended: subprocess.CompletedProcess[str], before: list[str], after: list[str]) -> str:
    """Return what is wrong with how a process ended; "" if nothing is."""
    lines = ended.stderr.splitlines()
    if ended.returncode in (0, None) or ended.returncode < 0:
        return f"exit code {ended.returncode}"
    if len(lines) != 1 or not lines[0].startswith("error: "):
        return f"{len(lines)} lines, the last: {lines[-1:]}"
    if TABLE[line] not in lines[0]:
        return f"says: {lines[0]}"
    return f"left behind: {sorted({*after} ^ {*before})}" if after != before else ""


def lay_out(work: Path) -> None:
    """Make a working directory with a finished run, and files that are not what they should be."""
    shutil.copytree(FINISHED, work / "RUN")
    (work / "words.csv").write_text("x,y\n1,2\n3,four\n")
    (work / "empty.csv").write_text("")
    (work / "junk.npy").write_bytes(b"junk")
    (work / "two.csv").write_text("1,2\n3,4\n\n1,2\n3,5\n")
    (work / "pixels.csv").write_text("".join(f"{300 + 3 * i},{200 + i % 7}\n" for i in range(60)))
    (work / "points.csv").write_text("".join(f"{i / 60},{i % 7 / 7}\n" for i in range(60)))
    (work / "lost.csv").write_text("0,0\n.1,.1\nnan,nan\n" + "".join(f".{i},.3\n" for i in range(1, 9)))
    (work / "file").write_text("a file, not a directory")


def listing(work: Path) -> list[str]:
    """Return the paths below a directory."""
    return sorted(str(path.relative_to(work)) for path in work.rglob("*"))


def run_vrnn(line: str, work: Path, before: str = "") -> tuple[subprocess.CompletedProcess[str], float]:
    """Run one command line in a directory, after some Python; return how it ended, and the seconds of computing."""
    return run_python(before + CODE, work, *line.split(" "))


def run_python(code: str, work: Path, *arguments: str) -> tuple[subprocess.CompletedProcess[str], float]:
    """Run some Python in a directory; return how it ended, and the seconds of computing."""
    begin = resource.getrusage(resource.RUSAGE_CHILDREN)
    ended = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=work,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    end = resource.getrusage(resource.RUSAGE_CHILDREN)
    return ended, end.ru_utime + end.ru_stime - begin.ru_utime - begin.ru_stime
