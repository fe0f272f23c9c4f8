"""The compiled kernels on disk: damaged ones are compiled again, and where none can be kept, work continues without.

numba's own cache keeps an index and numbered files per function, and loads what it finds: a damaged file ends the process, by
an error without a file's name or by a violation of memory. Here every compiled signature has a file of its own, with a digest.
"""

from __future__ import annotations

import hashlib
import logging
import pickle
import secrets
from contextlib import suppress
from pathlib import Path
from typing import Any

import llvmlite  # type: ignore[import-untyped]
import numba
from numba.core.caching import FunctionCache
from numba.core.serialize import dumps
from typing_extensions import override

logger = logging.getLogger(__name__)

DIGEST_BYTES = 32
# Compiled code of another version is not loaded: its digest differs.
VERSIONS = f"{numba.__version__} {llvmlite.__version__}".encode()


class KernelCache(FunctionCache):
    """The cache of one function.

    Args:
        function: The function.

    Raises:
        RuntimeError: No directory for the cache is writable.
    """

    def __init__(self, function: Any):
        super().__init__(function)
        files: Any = KernelFiles(Path(self._cache_path), self._impl.filename_base)
        self._cache_file = files

    @override
    def save_overload(self, sig: Any, data: Any) -> None:
        try:
            super().save_overload(sig, data)
        except OSError as error:
            logger.warning("Compiled kernels cannot be kept in %s, and work continues: %s.", self._cache_path, error)
            self.disable()


class KernelFiles:
    """The files of one function, one per signature and processor.

    Args:
        directory: Where they are.
        base: What their names begin with.
    """

    def __init__(self, directory: Path, base: str):
        self.directory, self.base = directory, base

    def path(self, key: Any) -> Path:
        """Return the file of a signature and processor."""
        return self.directory / f"{self.base}.{hashlib.sha256(str(key).encode()).hexdigest()[:16]}.kernel"

    def load(self, key: Any) -> Any:
        """Return what was saved under a key; None if nothing was, or if it is damaged."""
        path = self.path(key)
        try:
            content = path.read_bytes()
        except OSError:
            return None
        digest, kept = content[:DIGEST_BYTES], content[DIGEST_BYTES:]
        if digest != _digest(kept):
            logger.warning("The compiled kernel %s is damaged, and is compiled again.", path)
            return None
        stored_key, data = pickle.loads(kept)
        return data if stored_key == key else None

    def save(self, key: Any, data: Any) -> None:
        """Write a file beside its target, then rename it: other processes read and write the same files.

        Raises:
            OSError: It cannot be written.
        """
        path, kept = self.path(key), dumps((key, data))
        part = path.with_name(f"{path.name}.{secrets.token_hex(4)}.part")
        try:
            part.write_bytes(_digest(kept) + kept)
            part.replace(path)
            # Those of this file's functions that earlier versions kept in numba's own format: nobody reads them.
            for unused in self.directory.glob(f"{self.base.partition('.')[0]}.*.nb[ic]"):
                unused.unlink(missing_ok=True)
        except OSError:
            with suppress(OSError):
                part.unlink(missing_ok=True)
            raise


def _digest(kept: bytes) -> bytes:
    return hashlib.sha256(VERSIONS + kept).digest()
