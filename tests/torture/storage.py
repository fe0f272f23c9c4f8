"""Disks that are full, and directories that cannot be written to: said in words, and the run continues afterwards."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from tests.conftest import ROOT
from tests.torture.outcome import Outcome, sample, try_each
from tests.torture.runs import SMALLEST, configuration, fingerprint, in_child, train
from vrnn.runs.run import run as train_configured

# Bytes that a file may have. Between them lie the sizes of the log, the settings, the events and the checkpoints.
LIMITS = (0, 1, 100, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 60_000, 120_000, 250_000)
# Kilobytes of a file system that the run does not fit on.
DISKS = (40, 120, 200, 300, 360, 420, 460, 500)
ROOM = "64m"
NOBODY = 65534


def torture(scale: float, work: Path) -> Iterator[Outcome]:
    """Let writes fail, then let the run continue."""
    work.mkdir()
    work.chmod(0o755)
    assert in_child(partial(train, work / "whole", []), work / "log") == 0
    expected = fingerprint(work / "whole")
    yield from try_each("full disk", partial(try_limit, work, expected), sample(LIMITS, scale))
    if scale >= 0.05 and can_mount(work):  # whole commands, of ten seconds each
        yield from try_each("full file system", partial(try_small_disk, work, expected), sample(DISKS, scale))
    yield from try_each("read-only directory", partial(try_read_only, work), sample(("run", "checkpoints"), scale))


def try_limit(work: Path, expected: dict[str, str], limit: int) -> str:
    """Train where no file may be larger than a limit, then without."""
    run, log = work / f"limit-{limit}", work / f"limit-{limit}.log"

    def limited() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # the write fails instead, as on a full disk
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
        train(run, [])

    code, said = _tried(limited, work / f"limit-{limit}.out")
    if code not in (0, 1) or (code == 1 and "OSError: " not in said):
        return f"exit code {code}: {said[-300:]}"
    if code := in_child(partial(train, run, []), log):
        return f"not continued, exit code {code}: {log.read_text()[-300:]}"
    found = fingerprint(run)
    return " and ".join(f"other {part}" for part in ("scores", "last", "best") if found[part] != expected[part])


def can_mount(work: Path) -> bool:
    """Return whether this process may mount a file system, as root may."""
    place = work / "mounted"
    place.mkdir()
    return mount(place, "1m") and unmount(place)


def mount(place: Path, size: str, remount: str = "") -> bool:
    """Mount a file system of a size in memory, or give the one that is there another size; return whether it is there."""
    command = ["mount", "-t", "tmpfs", "-o", f"{remount}size={size}", "tmpfs", str(place)]
    return (
        shutil.which("mount") is not None and subprocess.run(command, capture_output=True, check=False).returncode == 0
    )


def unmount(place: Path) -> bool:
    """Take a file system away; return whether that was possible."""
    return subprocess.run(["umount", "--lazy", str(place)], capture_output=True, check=False).returncode == 0


def try_small_disk(work: Path, expected: dict[str, str], kilobytes: int) -> str:
    """Train by the command on a file system that fills up, make room, and give the same command again."""
    place = work / f"disk-{kilobytes}"
    place.mkdir()
    assert mount(place, f"{kilobytes}k")
    try:
        ended = _command(place / "run")
        last = (ended.stderr.strip().splitlines() or [""])[-1]
        clear = ended.returncode == 1 and last.startswith("error: ") and str(place) in last
        if not clear or "Traceback" in ended.stderr + ended.stdout:
            return f"exit code {ended.returncode}: {(ended.stdout + ended.stderr)[-600:]}"
        assert mount(place, ROOM, "remount,")
        again = _command(place / "run")
        if again.returncode:
            return f"not continued, exit code {again.returncode}: {again.stderr[-300:]}"
        found = fingerprint(place / "run")
        return " and ".join(f"other {part}" for part in ("scores", "last", "best") if found[part] != expected[part])
    finally:
        unmount(place)


def _command(run: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    command = [sys.executable, "scripts/train.py", *SMALLEST, f"hydra.run.dir={run}"]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def _tried(work: object, output: Path) -> tuple[int, str]:
    """Run in a child whose output goes through a pipe, which no limit of files concerns."""
    reading, writing = os.pipe()
    if not (child := os.fork()):
        os.close(reading)
        os.dup2(writing, 1)
        os.dup2(writing, 2)
        code = 1
        try:
            work()  # type: ignore[operator]
            code = 0
        except BaseException as error:
            os.write(2, f"{type(error).__name__}: {error}\n".encode())
        finally:
            os._exit(code)
    os.close(writing)
    with os.fdopen(reading, "rb") as file:
        said = file.read().decode(errors="replace")
    output.write_text(said)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), said


def try_read_only(work: Path, which: str) -> str:
    """Train in a directory that may only be read."""
    run = work / f"read-only-{which}"
    locked = run if which == "run" else run / "checkpoints"
    locked.mkdir(parents=True)
    if which != "run":
        run.chmod(0o777)
    locked.chmod(0o555)

    config = configuration([])

    def as_somebody() -> None:
        if os.getuid() == 0:  # root may write everywhere
            os.setuid(NOBODY)
        train_configured(config, run, progress_bar=False)

    code, said = _tried(as_somebody, work / f"{which}.out")
    return (
        "" if code == 1 and ("PermissionError: " in said or "OSError: " in said) else f"exit code {code}: {said[-300:]}"
    )
