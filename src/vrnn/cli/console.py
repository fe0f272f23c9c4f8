"""Output on consoles of any encoding."""

from __future__ import annotations

import codecs
import io
import sys

ASCII = {"±": "+-", "…": "...", "→": "->"}


def use_any_encoding() -> None:
    """Let print write what the console's encoding lacks in ASCII, instead of raising UnicodeEncodeError."""
    codecs.register_error("vrnn.ascii", _in_ascii)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="vrnn.ascii")


def _in_ascii(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(ASCII.get(sign, "?") for sign in error.object[error.start : error.end]), error.end
