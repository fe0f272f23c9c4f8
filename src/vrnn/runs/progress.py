"""How far a run has come, read from its directory while another process may train it. Needs neither torch nor TensorBoard."""

from __future__ import annotations

import math
import os
import re
import time
from collections import deque
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from vrnn.errors import DamagedError
from vrnn.files import open_regular
from vrnn.runs.directory import CONFIG, State, read_scores, read_settings, state
from vrnn.training.scalar_rows import SCALARS

SPEEDS = 20  # logged speeds of which the mean counts: one alone may have a validation in it
PART = 1 << 20  # bytes of a scalars.csv that are read at once
ROW = re.compile(rb"^(\d+),([\w/]+),([-+.\w]+)\n", re.MULTILINE)


class Progress(NamedTuple):
    """How a run stands. None: not known.

    Attributes:
        state: As its directory says.
        step: The last one that was logged.
        steps: Of the whole training.
        elbo: The score of a finished run, in nats per step; before, that of the last validation.
        seconds_left: Until the end of the training, of a run at work.
    """

    state: State
    step: int | None
    steps: int | None
    elbo: float | None
    seconds_left: float | None


class ProgressReader:
    """Reads a run's progress again and again: of its scalars only what is new.

    Args:
        directory: The run's, which need not exist yet.
    """

    def __init__(self, directory: Path):
        self.directory = directory
        self._score: float | None = None
        self._restart(None)

    def read(self) -> Progress:
        """Return how the run stands now; what cannot be read is not known."""
        stands = state(self.directory)
        with suppress(OSError):
            self._read_scalars()
        with suppress(OSError, DamagedError, KeyError, TypeError, ValueError):
            self._read_settings_and_score(stands)
        elbo = self._score if stands == "finished" else self._elbo
        left = self._seconds_left() if stands == "running" else None
        return Progress(stands, self._step, self._steps, elbo if elbo is None or math.isfinite(elbo) else None, left)

    def _restart(self, inode: int | None) -> None:
        """Forget what was read of another scalars.csv: a run that goes on writes a new one."""
        self._inode, self._offset, self._written = inode, 0, 0.0
        self._steps: int | None = None
        self._step: int | None = None
        self._elbo: float | None = None
        self._speeds: deque[float] = deque(maxlen=SPEEDS)  # steps per second

    def _read_settings_and_score(self, stands: State) -> None:
        """Read what changes only when a run begins or ends."""
        if stands != "finished":
            self._score = None
        elif self._score is None:
            self._score = float(read_scores(self.directory)["elbo_nats_per_step"])
        if self._steps is None and (self.directory / CONFIG).exists():
            self._steps = int(read_settings(self.directory)["training"]["steps"])

    def _read_scalars(self) -> None:
        with open_regular(self.directory / SCALARS) as file:
            stat = os.fstat(file.fileno())
            if stat.st_ino != self._inode or stat.st_size < self._offset:
                self._restart(stat.st_ino)
            self._written = stat.st_mtime
            file.seek(self._offset)
            while (end := (part := file.read(PART)).rfind(b"\n") + 1) > 0:
                self._take(part[:end])
                self._offset += end
                file.seek(self._offset)

    def _take(self, rows: bytes) -> None:
        """Take in whole lines of scalars.csv."""
        for step, name, value in ROW.findall(rows):
            with suppress(ValueError):
                if name == b"val/elbo":
                    self._elbo = float(value)
                elif name == b"speed/steps_per_second":
                    self._speeds.append(float(value))
                self._step = int(step)

    def _seconds_left(self) -> float | None:
        """Return the time for the steps after the last logged one, less what has passed since it was."""
        if self._step is None or self._steps is None or not self._speeds or min(self._speeds) <= 0:
            return None
        # Equally many steps lie between two logged speeds, so their times are added.
        seconds_per_step = sum(1 / speed for speed in self._speeds) / len(self._speeds)
        return max(0.0, (self._steps - self._step) * seconds_per_step - (time.time() - self._written))
