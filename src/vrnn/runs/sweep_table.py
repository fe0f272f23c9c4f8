"""The live table of a sweep on a terminal: a line per job with its overrides, state, step, ELBO and time left."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from vrnn.runs.console import plain_console
from vrnn.runs.directory import DONE, FAILED, State
from vrnn.runs.progress import Progress, ProgressReader
from vrnn.text import duration, printable

STYLES: dict[State, str] = {"finished": "green", "running": "bold", "failed": "red", "pending": "dim"}
OTHER_LINES = 4  # the headings, the counts on two lines, the cursor's own


def has_table(console: Console) -> bool:
    """Return whether a console can show a table that changes; otherwise plain lines are printed."""
    return sys.stderr.isatty() and not console.is_dumb_terminal and not console.no_color


class SweepTable:
    """Shows the jobs of a sweep: all that fit the terminal's height, those at work first.

    Args:
        jobs: {directory: the job's overrides that not all jobs share}.
        readers: Of the progress of each.
        console: A terminal.
    """

    def __init__(self, jobs: Mapping[Path, Sequence[str]], readers: Mapping[Path, ProgressReader], console: Console):
        self.jobs, self.readers, self.console = jobs, readers, console
        # Output to a file stays there; what goes to the terminal appears above the table.
        self.live = Live(console=console, auto_refresh=False, redirect_stdout=sys.stdout.isatty())

    def start(self) -> None:
        """Begin to show the table."""
        self.live.start()
        self.console.show_cursor(True)  # a killed process leaves a terminal as it should be

    def stop(self) -> None:
        """Leave the table as it is, and the cursor below it."""
        self.live.stop()

    def show(self, states: Mapping[Path, State], counts: str) -> None:
        """Show the jobs as they stand now.

        Args:
            states: Of all jobs.
            counts: The line below the table.
        """
        self.live.update(self.rendered(states, counts), refresh=True)

    def rendered(self, states: Mapping[Path, State], counts: str) -> Group:
        """Return the table and the line below it, see `show`."""
        shown = self._shown(states)
        progress = {directory: self.readers[directory].read() for directory in shown}
        table = self._table(progress, with_keys=True)
        if plain_console(width=1000).measure(table).maximum > self.console.width:
            table = self._table(progress, with_keys=False)
        hidden = len(states) - len(shown)
        return Group(table, Text(f"{counts} ({hidden} not shown)" if hidden else counts))

    def _shown(self, states: Mapping[Path, State]) -> list[Path]:
        """Return as many jobs as fit the screen, in the sweep's order: those at work, the last that ended, the next."""
        most = max(1, self.console.height - OTHER_LINES)
        if len(states) <= most:
            return list(states)
        running = [directory for directory in states if states[directory] == "running"]
        ended = sorted((d for d in states if states[d] in ("finished", "failed")), key=_ended_at, reverse=True)
        chosen = {*running[:most], *ended[: max(0, most - len(running))]}
        waiting = [directory for directory in states if directory not in chosen]
        chosen |= {*waiting[: most - len(chosen)]}
        return [directory for directory in states if directory in chosen]

    def _table(self, progress: Mapping[Path, Progress], with_keys: bool) -> Table:
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
        table.add_column(Text(self._heading(with_keys), no_wrap=True, overflow="ellipsis"))
        table.add_column("state", no_wrap=True)
        for heading in ("step", "ELBO", "left"):
            table.add_column(heading, no_wrap=True, justify="right")
        for directory, now in progress.items():
            job = Text(self._name(directory, with_keys), no_wrap=True, overflow="ellipsis")
            table.add_row(job, *_cells(now), style=STYLES.get(now.state))
        return table

    def _heading(self, with_keys: bool) -> str:
        overrides = next(iter(self.jobs.values()))
        return "job" if with_keys or not overrides else ", ".join(text.partition("=")[0] for text in overrides)

    def _name(self, directory: Path, with_keys: bool) -> str:
        """Return what tells a job from the others."""
        overrides = self.jobs[directory]
        if not overrides:
            return printable(directory.name)
        return printable(" ".join(overrides) if with_keys else ", ".join(text.partition("=")[2] for text in overrides))


def _cells(now: Progress) -> tuple[str, str, str, str]:
    """Return a job's state, step, ELBO and time left."""
    is_trained = now.state == "running" and now.step is not None and now.step == now.steps
    step = "-" if now.step is None else f"{now.step}/{now.steps or '?'}"
    elbo = "-" if now.elbo is None else f"{now.elbo:.4f}"
    left = "-" if now.seconds_left is None or is_trained else duration(now.seconds_left)
    return "scoring" if is_trained else now.state, step, elbo, left


def _ended_at(directory: Path) -> float:
    for name in (DONE, FAILED):
        try:
            return (directory / name).stat().st_mtime
        except FileNotFoundError:  # it did not end so, or is started over
            continue
    return 0.0
