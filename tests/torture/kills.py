"""Runs killed at file operations and at random moments: continued, each ends with the bits of an undisturbed one."""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from tests.torture.outcome import Outcome, sample, try_each
from tests.torture.runs import CONFIGURATIONS, fingerprint, in_child, train

RUNS_EACH = 8  # of each configuration; half are killed at a file operation, half at a random moment
OPERATIONS = ("open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "shutil.rmtree", "os.link", "os.truncate")
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT


def torture(scale: float, work: Path) -> Iterator[Outcome]:
    """Kill runs of every configuration."""
    cases = [(name, i) for name in CONFIGURATIONS for i in range(RUNS_EACH)]
    chosen = sample(cases, scale)
    references = dict(try_reference(work, name) for name in dict.fromkeys(name for name, _ in chosen))
    for fault, at in (("killed at a file operation", 0), ("killed at a random moment", 1)):
        yield from try_each(fault, partial(try_kill, work, references), [case for case in chosen if case[1] % 2 == at])


def try_reference(work: Path, name: str) -> tuple[str, tuple[dict[str, str], int, float]]:
    """Train a run undisturbed; return its name, its fingerprint, its number of file operations and its seconds."""
    directory = work / name / "undisturbed"
    directory.mkdir(parents=True)
    counter = work / name / "operations"
    begin = time.perf_counter()
    code = in_child(lambda: _count(counter, directory, CONFIGURATIONS[name]), work / name / "undisturbed.log")
    assert code == 0, (work / name / "undisturbed.log").read_text()[-2000:]
    return name, (fingerprint(directory), int(counter.read_text()), time.perf_counter() - begin)


def try_kill(work: Path, references: dict[str, tuple[dict[str, str], int, float]], case: tuple[str, int]) -> str:
    """Kill a run once or twice, let it finish, and return what differs from the undisturbed one."""
    name, i = case
    expected, operations, seconds = references[name]
    moments = random.Random(f"{name} {i}" if i % 2 == 0 else time.time_ns())
    directory, log = work / name / f"killed-{i}", work / name / f"killed-{i}.log"
    directory.mkdir()
    for _ in range(1 + i // 4 % 2):
        if i % 2:
            in_child(partial(train, directory, CONFIGURATIONS[name]), log, moments.uniform(0, seconds))
        else:
            nth = moments.randrange(operations)
            in_child(lambda nth=nth: _die(nth, directory, CONFIGURATIONS[name]), log)
    code = in_child(partial(train, directory, CONFIGURATIONS[name]), log)
    if code:
        return f"exit code {code}: {log.read_text()[-300:]}"
    found = fingerprint(directory)
    return " and ".join(f"other {part}" for part in expected if found[part] != expected[part])


def _count(counter: Path, directory: Path, overrides: list[str]) -> None:
    """Train, and write how many file operations that took."""
    counted = [0]

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        counted[0] += _touches(directory, event, arguments)

    sys.addaudithook(hook)
    train(directory, overrides)
    counter.write_text(str(counted[0]))


def _die(nth: int, directory: Path, overrides: list[str]) -> None:
    """Train, and be killed before the n-th file operation in a directory."""
    left = [nth]

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if _touches(directory, event, arguments):
            left[0] -= 1
            if left[0] < 0:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)
    train(directory, overrides)


def _touches(directory: Path, event: str, arguments: tuple[Any, ...]) -> bool:
    """Return whether an event of the interpreter is an operation that changes a file below a directory."""
    if event not in OPERATIONS or not str(arguments[0]).startswith(str(directory)):
        return False
    return event != "open" or (isinstance(arguments[2], int) and bool(arguments[2] & WRITES))
