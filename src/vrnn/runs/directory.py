"""A run's directory: how the run stands, who works on it, whether it finished, why it failed."""

from __future__ import annotations

import fcntl
import hashlib
import json
import logging
import os
import shutil
import stat
import threading
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Literal

import yaml
from filelock import FileLock, Timeout
from typing_extensions import override

from vrnn.errors import BusyError, ConfigError, DamagedError
from vrnn.files import open_regular, read_limited, remove_abandoned, write_text_atomically
from vrnn.runs.legacy import upgrade_settings
from vrnn.runs.name import differences, path_keys
from vrnn.runs.plain_yaml import read_json, read_yaml
from vrnn.text import printable

logger = logging.getLogger(__name__)

CONFIG, SCORES, DONE, FAILED, LOCK = "config.yaml", "scores.json", "done", "failed", ".lock"
LOG = "run.log"  # what the run's processes logged, with times
PROVENANCE = "provenance.json"  # what made the run
TRACKERS = "trackers.json"  # what Weights & Biases and MLflow call the run
UNITS = "units.json"  # of the data, where the pattern scales them
SAMPLE = "sample.npy"  # one generated trace (T, x_dim) of a finished run
STARTED_BY = ".started_by"  # the job of a cluster that began the run
PRUNED = "below the other trials' median"  # in the message of a trial that a search has ended
CHECKPOINTS = "checkpoints"
LOCK_TIMEOUT = 2.0  # seconds to wait for a lock: longer than somebody who only looks whether it is held
LONGEST_FAILURE = 1_000_000  # bytes of `failed` that are read

State = Literal["finished", "running", "failed", "interrupted", "pending", "pruned"]


@contextmanager
def lock_run(directory: Path) -> Iterator[None]:
    """Lock a run's directory for this process.

    The lock is the kernel's (flock), so it ends with the process, however that ends. The file that remains has no meaning.

    Raises:
        BusyError: Another process holds the lock.
        NotImplementedError, OSError: The file system has no locks.
    """
    directory.mkdir(parents=True, exist_ok=True)
    _check_lock_file(directory / LOCK)
    try:
        with FileLock(directory / LOCK, timeout=LOCK_TIMEOUT, fallback_to_soft=False):
            yield
    except Timeout:
        raise BusyError(
            f"{directory} is in use by another process; wait for it, or give this run a setting of its own."
        ) from None


@contextmanager
def record_failure(directory: Path) -> Iterator[None]:
    """Write a file `failed` with the error if one leaves the context; an earlier such file is removed first."""
    path = directory / FAILED
    path.unlink(missing_ok=True)
    for folder in (directory, directory / CHECKPOINTS, directory / "figures", directory / "projector"):
        remove_abandoned(folder)
    try:
        yield
    except Exception as error:
        message = "".join(traceback.format_exception_only(error))
        with suppress(OSError):  # a full disk may be the error
            write_text_atomically(path, message + "\n" + "".join(traceback.format_exception(error)))
        raise


@contextmanager
def disk_errors_named(directory: Path) -> Iterator[None]:
    """Let errors of the disk name the run's directory where they name no file.

    Those of TensorBoard's writer name none. They come from a thread, and are raised once more where the run writes next: the
    thread itself prints nothing.
    """
    told = threading.excepthook
    threading.excepthook = lambda raised: None if isinstance(raised.exc_value, OSError) else told(raised)
    try:
        yield
    except OSError as error:
        if error.errno is not None and error.filename is None:
            error.filename = str(directory)
        raise
    finally:
        threading.excepthook = told


@contextmanager
def log_to_file(directory: Path) -> Iterator[None]:
    """Append what the library logs to run.log, each line with its time."""
    library = logging.getLogger("vrnn")
    file = _QuietFileHandler(directory / LOG, encoding="utf-8", errors="replace", delay=True)
    file.setFormatter(logging.Formatter("%(asctime)s %(levelname)s: %(message)s"))
    level = library.level
    library.setLevel(min(logging.INFO, library.getEffectiveLevel()))
    library.addHandler(file)
    try:
        yield
    finally:
        library.removeHandler(file)
        library.setLevel(level)
        with suppress(OSError):
            file.close()


