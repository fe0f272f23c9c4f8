"""Atomic writes: a reader sees the old file or the new one, never a part of it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO


def write_atomically(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Write a file beside its target, flush it to the disk, then rename it.

    The file is there whole or not at all, also after a power cut.

    Args:
        path: Where the file is to be. Its directory is made if it is missing.
        write: Writes the content to the binary file it is given.

    Raises:
        OSError: The disk is full, or the directory cannot be written to.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    with part.open("wb") as file:
        write(file)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def write_text_atomically(path: Path, text: str) -> None:
    """Write a text file in UTF-8; see `write_atomically`."""
    write_atomically(path, lambda file: file.write(text.encode()))
