"""Mutated files for every reader: each is read, or refused in words, within seconds and without much memory."""

from __future__ import annotations

import gzip
import io
import json
import logging
import random
import resource
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from tests.conftest import ROOT
from tests.torture.outcome import Outcome, try_each
from tests.torture.runs import in_child
from vrnn.errors import ConfigError, DamagedError
from vrnn.patterns import read_drawings
from vrnn.runs.directory import read_scores
from vrnn.runs.stored import stored_settings

CASES = 20_000  # of each reader
BATCHES = 10  # of them: a crash ends one
LONGEST = 10  # seconds for one file
MOST_MEMORY = 1_000_000_000  # bytes above what the process has
FIXTURES = ROOT / "tests" / "fixtures"
REFUSALS = (ValueError, OSError, ConfigError, DamagedError)
WORDS = [
    *(
        b"0",
        b"-1",
        b"1e308",
        b"1e999",
        b"-0.0",
        b"nan",
        b"inf",
        b"9" * 40,
        b"0x10",
        b"1e-320",
        b"1,5",
        b"null",
        b"true",
    ),
    *(b"\x00", b"\xff", b"\xef\xbb\xbf", b"\r", b"\n\n", b'"', b"'", b"<", b">", b"&amp;", b"[", b"]", b"{", b"}"),
    *(b"M0 0", b"a1 1 0 1 1 9 9", b"z", b"<g>", b"<use href='#a'/>", b"transform='scale(1e99)'"),
    *(b"${a}", b"*a", b"&a ", b"_target_: os.system"),
]
POINTS = [(round(i / 3, 3), round((i * 7 % 5) / 4, 3)) for i in range(12)]


def seeds() -> dict[str, list[bytes]]:
    """Return sound files for each suffix."""
    rows = "".join(f"{x},{y}\n" for x, y in POINTS)
    strokes = [[[x for x, _ in POINTS], [y for _, y in POINTS]]]
    moves = np.array([(1, 2, 0), (2, -1, 0), (0, 3, 1)] * 4, dtype=np.int16)
    arrays = io.BytesIO()
    np.savez_compressed(arrays, drawing=np.array(POINTS), more=np.array([POINTS, POINTS]))
    moved = io.BytesIO()
    np.savez(moved, train=moves)
    inkml = " ,".join(f"{x} {y}" for x, y in POINTS)
    page = " ".join(f"{x} {y}" for x, y in POINTS)
    xopp = f'<xournal><page width="9" height="9"><layer><stroke tool="pen">{page}</stroke></layer></page></xournal>'
    finished = FIXTURES / "runs" / "finished"
    return {
        ".svg": [(FIXTURES / "cases" / name).read_bytes() for name in ("arc.svg", "icon.svg", "page.svg")],
        ".csv": [b"x,y\n" + rows.encode(), rows.encode(), rows.replace(".", ",").replace(",", ";").encode()],
        ".inkml": [f'<ink xmlns="http://www.w3.org/2003/InkML"><trace>{inkml}</trace></ink>'.encode()],
        ".xopp": [xopp.encode(), gzip.compress(xopp.encode())],
        ".ndjson": [json.dumps({"word": "a", "drawing": strokes}).encode() + b"\n"],
        ".json": [json.dumps([[list(point) for point in POINTS]]).encode(), json.dumps({"strokes": strokes}).encode()],
        ".npz": [arrays.getvalue(), moved.getvalue()],
        "config.yaml": [(finished / "config.yaml").read_bytes()],
        "scores.json": [(finished / "scores.json").read_bytes()],
    }


def torture(scale: float, work: Path) -> Iterator[Outcome]:
    """Read mutated files of every kind."""
    batch = max(1, round(CASES * scale / BATCHES))
    work.mkdir()
    for name in seeds():
        attempts = try_each(f"fuzzed {name}", partial(try_batch, work, name, batch), range(BATCHES))
        yield from (outcome._replace(cases=batch) for outcome in attempts)


def try_batch(work: Path, name: str, cases: int, number: int) -> str:
    """Read a number of mutated files in a process of its own; return what the first fault was."""
    folder = work / f"{name}-{number}"
    folder.mkdir()
    log = folder / "log"
    code = in_child(lambda: _read_all(folder, name, cases, number), log)
    said = log.read_text(errors="replace")[-500:]
    if code:
        kept = shutil.copy(
            next(folder.glob("fuzzed*" if name[0] == "." else name)), work.parent / f"lost-{number}{name}"
        )
        return f"exit code {code}: {said} (the file: {kept})"
    shutil.rmtree(folder)
    return ""


def _read_all(folder: Path, name: str, cases: int, number: int) -> None:
    logging.disable()
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    resource.setrlimit(resource.RLIMIT_AS, (8 * MOST_MEMORY, 8 * MOST_MEMORY))
    path = folder / (f"fuzzed{name}" if name[0] == "." else name)
    reader, sound = READERS.get(name, _read_drawings), seeds()[name]
    for case in range(cases):
        rng = random.Random(f"{name} {number} {case}")
        path.write_bytes(mutated(rng, sound))
        signal.setitimer(signal.ITIMER_VIRTUAL, LONGEST)  # its default action ends the process
        with suppress(*REFUSALS):
            reader(path)
    signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - used
    assert grown < MOST_MEMORY, f"{grown / 1e9:.1f} GB of memory"


def _read_drawings(path: Path) -> None:
    for points in read_drawings(path).values():
        known = np.isfinite(points).all(axis=1)
        assert points.shape[1] == 2
        assert (known | np.isnan(points).all(axis=1)).all(), "points that are not finite"


READERS: dict[str, Callable[[Path], Any]] = {
    "config.yaml": lambda path: stored_settings(path.parent),
    "scores.json": lambda path: read_scores(path.parent),
}


def mutated(rng: random.Random, sound: list[bytes]) -> bytes:
    """Return a sound file with one to six changes."""
    content = bytearray(rng.choice(sound))
    for _ in range(rng.choice((1, 1, 1, 2, 3, 6))):
        at = rng.randrange(len(content) + 1)
        end = min(len(content), at + rng.choice((1, 2, 8, 64)))
        change = rng.randrange(7)
        if change == 0 and at < len(content):
            content[at] ^= 1 << rng.randrange(8)
        elif change == 1:
            del content[at:end]
        elif change == 2:
            content[at:at] = content[at:end] * rng.choice((1, 2, 50))
        elif change == 3:
            content[at:at] = rng.choice(WORDS)
        elif change == 4:
            content[at:end] = rng.choice(WORDS)
        elif change == 5:
            del content[at:]
        else:
            other = rng.choice(sound)
            content[at:] = other[rng.randrange(len(other)) :]
    return bytes(content)
