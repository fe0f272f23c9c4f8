"""How a sweep stands, shown on stderr while it runs: a live table on a terminal, plain lines elsewhere; and its report."""

from __future__ import annotations

import atexit
import sys
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from vrnn.runs.console import plain_console
from vrnn.runs.directory import FAILED, State, failure, state
from vrnn.runs.progress import ProgressReader
from vrnn.runs.sweep_table import SweepTable, has_table
from vrnn.text import duration
from vrnn.verbosity import is_quiet

LEAST_SHARE = 0.02  # of a run: before, the time so far is that of imports and compilation
UPDATE_EVERY = 1.0  # seconds between two readings of the sweep's directories


class SweepStatus:
    """The states of a sweep's runs, shown on stderr; where a command is to be quiet, only what went wrong.

    Args:
        jobs: {directory of a run: its overrides that not all runs share}.
    """

    def __init__(self, jobs: Mapping[Path, Sequence[str]]):
        self.readers = {directory: ProgressReader(directory) for directory in jobs}
        self.start_time = time.time()
        self.start_share = sum(map(self._share, self.readers, self.states().values()))
        self.shown = ""
        self.is_over = threading.Event()
        self.thread = threading.Thread(target=self._show_until_over, daemon=True)
        console = plain_console(stderr=True)
        self.table = SweepTable(jobs, self.readers, console) if has_table(console) and not is_quiet() else None

    def start(self) -> None:
        """Show the table or the line now and whenever it changes, and the report when the process ends, in whatever way."""
        if self.table:
            self.table.start()
        self._show()
        self.thread.start()
        atexit.register(self.report)

    def states(self) -> dict[Path, State]:
        """Return the state of each run."""
        return {directory: state(directory) for directory in self.readers}

    def line(self, states: Mapping[Path, State]) -> str:
        """Return the numbers of runs in each state, and the estimated time to the end, on one line."""
        now = Counter(states.values())
        waiting = now["pending"] + now["interrupted"]
        line = f"sweep: {now['finished']} done, {now['running']} running, {now['failed']} failed, {waiting} pending"
        share = sum(map(self._share, self.readers, states.values()))
        if self.start_share + LEAST_SHARE < share < len(states):
            seconds = (time.time() - self.start_time) / (share - self.start_share) * (len(states) - share)
            line += f", about {duration(seconds)} to go"
        return line

    def failures(self) -> dict[Path, str]:
        """Return the errors of runs that failed since the start, by directory."""
        found = {}
        for directory in self.readers:
            # There is no such file if the run did not fail, or if another process has just continued it.
            with suppress(FileNotFoundError):
                is_recent = (directory / FAILED).stat().st_mtime >= self.start_time - 1
                if is_recent and (message := failure(directory)):
                    found[directory] = message
        return found

    def report(self) -> None:
        """Show how the sweep stands at its end, and the errors of the runs that failed. Does nothing when called again."""
        if self.is_over.is_set():
            return
        self.is_over.set()
        self.thread.join(UPDATE_EVERY)
        self._show(f" after {duration(time.time() - self.start_time)}")
        if self.table:
            self.table.stop()
        for directory, message in self.failures().items():
            print(f"failed: {directory}\n  " + message.replace("\n", "\n  "), file=sys.stderr)
        if {*self.states().values()} & {"running", "interrupted", "failed"}:
            print("The same command continues the pending runs.", file=sys.stderr)

    def _share(self, directory: Path, stands: State) -> float:
        """Return how much of a run is done, from 0 to 1: what an interrupted run has trained takes no time again."""
        if stands in ("finished", "failed"):
            return 1.0
        now = self.readers[directory].read() if stands in ("running", "interrupted") else None
        return min(1.0, now.step / now.steps) if now and now.step and now.steps else 0.0

    def _show_until_over(self) -> None:
        while not self.is_over.wait(UPDATE_EVERY):
            self._show()

    def _show(self, after: str = "") -> None:
        states = self.states()
        line = self.line(states) + after
        counts = line.partition(", about")[0]
        if self.table:
            self.table.show(states, line)
        elif counts != self.shown and not is_quiet():
            print(line, file=sys.stderr, flush=True)
        self.shown = counts
