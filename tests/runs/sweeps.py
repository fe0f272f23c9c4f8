"""What the tests of sweeps share: a grid of runs of about a second, and what came of it."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from tests.conftest import ROOT, SMALL

PACE = "training={steps: 60, log_every: 5, val_every: 20, checkpoint_every: 5, figure_every: 60}"


def command(root: Path, *overrides: str) -> list[str]:
    """A sweep named `s` whose jobs lie under root/s."""
    return [sys.executable, "scripts/train.py", "-m", f"hydra.sweep.dir={root}", "sweep=s", *SMALL, PACE, *overrides]


@contextmanager
def running(command: list[str], new_session: bool = False, **environment: str) -> Iterator[subprocess.Popen]:
    """A process, and its end: a test that fails must not leave it at work, nor its pipe open."""
    with subprocess.Popen(
        command,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, **environment},
        start_new_session=new_session,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def start(
    root: Path, *overrides: str, new_session: bool = False, **environment: str
) -> AbstractContextManager[subprocess.Popen]:
    return running(command(root, *overrides), new_session, **environment)


def sweep(root: Path, *overrides: str, code: int = 0) -> str:
    with start(root, *overrides) as process:
        output, _ = process.communicate(timeout=240)
        assert process.returncode == code, output
    return output


def runs(root: Path) -> list[Path]:
    return sorted(path.parent for path in root.glob("s/*/config.yaml"))


def finished(root: Path) -> dict[str, bytes]:
    """The scores of every finished run, byte for byte."""
    return {path.parent.name: (path.parent / "scores.json").read_bytes() for path in sorted(root.glob("s/*/done"))}