class _QuietFileHandler(logging.FileHandler):
    """Drops what a full disk does not take: what the run itself cannot write, it reports."""

    @override
    def handleError(self, record: logging.LogRecord) -> None:
        pass


def state(directory: Path) -> State:
    """Return how a run stands: an `interrupted` run has begun and can continue, a `pending` one has not begun."""
    if (directory / DONE).exists():
        return "finished"
    if _is_locked(directory / LOCK):
        return "running"
    if (directory / FAILED).exists():
        return "failed"
    return "interrupted" if (directory / CONFIG).exists() else "pending"


def failure(directory: Path) -> str | None:
    """Return the message of a run's last error, without its traceback and fit for a terminal; None if there was none."""
    try:
        text = read_limited(directory / FAILED, LONGEST_FAILURE).decode(errors="replace")
    except FileNotFoundError:
        return None
    except OSError as error:
        return printable(error)
    return printable(text.partition("\n\nTraceback")[0].strip())


def read_settings(directory: Path) -> dict[str, Any]:
    """Return a run's settings from its config.yaml, with the names of today and without the packages it allows.

    Which packages may be used counts from the command line alone: a file that a stranger has sent allows nothing.

    Raises:
        DamagedError: There is no config.yaml, or it cannot be read.
    """
    settings = upgrade_settings(raw_settings(directory))
    settings.pop("allow", None)
    return settings


def raw_settings(directory: Path) -> dict[str, Any]:
    """Return a run's settings as its config.yaml holds them.

    Raises:
        DamagedError: There is no config.yaml, or it cannot be read.
    """
    path = directory / CONFIG
    try:
        settings = read_yaml(path)
    except (ValueError, OSError) as error:
        raise DamagedError(_damage(path, error, "Restore it")) from error
    if not isinstance(settings, dict) or not settings:
        raise DamagedError(_damage(path, "it holds no settings", "Restore it"))
    return {str(key): value for key, value in settings.items()}


# What may change of a run without making its checkpoints another's: where its files lie and how it is computed.
NOT_LEARNED = ("allow", "trainer", "evaluation", "threads", "engine")


def settings_digest(directory: Path) -> str:
    """Return a digest of the settings that a run's checkpoints depend on, as its config.yaml holds them.

    Raises:
        DamagedError: There is no config.yaml, or it cannot be read.
    """
    return digest_of(raw_settings(directory))


def digest_of(raw: Mapping[str, Any]) -> str:
    """Return the digest of settings as config.yaml holds them, see `settings_digest`."""
    settings = {key: value for key, value in raw.items() if key not in NOT_LEARNED}
    if isinstance(dataset := settings.get("dataset"), dict):
        settings["dataset"] = {key: value for key, value in dataset.items() if key not in path_keys(dataset)}
    return hashlib.sha256(json.dumps(settings, default=str).encode()).hexdigest()[:16]


def read_scores(directory: Path) -> dict[str, Any]:
    """Return the scores of a finished run.

    Raises:
        DamagedError: There are none, or they cannot be read.
    """
    path = directory / SCORES
    repair = f"Write it again with `vrnn evaluate run={directory}`"
    try:
        scores = read_json(path)
    except (ValueError, OSError) as error:
        raise DamagedError(_damage(path, error, repair)) from error
    if not isinstance(scores, dict):
        raise DamagedError(_damage(path, "it holds no scores", repair))
    return scores


