"""Text on its way to a terminal or to a spreadsheet: from files, which neither may take for a command; and durations."""

from __future__ import annotations

import unicodedata

KEPT = "\n\t"


def printable(text: object) -> str:
    """Return a text in which control characters, escape sequences and changes of direction are spelled out.

    Args:
        text: Anything that may hold text read from a file.
    """
    return "".join(c if c in KEPT or not _is_control(c) else c.encode("unicode_escape").decode() for c in str(text))


def _is_control(character: str) -> bool:
    """Return whether a character belongs to Unicode's controls, formats or surrogates."""
    return unicodedata.category(character) in ("Cc", "Cf", "Cs")


def csv_cell(value: object) -> object:
    """Return a cell that a spreadsheet shows as it is: text that it would compute is put behind an apostrophe.

    Args:
        value: A number, or text.
    """
    if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")):
        return "'" + value
    return value


def duration(seconds: float) -> str:
    """Return a duration in seconds, minutes or hours, as text."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
