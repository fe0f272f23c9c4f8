"""The errors that are part of the public interface."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from omegaconf.errors import MissingMandatoryValue

from vrnn.text import printable


class ConfigError(ValueError):
    """A configuration that cannot be run. The message says how to mend it."""


class BusyError(RuntimeError):
    """Another process is at work on this run."""


class DamagedError(RuntimeError):
    """A file of a run cannot be read."""


class NonFiniteError(RuntimeError):
    """The loss, a gradient or a validation score became NaN or infinite."""


@contextmanager
def exit_with_message(*extra: type[Exception]) -> Iterator[None]:
    """End the process with an error's message alone, without a traceback, for errors whose message says how to mend them."""
    mendable: tuple[type[Exception], ...] = (ConfigError, BusyError, DamagedError, NonFiniteError, OSError, *extra)
    try:
        yield
    except MissingMandatoryValue as error:
        sys.exit(f"error: {error.full_key} must be given, as in {error.full_key}=…")
    except mendable as error:
        sys.exit(f"error: {printable(_in_words(error))}")
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)


def _in_words(error: Exception) -> str:
    """Return an error's message; that of a refusal by the system with what to do about it."""
    if isinstance(error, OSError) and error.strerror and error.filename is not None:
        return f"{error.filename}: {error.strerror}. Check the path, its permissions and the disk's free space."
    return str(error)
