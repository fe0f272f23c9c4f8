"""Signals and a time limit: finish the step, save a checkpoint, exit with the code that the sender expects."""

from __future__ import annotations

import math
import signal
import sys
import threading
import time
from types import FrameType, TracebackType
from typing import Any

WARNINGS = (signal.SIGUSR1, signal.SIGUSR2)  # sent by clusters ahead of a time limit or a preemption
SIGNALS = (signal.SIGTERM, signal.SIGINT, *WARNINGS)
# Seconds. A terminal or a cluster signals all processes, and the launching process of a sweep signals its workers, too.
SAME_REQUEST = 1.0


class Interruption:
    """A context in which SIGNALS end the process with exit code 128 + signal.

    The process ends at once; or, while `training` is True, after the step, when its caller calls `exit_if_pending`. A second
    signal ends it at once, unless it comes within SAME_REQUEST of the first.

    A cluster's warning that another library had a handler for, as submitit has, is passed on to that handler once the
    checkpoint is saved: it requeues the job and ends the process.

    In a thread other than the main one it handles no signals: the program that started the thread does.

    The process also ends where the context is left by an error or normally while a signal is pending: Python drops the
    exception of a signal that comes where it ignores exceptions, as in the callback of a weak reference.

    Attributes:
        pending: The signal that came; None: none.
        training: Whether a signal must wait for the end of a training step.
        deadline: The time, by the monotonic clock, from which on SIGALRM counts as pending; infinite: none.
    """

    def __init__(self) -> None:
        self.pending: int | None = None
        self.training = False
        self.deadline = math.inf
        self._requested_at = -math.inf  # by the monotonic clock
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> Interruption:
        if threading.current_thread() is threading.main_thread():  # only there may Python handle signals
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
        is_second = self.pending is not None
        if is_second and self.training and time.monotonic() - self._requested_at < SAME_REQUEST:
            return
        self.pending, self._requested_at = number, time.monotonic()
        if is_second or not self.training:
            self.exit_if_pending()
        name = signal.Signals(number).name
        print(
            f"\n{name}: finishing this step and saving. The same command continues the run. Repeat the signal to stop at once.",
            file=sys.stderr,
        )

    def check_deadline(self) -> None:
        """Let SIGALRM be pending if the deadline has passed and nothing else is pending."""
        if self.pending is None and time.monotonic() >= self.deadline:
            self.pending = signal.SIGALRM
            print("\nThe time is up (trainer.max_time). The same command continues the run.", file=sys.stderr)

    def exit_if_pending(self) -> None:
        """End the process if a signal is pending.

        Raises:
            SystemExit: With code 128 + signal.
        """
        if self.pending is not None:
            previous = self._previous.get(self.pending)
            if self.pending in WARNINGS and callable(previous):
                previous(self.pending, None)
            sys.exit(128 + self.pending)
