"""The kinds of files that `vrnn evaluate`, `vrnn generate` and `vrnn impute` write. Nothing here needs torch."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from vrnn.errors import ConfigError
from vrnn.runs.config import check_choice

if TYPE_CHECKING:
    from vrnn.patterns.trace import SequenceKind

FORMATS = ("png", "npz", "csv", "svg", "mid", "ndjson", "json", "inkml", "stroke3")
FIGURES = ("png", "svg", "pdf")  # of `vrnn evaluate`
MOVING = ("gif", "mp4", "animated_svg")  # of `vrnn generate` alone


def ending(format: str) -> str:
    """Return what the names of a format's files end in."""
    return {"animated_svg": "svg", "stroke3": "npz"}.get(format, format)


def chosen_format(format: str | None, out: str | None) -> str:
    """Return the given format, else the ending of `out`, else png."""
    return format or (Path(out).suffix.removeprefix(".") if out else "png")


def check_format(command: str, format: str | None, out: str | None) -> None:
    """Check a format, and that a file's name ends in it.

    Raises:
        ConfigError: There is no such format, or the name ends in another one.
    """
    choices = {"evaluate": FIGURES, "generate": (*FORMATS, *MOVING)}.get(command, FORMATS)
    if format is not None:
        check_choice("format", format, choices)
    suffix = Path(out).suffix.removeprefix(".") if out is not None else ""
    if suffix and format is not None and suffix != ending(format):
        raise ConfigError(f"out must end in .{ending(format)}, the format, but is {out}: leave one of the two out.")
    endings = dict.fromkeys(map(ending, choices))
    if out is not None and format is None and suffix not in endings:
        raise ConfigError(f"out must end in .{', .'.join(endings)}, but is {out}.")


def check_form(format: str, form: SequenceKind, count: int) -> None:
    """Check that so many sequences can be written in a format, and that the package which does it is installed.

    Raises:
        ConfigError: They cannot, or it is not.
        ValueError: The same of the kinds of files that hold points.
    """
    if format in FORMATS:
        from vrnn.patterns.files.write import check_kind  # numpy: most wrong requests are answered before

        check_kind(format, form, count)
    if format in MOVING and form not in ("plane", "strokes"):
        raise ConfigError(
            f"format must be png, npz or csv for a run whose sequences are of the form {form}, but is {format}: "
            "moving pictures are of a pen."
        )
    if format == "mp4" and find_spec("imageio_ffmpeg") is None:
        raise ConfigError("format=mp4 needs a package that is not installed: pip install 'vrnn-lab[video]'.")
