"""What made a run: the sources, the packages, the machine, the command and when. Written for people; nothing depends on it."""

from __future__ import annotations

import hashlib
import json
import platform
import shlex
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import vrnn
from vrnn.files import write_text_atomically
from vrnn.runs.directory import PROVENANCE
from vrnn.runs.name import flat
from vrnn.runs.plain_yaml import read_json

PACKAGES = ("torch", "numpy", "numba", "pytorch-lightning", "hydra-core", "scipy")
GIT_SECONDS = 5.0  # a clone on a slow disk must not delay a run
MOST_SESSIONS = 100  # the first and the last ones of a run that was continued more often


def begin_provenance(directory: Path, overrides: Sequence[str]) -> None:
    """Add a session, one process that trains a run, to its provenance.json.

    Args:
        directory: The run's.
        overrides: Those of the command line.
    """
    session = {"command": shlex.join(["vrnn", "train", *overrides]), "started": _now(), "ended": None} | _surroundings()
    sessions = [*read_sessions(directory), session]
    _write(directory, sessions[:1] + sessions[1:][1 - MOST_SESSIONS :])


def end_provenance(directory: Path) -> None:
    """Write down when the last session ended, with a finished run."""
    *earlier, last = read_sessions(directory) or [{}]
    _write(directory, [*earlier, {**last, "ended": _now()}])


def read_provenance(directory: Path) -> dict[str, Any]:
    """Return what the last session of a run was made by, {"a.b": value}; {} where it is not known."""
    sessions = read_sessions(directory)
    return flat(sessions[-1]) if sessions else {}


def read_sessions(directory: Path) -> list[dict[str, Any]]:
    """Return what is known of each process that trained a run, the first one first."""
    with suppress(OSError, ValueError):
        found = read_json(directory / PROVENANCE)
        if isinstance(found, dict) and isinstance(found.get("sessions"), list):
            return [session for session in found["sessions"] if isinstance(session, dict)]
    return []


def _write(directory: Path, sessions: Sequence[Any]) -> None:
    write_text_atomically(directory / PROVENANCE, json.dumps({"sessions": sessions}, indent=2, default=str) + "\n")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


@cache
def _surroundings() -> dict[str, Any]:
    import torch

    return {
        "git": _git(Path(vrnn.__file__).parent),
        "versions": {"vrnn-lab": vrnn.__version__, "python": platform.python_version()}
        | {name: _version(name) for name in PACKAGES},
        "machine": {
            "name": platform.node(),
            "system": platform.platform(),
            "processor": _processor(),
            "vectors": torch.backends.cpu.get_cpu_capability(),
        },
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _processor() -> str:
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _git(package: Path) -> dict[str, str | None] | None:
    """Return the commit of the clone that holds the sources, and a digest of what was changed since; None: no clone."""

    def git(*words: str) -> bytes:
        command = ["git", "-C", str(package), *words]
        return subprocess.run(command, capture_output=True, check=True, timeout=GIT_SECONDS).stdout

    try:
        git(
            "ls-files", "--error-unmatch", "__init__.py"
        )  # fails where an installed package lies in somebody else's clone
        changed = git("diff", "HEAD", "--", ".")
        return {
            "commit": git("rev-parse", "HEAD").decode().strip(),
            "changes": hashlib.sha256(changed).hexdigest()[:16] if changed else None,
        }
    except (OSError, subprocess.SubprocessError):
        return None
