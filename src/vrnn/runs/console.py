"""The console on which commands print tables."""

from __future__ import annotations

from rich.console import Console


def plain_console(width: int | None = None, stderr: bool = False) -> Console:
    """Return a console that prints text as it is.

    Names and settings come from files: `[ema]` in one is no style, and `:key:` no picture.

    Args:
        width: In characters; None: that of the terminal.
        stderr: Whether it prints to standard error.
    """
    return Console(width=width, stderr=stderr, markup=False, emoji=False, highlight=False)
