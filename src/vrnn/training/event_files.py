"""The order of TensorBoard's event files, which it reads by their names: events.out.tfevents.SECONDS.HOST.…"""

from __future__ import annotations

import time
from pathlib import Path

PREFIX = "events.out.tfevents."


def put_in_the_past(directory: Path) -> None:
    """Let a run's event files sort before one that is made now, also if the clock was set back since.

    TensorBoard never returns to a file that sorts before the one it has read: it would leave the new one out. If a file is
    named by the present second or a later one, each gets its number instead of the seconds. The order stays, also if the
    process is killed between two files.
    """
    files = sorted(directory.glob(f"{PREFIX}*"))
    if files and files[-1].name >= f"{PREFIX}{int(time.time()):010d}":
        for number, file in enumerate(files):
            host = file.name.removeprefix(PREFIX).partition(".")[2]
            file.rename(file.with_name(f"{PREFIX}{number:010d}.{host}"))
