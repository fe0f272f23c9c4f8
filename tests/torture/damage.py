"""Damaged files of a run: refused, or made good by an older file, and never other weights in silence."""

from __future__ import annotations

import os
import random
import shutil
import signal
import struct
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from tests.conftest import ROOT
from tests.torture.outcome import Outcome, sample, try_each
from tests.torture.runs import SMALLEST, fingerprint, in_child, train
from vrnn.runs import compare, compare_table
from vrnn.runs.collect import collect
from vrnn.runs.trained import generate_from_run

IN_CHECKPOINT = ("headers", "pickle", "tensors", "directory")  # the kinds of bytes of torch's zip files
EACH = 100  # cases of each of them
RESUMED = 12  # cases of each other file, where a run is to be continued
SET_BACK = (1, 60, 3_600, 86_400, 400 * 86_400)  # seconds by which the clock is set back before a run continues
HOW = ("flip", "zero", "cut", "double")
REFUSED = ("DamagedError: ", "ConfigError: ", "FileNotFoundError: ")


def torture(scale: float, work: Path) -> Iterator[Outcome]:
    """Damage the files of finished and of interrupted runs."""
    work.mkdir()
    expected = interrupt(work)
    reference = generated(work / "whole", work / "reference.npz")
    for part in IN_CHECKPOINT:
        cases = sample(range(EACH), scale)
        yield from try_each(f"damaged checkpoint: {part}", partial(try_weights, work, reference, part), cases)
    for name in ("checkpoints/last.ckpt", "config.yaml", "events"):
        yield from try_each(
            f"resumed, damaged {name}", partial(try_resume, work, expected, name), sample(range(RESUMED), scale)
        )
    yield from try_each("resumed, clock set back", partial(try_clock, work, expected), sample(SET_BACK, scale))
    for name in ("config.yaml", "scores.json", "sample.npy", "events"):
        yield from try_each(
            f"compared, damaged {name}", partial(try_compare, work, name), sample(range(RESUMED), scale)
        )
    if scale >= 0.5:  # compiles the kernels once, which takes a minute
        yield from try_each("damaged kernel cache", partial(try_cache, *fill_cache(work)), range(RESUMED))


def try_weights(work: Path, reference: bytes, part: str, number: int) -> str:
    """Damage one kind of bytes of a checkpoint, and generate from it."""
    run = Path(shutil.copytree(work / "whole", work / f"{part}-{number}"))
    path = run / "checkpoints" / "last.ckpt"
    rng = random.Random(f"{part} {number}")
    path.write_bytes(damaged(rng, path.read_bytes(), rng.choice(places(path)[part])))
    out, log = run / "out.npz", run / "log"
    code = in_child(lambda: generated(run, out), log)
    said = log.read_text(errors="replace")
    same = code == 0 and out.read_bytes() == reference
    shutil.rmtree(run)
    if same or (code == 1 and said.startswith(REFUSED)) or (code == 0 and "damaged" in said):
        return ""
    return f"exit code {code}, other traces in silence" if code == 0 else f"exit code {code}: {said[-300:]}"


def generated(run: Path, out: Path) -> bytes:
    """Generate two short traces, and return the file."""
    generate_from_run(
        run, n=2, steps=20, prefix=None, format="npz", out=str(out), sample=True, checkpoint="last", seed=0
    )
    return out.read_bytes()


def places(path: Path) -> dict[str, list[int]]:
    """Return the offsets of each kind of bytes in a checkpoint."""
    content = path.read_bytes()
    found: dict[str, list[int]] = {part: [] for part in IN_CHECKPOINT}
    with zipfile.ZipFile(path) as archive:
        for entry in archive.infolist():
            names, more = struct.unpack("<HH", content[entry.header_offset + 26 : entry.header_offset + 30])
            begin = entry.header_offset + 30 + names + more
            found["headers"] += range(entry.header_offset, begin)
            kind = "pickle" if entry.filename.endswith("data.pkl") else "tensors"
            found[kind] += range(begin, begin + entry.compress_size)
        found["directory"] += range(archive.start_dir, len(content))
    return found


def damaged(rng: random.Random, content: bytes, at: int) -> bytes:
    """Return a file's content with a bit flipped, 64 bytes zeroed, the rest cut off, or 64 bytes written twice."""
    how = rng.choice(HOW)
    if how == "flip":
        return content[:at] + bytes([content[at] ^ 1 << rng.randrange(8)]) + content[at + 1 :] if content else b""
    if how == "zero":
        return content[:at] + bytes(len(content[at : at + 64])) + content[at + 64 :]
    return content[:at] if how == "cut" else content[: at + 64] + content[at:]


