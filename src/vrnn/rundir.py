"""How a run's directory stands, as anybody can read it: whose turn it is, whether it finished, why it failed."""

from __future__ import annotations

import fcntl
import json
import os
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Literal

import yaml
from filelock import FileLock, Timeout

CONFIG, SCORES, DONE, FAILED, LOCK = "config.yaml", "scores.json", "done", "failed", ".lock"
SAMPLE = "sample.npy"  # one generated trace (T, x_dim) of a finished run
PATIENCE = 2.0  # seconds to wait for a lock: longer than somebody who only looks whether it is held

Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times as fast, where libyaml is there

State = Literal["finished", "running", "failed", "interrupted", "left"]


class BusyError(RuntimeError):
    """Another process is at work on this run."""


class DamagedError(RuntimeError):
    """A file of a run cannot be read."""


@contextmanager
def holding(directory: Path) -> Iterator[None]:
    """Hold a run's directory for this process alone.

    The lock is the kernel's (flock), so it ends with the process, however that ends; the file that stays means nothing.

    Raises:
        BusyError: another process holds it.
        NotImplementedError, OSError: the file system has no locks.
    """
    directory.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(directory / LOCK, timeout=PATIENCE, fallback_to_soft=False):
            yield
    except Timeout:
        raise BusyError(
            f"{directory} is being worked on by another process; wait for it, or give this run a setting of its own."
        ) from None


@contextmanager
def recording_failure(directory: Path) -> Iterator[None]:
    """Leave a file `failed` with the error if one ends what is done within; an earlier one is removed."""
    path = directory / FAILED
    path.unlink(missing_ok=True)
    try:
        yield
    except Exception as error:
        message = "".join(traceback.format_exception_only(error))
        with suppress(OSError):  # the disk may be why
            write_atomically(path, message + "\n" + "".join(traceback.format_exception(error)))
        raise


def state(directory: Path) -> State:
    """Tell how a run stands: `interrupted` has begun and can go on, `left` has not begun."""
    if (directory / DONE).exists():
        return "finished"
    if _is_held(directory / LOCK):
        return "running"
    if (directory / FAILED).exists():
        return "failed"
    return "interrupted" if (directory / CONFIG).exists() else "left"


def failure(directory: Path) -> str | None:
    """Return the message of a run's last error, without its traceback; None if there was none."""
    path = directory / FAILED
    with suppress(FileNotFoundError):
        return path.read_text().partition("\n\nTraceback")[0].strip()
    return None


def read_settings(directory: Path) -> dict[str, Any]:
    """Return a run's settings, as its config.yaml has them.

    Raises:
        DamagedError: it has none, or one that cannot be read.
    """
    path = directory / CONFIG
    try:
        settings = yaml.load(path.read_text(), Loader)
    except (yaml.YAMLError, UnicodeDecodeError, FileNotFoundError) as error:
        raise DamagedError(_damage(path, error, "Restore it")) from error
    if not isinstance(settings, dict):
        raise DamagedError(_damage(path, "it holds no settings", "Restore it"))
    return settings


def read_scores(directory: Path) -> dict[str, Any]:
    """Return the scores of a finished run.

    Raises:
        DamagedError: it has none, or they cannot be read.
    """
    path = directory / SCORES
    try:
        scores: dict[str, Any] = json.loads(path.read_text())
    except (ValueError, FileNotFoundError) as error:
        mend = f"Write it anew with `python scripts/evaluate.py run={directory}`"
        raise DamagedError(_damage(path, error, mend)) from error
    return scores


def _damage(path: Path, what: object, mend: str) -> str:
    return f"{path} is damaged: {' '.join(str(what).split())}. {mend}, or start the run over with fresh=true."


def _is_held(lock: Path) -> bool:
    """Ask for a share of the lock, which those who only look do not deny one another, and give it back at once."""
    try:
        with lock.open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def write_atomically(path: Path, text: str) -> None:
    """Write a small file so that it is there whole or not at all, also after a power cut."""
    part = path.with_name(path.name + ".part")
    with part.open("w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
