"""SIGTERM and Ctrl-C: finish the step, keep a checkpoint, exit with the code the sender expects."""

from __future__ import annotations

import signal
import sys
from types import FrameType, TracebackType
from typing import Any

SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Interruption:
    """A context in which SIGTERM and SIGINT end the process with 128 + signal: at once, or after the step in `training`.

    A second signal while the first is pending ends the process at once.
    """

    def __init__(self) -> None:
        self.pending: int | None = None
        self.training = False
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> Interruption:
        self._previous = {number: signal.signal(number, self._receive) for number in SIGNALS}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        first = self.pending is None
        self.pending = number
        if not (self.training and first):
            self.exit_if_pending()
        print(
            f"\n{signal.Signals(number).name}: finishing this step and saving; again to stop at once.", file=sys.stderr
        )

    def exit_if_pending(self) -> None:
        """Leave by SystemExit(128 + signal) if a signal came."""
        if self.pending is not None:
            sys.exit(128 + self.pending)
