"""SIGTERM, Ctrl-C and a cluster's warning: finish the step, keep a checkpoint, exit with the code the sender expects."""

from __future__ import annotations

import math
import signal
import sys
import time
from types import FrameType, TracebackType
from typing import Any

WARNINGS = (signal.SIGUSR1, signal.SIGUSR2)  # what clusters send ahead of a time limit or a preemption
SIGNALS = (signal.SIGTERM, signal.SIGINT, *WARNINGS)
TOGETHER = 1.0  # seconds; a terminal or a cluster asks all processes, and a sweep's worker is asked by its watcher, too


class Interruption:
    """A context in which SIGNALS end the process with 128 + signal: at once, or after the step in `training`.

    A second signal while the first is pending ends the process at once, unless it comes so soon that one and the same wish
    sent both. A cluster's warning that somebody else handled
    before, as submitit does, is theirs again once the checkpoint is kept: they have the job requeued, and end it.

    Whoever leaves the context otherwise, by an error or as if nothing had happened, ends there: the exception is lost if the
    signal comes where Python ignores exceptions, as in a weak reference's callback.
    """

    def __init__(self) -> None:
        self.pending: int | None = None
        self.training = False
        self._asked = -math.inf  # when, by the monotonic clock
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> Interruption:
        self._previous = {number: signal.signal(number, self._receive) for number in SIGNALS}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        if error is None or isinstance(error, Exception):
            self.exit_if_pending()

    def _receive(self, number: int, frame: FrameType | None) -> None:
        again = self.pending is not None
        if again and self.training and time.monotonic() - self._asked < TOGETHER:
            return
        self.pending, self._asked = number, time.monotonic()
        if again or not self.training:
            self.exit_if_pending()
        name = signal.Signals(number).name
        print(
            f"\n{name}: finishing this step and saving, so that the same command goes on; again to stop at once.",
            file=sys.stderr,
        )

    def exit_if_pending(self) -> None:
        """Leave by SystemExit(128 + signal) if a signal came."""
        if self.pending is not None:
            previous = self._previous.get(self.pending)
            if self.pending in WARNINGS and callable(previous):
                previous(self.pending, None)
            sys.exit(128 + self.pending)
