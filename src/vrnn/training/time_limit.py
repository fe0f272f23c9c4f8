"""How long a command may train: `trainer.max_time`. Importing this module imports neither torch nor Lightning."""

from __future__ import annotations

import re
from datetime import timedelta

from vrnn.errors import ConfigError

DAYS_HOURS_MINUTES_SECONDS = re.compile(r"(\d{1,4}):(\d{1,4}):(\d{1,4}):(\d{1,4})", re.ASCII)


def seconds_of(max_time: object) -> float:
    """Return a time limit in seconds.

    Args:
        max_time: As Lightning writes it, "DD:HH:MM:SS".

    Raises:
        ConfigError: It is none, or not positive.
    """
    found = DAYS_HOURS_MINUTES_SECONDS.fullmatch(max_time) if isinstance(max_time, str) else None
    days, hours, minutes, seconds = map(int, found.groups()) if found else (0, 0, 0, 0)
    total = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds).total_seconds()
    if not total:
        raise ConfigError(
            f"trainer.max_time must be days:hours:minutes:seconds, as in '00:12:00:00' for 12 hours, but is {max_time!r}."
        )
    return total
