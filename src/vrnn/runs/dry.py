"""A dry run of a command: which runs it would make or continue, and how each stands. Nothing is run, nothing is made."""

from __future__ import annotations

import os
from pathlib import Path

from vrnn.errors import DamagedError
from vrnn.runs.directory import CHECKPOINTS, failure, state


def describe(directory: Path) -> str:
    """Return a run's directory and how it stands, on one line."""
    path = os.path.relpath(directory) if directory.is_relative_to(Path.cwd()) else str(directory)
    return f"{path}: {standing(directory)}"


def standing(directory: Path) -> str:
    """Return how a run stands: finished, running, failed and why, interrupted and at which step, or not begun."""
    stands = state(directory)
    if stands == "pending":
        return "not begun"
    if stands == "failed":
        return f"failed: {(failure(directory) or 'unknown error').splitlines()[0]}"
    return f"interrupted {_where(directory)}" if stands == "interrupted" else stands


def _where(directory: Path) -> str:
    from vrnn.training.checkpoint_files import LAST, load_checkpoint  # torch: a list of runs not begun needs none

    try:
        return f"at step {load_checkpoint(directory / CHECKPOINTS / LAST)['global_step']}"
    except FileNotFoundError:
        return "before its first checkpoint"
    except DamagedError:
        return "with a damaged checkpoint"
