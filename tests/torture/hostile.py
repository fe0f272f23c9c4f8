"""Files made to do harm: those of tests/trust, and bombs that are small on the disk."""

from __future__ import annotations

import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np

from tests.conftest import ROOT
from tests.torture.outcome import Outcome, sample, try_each
from tests.torture.runs import in_child, limit_seconds
from vrnn.patterns import read_drawings
from vrnn.runs.directory import read_scores
from vrnn.runs.stored import stored_settings
from vrnn.runs.trained import evaluate_run

FINISHED = ROOT / "tests" / "fixtures" / "runs" / "finished"
LONGEST = 10  # seconds of computing
STUCK = 60  # seconds after which a process waits for ever
MOST_MEMORY = 1_000_000_000  # bytes above what the process has
REFUSALS = ("FileNotFoundError: ", "ConfigError: ", "DamagedError: ", "ValueError: ", "OSError: ")


def torture(scale: float, work: Path) -> Iterator[Outcome]:
    """Run tests/trust, then set off the bombs."""
    work.mkdir()
    yield trusted(scale)
    yield from try_each("bombs", partial(try_bomb, work), sample(BOMBS, scale))


def trusted(scale: float) -> Outcome:
    """Run the tests of what strangers' files may do."""
    some = [] if scale >= 0.5 else ["-k", "link or pipe or terminal or formula"]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-o", "addopts=", "tests/trust", *some]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    passed = re.search(r"(\d+) passed", ended.stdout)
    lost = "" if ended.returncode == 0 else ended.stdout[-1000:]
    return Outcome("hostile files of tests/trust", "tests/trust", lost, int(passed[1]) if passed else 1)


def try_bomb(work: Path, name: str) -> str:
    """Read a bomb in a process of its own."""
    run = Path(shutil.copytree(FINISHED, work / name.replace(" ", "-")))
    lay, read = BOMBS[name]
    lay(run)
    log = work / f"{run.name}.log"
    code = in_child(lambda: _read(read, run), log)
    said = log.read_text(errors="replace")
    shutil.rmtree(run)
    return "" if code == 1 and said.startswith(REFUSALS) else f"exit code {code}: {said[-300:] or 'it was read'}"


def _read(read: Callable[[Path], object], run: Path) -> None:
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    signal.alarm(STUCK)  # its default action ends the process
    limit_seconds(LONGEST)
    try:
        read(run)
    finally:
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - used
        if grown > MOST_MEMORY:
            print(f"{grown / 1e9:.1f} GB of memory", file=sys.stderr, flush=True)


def _config(old: str, new: str) -> Callable[[Path], object]:
    def lay(run: Path) -> None:
        text = (run / "config.yaml").read_text()
        assert old in text
        (run / "config.yaml").write_text(text.replace(old, new, 1))

    return lay


def _file(name: str, content: Callable[[], str]) -> Callable[[Path], object]:
    return lambda run: (run / name).write_text(content())


def _pipe(name: str) -> Callable[[Path], object]:
    def lay(run: Path) -> None:
        (run / name).unlink(missing_ok=True)
        os.mkfifo(run / name)

    return lay


def _inflating_checkpoint(run: Path) -> None:
    with zipfile.ZipFile(run / "checkpoints" / "last.ckpt", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", bytes(1_500_000_000))
        archive.writestr("archive/version", "3")


def _inflating_arrays(run: Path) -> None:
    np.savez_compressed(run / "bomb.npz", drawing=np.zeros((90_000_000, 2)))


def _drawing(name: str) -> Callable[[Path], object]:
    return lambda run: read_drawings(run / name)


def _uses() -> str:
    levels = "".join(
        f'<g id="l{i}">{f"<use href=&quot;#l{i - 1}&quot;/>".replace("&quot;", chr(34)) * 10}</g>' for i in range(1, 9)
    )
    return f'<svg xmlns="http://www.w3.org/2000/svg"><g id="l0"><path d="M0 0L1 1"/></g>{levels}</svg>'


ENTITIES = '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY a "aaaaaaaaaa">{}]><ink>&j;</ink>'.format(
    "".join(f'<!ENTITY {chr(ord(c) + 1)} "{f"&{c};" * 10}">' for c in "abcdefghi")
)
ALIASES = "a: &a [1, 1]\n" + "".join(f"{chr(98 + i)}: &{chr(98 + i)} [{f'*{chr(97 + i)}, ' * 9}]\n" for i in range(12))
# {name: (how it is laid in a run's directory, what reads it)}
BOMBS: dict[str, tuple[Callable[[Path], object], Callable[[Path], object]]] = {
    "aliases of aliases": (_file("config.yaml", lambda: ALIASES), stored_settings),
    "100,000 brackets of YAML": (_file("config.yaml", lambda: "a: " + 100_000 * "["), stored_settings),
    "100,000 brackets of JSON": (_file("scores.json", lambda: 100_000 * "["), read_scores),
    "a number of a million digits": (_file("scores.json", lambda: '{"a": ' + 999_000 * "9" + "}"), read_scores),
    "settings of 100 MB": (_file("config.yaml", lambda: "a: " + 100_000_000 * "x"), stored_settings),
    "10^9 steps": (_config("evaluation:\n  traces: ", "evaluation:\n  traces: 100000000"), stored_settings),
    "10^9 units": (_config("h_dim: ", "h_dim: 10000000"), stored_settings),
    "10^308 laps": (_config("laps: ", "laps: 1.0e+308 #"), evaluate_run),
    "an inflating checkpoint": (_inflating_checkpoint, evaluate_run),
    "inflating arrays": (_inflating_arrays, _drawing("bomb.npz")),
    "entities of entities": (_file("bomb.inkml", lambda: ENTITIES), _drawing("bomb.inkml")),
    "uses of uses": (_file("bomb.svg", _uses), _drawing("bomb.svg")),
    "a line of 100 MB": (_file("bomb.csv", lambda: "1," + 100_000_000 * "2"), _drawing("bomb.csv")),
    "100,000 brackets of ink": (_file("bomb.json", lambda: 100_000 * "["), _drawing("bomb.json")),
    "a pipe as settings": (_pipe("config.yaml"), stored_settings),
    "a pipe as scores": (_pipe("scores.json"), read_scores),
    "a pipe as a drawing": (_pipe("bomb.csv"), _drawing("bomb.csv")),
    "a pipe as a checkpoint": (_pipe("checkpoints/last.ckpt"), evaluate_run),
}
