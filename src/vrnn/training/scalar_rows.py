"""The rows of scalars.csv: step, name, value. To read them needs neither torch nor Lightning."""

from __future__ import annotations

from pathlib import Path

from vrnn.files import open_regular

SCALARS = "scalars.csv"
HEADER = ("step", "name", "value")


def kept_rows(path: Path, last_step: int) -> list[tuple[str, str, str]]:
    """Return the rows of a scalars.csv up to a step, without lines that a killed process left unfinished.

    Args:
        path: The file. A missing one has no rows.
        last_step: The last step of which rows are returned.
    """
    try:
        with open_regular(path) as file:
            lines = file.read().decode(errors="replace").splitlines(keepends=True)
    except FileNotFoundError:
        return []
    rows = [line.rstrip("\n").split(",") for line in lines if line.endswith("\n") and line.count(",") == 2]
    return [(step, name, value) for step, name, value in rows if is_row(step, name, value) and int(step) <= last_step]


def is_row(step: str, name: str, value: str) -> bool:
    """Whether the texts are a step, a name and a number."""
    try:
        float(value)
    except ValueError:
        return False
    return step.isdecimal() and bool(name)
