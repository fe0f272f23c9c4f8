"""How much a command says: -q, -v, or neither of them. It is kept in the environment, which a sweep's workers share."""

from __future__ import annotations

import logging
import os
from typing import Literal

VARIABLE = "VRNN_VERBOSITY"

Verbosity = Literal["quiet", "normal", "verbose"]


def set_verbosity(verbosity: Verbosity) -> None:
    """Choose how much this process and those that it starts say."""
    os.environ[VARIABLE] = verbosity


def is_quiet() -> bool:
    """Return whether only warnings, errors and a last line are wanted: no progress, no tables."""
    return os.environ.get(VARIABLE) == "quiet"


def is_verbose() -> bool:
    """Return whether details are wanted, too: each validation and checkpoint, and what Lightning says."""
    return os.environ.get(VARIABLE) == "verbose"


def limit_console(level: int) -> None:
    """Print only log records of a level or above; files get what they got before."""
    for handler in logging.getLogger().handlers:
        if not isinstance(handler, logging.FileHandler):
            handler.setLevel(max(level, handler.level))


def set_loggers() -> None:
    """Let the loggers say as much as is wanted. Hydra sets them up anew for each job: this is called afterwards."""
    if is_quiet():
        limit_console(logging.WARNING)
    elif is_verbose():
        logging.getLogger("vrnn").setLevel(logging.DEBUG)
