"""Disks that are full, and directories that cannot be written to: said in words, and the run continues afterwards."""

from __future__ import annotations

import os
import resource
import signal
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from tests.torture.outcome import Outcome, sample, try_each
from tests.torture.runs import configuration, fingerprint, in_child, train
from vrnn.runs.run import run as train_configured

# Bytes that a file may have. Between them lie the sizes of the log, the settings, the events and the checkpoints.
LIMITS = (0, 1, 100, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 60_000, 120_000, 250_000)
NOBODY = 65534


def torture(scale: float, work: Path) -> Iterator[Outcome]:
    """Let writes fail, then let the run continue."""
    work.mkdir()
    work.chmod(0o755)
    assert in_child(partial(train, work / "whole", []), work / "log") == 0
    expected = fingerprint(work / "whole")
    yield from try_each("full disk", partial(try_limit, work, expected), sample(LIMITS, scale))
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