def interrupt(work: Path) -> dict[str, str]:
    """Leave a run that was killed in the middle in work/interrupted; return what it is to end with."""
    assert in_child(partial(train, work / "whole", []), work / "log") == 0
    last = work / "interrupted" / "checkpoints" / "last.ckpt"

    def end(event: str, arguments: tuple[object, ...]) -> None:
        if event == "os.rename" and str(arguments[1]) == str(last):
            saved[0] += 1
            if saved[0] == 4:
                os.kill(os.getpid(), signal.SIGKILL)

    def begin() -> None:
        sys.addaudithook(end)
        train(work / "interrupted", [])

    saved = [0]
    assert in_child(begin, work / "log") == -signal.SIGKILL
    return fingerprint(work / "whole")


def try_resume(work: Path, expected: dict[str, str], name: str, number: int) -> str:
    """Damage a file of an interrupted run, and continue it."""
    run = Path(shutil.copytree(work / "interrupted", work / f"resumed-{name.replace('/', '-')}-{number}"))
    _damage_file(run, name, number)
    log = work / f"{run.name}.log"
    code = in_child(partial(train, run, []), log)
    said = log.read_text(errors="replace").strip().splitlines()
    if code:
        refused = code == 1 and any(line.startswith(REFUSED) for line in said)
        return "" if refused else f"exit code {code}: {said[-1:]}"
    found = fingerprint(run)
    return " and ".join(f"other {part}" for part in ("scores", "last") if found[part] != expected[part])


def try_clock(work: Path, expected: dict[str, str], seconds: int) -> str:
    """Continue an interrupted run after the clock was set back; nothing may differ, TensorBoard's scalars included."""
    run, log = Path(shutil.copytree(work / "interrupted", work / f"clock-{seconds}")), work / f"clock-{seconds}.log"
    now = time.time

    def earlier() -> None:
        time.time = lambda: now() - seconds
        train(run, [])

    if code := in_child(earlier, log):
        return f"exit code {code}: {log.read_text(errors='replace')[-300:]}"
    found = fingerprint(run)
    return " and ".join(f"other {part}" for part in expected if found[part] != expected[part])


def try_compare(work: Path, name: str, number: int) -> str:
    """Damage a file of one of two finished runs, and compare them."""
    root = work / f"compared-{name}-{number}"
    for run in ("sound", "damaged"):
        shutil.copytree(work / "whole", root / run)
    _damage_file(root / "damaged", name, number)
    code = in_child(partial(_compare, root), root / "log")
    return "" if code == 0 else f"exit code {code}: {(root / 'log').read_text(errors='replace')[-300:]}"


def _compare(root: Path) -> None:
    runs = collect(root)
    groups = compare.group_runs(runs, "elbo_nats_per_step")
    table = compare_table.rows(groups, "elbo_nats_per_step")
    curves, samples = compare.curves(groups, "val/elbo"), compare.samples(groups, 4)
    assert len(runs) == 2, "a run is missing"
    assert table, "no table"
    assert all(np.ndim(sample) == 2 for sample in samples.values()), "a sample that is no trace"
    assert curves is not None


def _damage_file(run: Path, name: str, number: int) -> None:
    path = next(run.glob("events.out.tfevents.*")) if name == "events" else run / name
    rng, content = random.Random(f"{name} {number}"), path.read_bytes()
    path.write_bytes(damaged(rng, content, rng.randrange(len(content))))


def fill_cache(work: Path) -> tuple[Path, Path, bytes]:
    """Compile the kernels into a cache of their own; return where, and a run's scores."""
    cache, run = work / "cache", work / "compiled"
    ended = train_with_cache(cache, run)
    assert ended.returncode == 0, ended.stderr
    return work, cache, (run / "scores.json").read_bytes()


def try_cache(work: Path, cache: Path, scores: bytes, number: int) -> str:
    """Damage a file of the kernels' cache, and train."""
    copy, run = Path(shutil.copytree(cache, work / f"cache-{number}")), work / f"cached-{number}"
    files = sorted(path for path in copy.rglob("*") if path.is_file())
    rng = random.Random(number)
    path = files[number % len(files)]
    path.write_bytes(damaged(rng, path.read_bytes(), rng.randrange(path.stat().st_size)))
    ended = train_with_cache(copy, run)
    if ended.returncode:
        return f"exit code {ended.returncode}: {ended.stderr[-300:]}"
    return "" if (run / "scores.json").read_bytes() == scores else "other scores"


def train_with_cache(cache: Path, run: Path) -> subprocess.CompletedProcess[str]:
    """Train a small run with a cache of kernels."""
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(cache), "PYTHONPATH": str(ROOT / "src")}
    command = [sys.executable, "scripts/train.py", *SMALLEST, "engine=native", f"hydra.run.dir={run}"]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