def finished_scores(directory: Path, settings: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the scores of the run in a directory if it finished with these settings; else None.

    Raises:
        DamagedError: The run's settings or scores cannot be read.
    """
    if not (directory / DONE).exists() or differences(read_settings(directory), _stored(settings)):
        return None
    scores = read_scores(directory)
    logger.info("Already finished; fresh=true would start it over.")
    return scores


def bind_directory(directory: Path, settings: Mapping[str, Any], fresh: bool) -> None:
    """Make the directory this configuration's: write config.yaml, or compare with the one that is there.

    Args:
        directory: The run's.
        settings: What the run is known by.
        fresh: Whether to discard what is there first.

    Raises:
        ConfigError: The directory holds a run with other settings.
        DamagedError: The settings of the run that is there cannot be read.
    """
    path = directory / CONFIG
    if fresh:
        discard(directory)
    if path.exists():
        if changed := differences(read_settings(directory), _stored(settings)):
            raise ConfigError(
                f"{directory} holds a run with other settings (old -> new):\n  " + "\n  ".join(changed) + "\n"
                "Give the new one a name of its own by stating a setting on the command line, or use fresh=true to replace it."
            )
        return
    directory.mkdir(parents=True, exist_ok=True)
    if job := _cluster_job():
        write_text_atomically(directory / STARTED_BY, " ".join(job))
    write_text_atomically(path, yaml.safe_dump(_stored(settings), sort_keys=False))


def _stored(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return what config.yaml holds of a run's settings: not what a command allows or logs to, nor its time."""
    stored = {key: value for key, value in settings.items() if key not in ("allow", "logger")}
    stored["trainer"] = {key: value for key, value in settings["trainer"].items() if key != "max_time"}
    return stored


def mark_done(directory: Path) -> None:
    """Write the file that marks a run as finished."""
    write_text_atomically(directory / DONE, "")


def discard(directory: Path) -> None:
    """Remove what a run leaves in its directory, and nothing else that may be there."""
    # `done` and the checkpoints first: killed in between, the run is not finished. The settings go last, so that
    # until then the directory is nobody else's.
    for name in (
        STARTED_BY,
        DONE,
        *(f"{CHECKPOINTS}/{name}.ckpt" for name in ("last", "previous", "best")),
        SCORES,
        SAMPLE,
        UNITS,
        TRACKERS,
        PROVENANCE,
        LOG,
        "scalars.csv",
        "hparams.yaml",
        "projector_config.pbtxt",
    ):
        (directory / name).unlink(missing_ok=True)
    for name in (CHECKPOINTS, "figures", "projector"):
        if (directory / name).exists():
            shutil.rmtree(directory / name)
    for events in directory.glob("events.out.tfevents.*"):
        events.unlink()
    (directory / CONFIG).unlink(missing_ok=True)


def started_over_by_this_job(directory: Path) -> bool:
    """Return whether an earlier attempt of this same cluster job began the run: requeued, it is to continue."""
    path, now = directory / STARTED_BY, _cluster_job()
    if now is None or not path.exists():
        return False
    job, _, attempt = read_limited(path, 1000).decode(errors="replace").partition(" ")
    return job == now[0] and attempt != now[1]


def _cluster_job() -> tuple[str, str] | None:
    """Return this job of Slurm or of submitit's local executor, and which attempt at it this is; None if it is none."""
    if job := os.environ.get("SUBMITIT_LOCAL_JOB_ID"):
        return job, str(os.getpid())
    if job := os.environ.get("SLURM_JOB_ID"):
        return job, os.environ.get("SLURM_RESTART_COUNT", "0")
    return None


def _damage(path: Path, what: object, repair: str) -> str:
    said = " ".join(printable(what).split()).removesuffix(".")
    return f"{path} is damaged: {said}. {repair}, or start the run over with fresh=true."


def _check_lock_file(lock: Path) -> None:
    """Refuse a lock that is a link or a pipe: opening one would write to another file, or wait for ever."""
    with suppress(FileNotFoundError):
        if not stat.S_ISREG(lock.lstat().st_mode):
            raise DamagedError(f"{lock} must be a regular file, but is a link, a pipe or a device: remove it.")


def _is_locked(lock: Path) -> bool:
    """Ask for a shared lock, which observers do not deny one another, and give it back at once."""
    try:
        with open_regular(lock) as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # there is none, or it is no lock
        return False
    return False
