"""Files of a run: reads that cannot hang or swell, and writes of which a reader sees the whole or nothing."""

from __future__ import annotations

import os
import secrets
import stat
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

PART = ".part"  # suffix of a file that is being written
ABANDONED = 3600.0  # seconds after which such a file's writer has died


def open_regular(path: Path) -> BinaryIO:
    """Open a file for reading, unless it is a pipe, a device or a directory, on which a read can wait for ever.

    Args:
        path: The file. A symbolic link to a regular file counts as one.

    Raises:
        OSError: The file is missing, cannot be read, or is not a regular file.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(
            f"{path} must be a regular file, but is a pipe, a device or a directory: put a regular file there."
        )
    return os.fdopen(descriptor, "rb")


def read_limited(path: Path, limit: int) -> bytes:
    """Return what a regular file holds.

    Args:
        path: The file.
        limit: The largest size in bytes.

    Raises:
        OSError: The file is missing, cannot be read, is not a regular file, or is larger than the limit.
    """
    with open_regular(path) as file:
        content = file.read(limit + 1)
    if len(content) > limit:
        raise OSError(f"{path} must hold at most {limit} bytes, but holds more: put the original file there.")
    return content


def make_directory(path: Path) -> None:
    """Make a directory where it is missing; never write through a symbolic link at its place.

    Raises:
        OSError: The path is a symbolic link, or the directory cannot be made.
    """
    if path.is_symlink():
        raise OSError(f"{path} must be a directory, but is a symbolic link: remove the link, or copy its target there.")
    path.mkdir(parents=True, exist_ok=True)


def write_atomically(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Write a file beside its target, flush it to the disk, then rename it.

    The file is there whole or not at all, also after a power cut. The temporary file has a random name and is new, so
    that nothing is written through a link that somebody has placed; a link at the target's own place is replaced.

    Args:
        path: Where the file is to be. Its directory is made if it is missing.
        write: Writes the content to the binary file it is given.

    Raises:
        OSError: The disk is full, or the directory cannot be written to. The message names the path.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{secrets.token_hex(4)}{PART}")
    try:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
        with os.fdopen(descriptor, "wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except BaseException as error:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        if reason := _disk_failure(error):
            raise OSError(
                f"{path} cannot be written: {reason}. Free some space or choose another directory."
            ) from error
        raise


def _disk_failure(error: BaseException) -> str | None:
    """Return what the disk refused; None if the error is another one.

    torch's writer of checkpoints reports it as a RuntimeError whose cause is lost.
    """
    if isinstance(error, OSError):
        return error.strerror or str(error)
    text = str(error)
    if isinstance(error, RuntimeError) and ("PytorchStreamWriter" in text or "enforce fail" in text):
        return "the disk is full or has failed"
    return None


def write_text_atomically(path: Path, text: str) -> None:
    """Write a text file in UTF-8; see `write_atomically`."""
    write_atomically(path, lambda file: file.write(text.encode()))


def remove_abandoned(directory: Path) -> None:
    """Remove the temporary files of writers that died in a directory; those of writers at work are younger.

    Args:
        directory: Where to look; missing directories have none.
    """
    for part in directory.glob(f"*{PART}"):
        with suppress(OSError):
            if time.time() - part.lstat().st_mtime > ABANDONED:
                part.unlink()
