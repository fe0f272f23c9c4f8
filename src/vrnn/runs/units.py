"""The units of a run's data, stored in its directory."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from vrnn.errors import DamagedError
from vrnn.files import write_text_atomically
from vrnn.patterns import Units
from vrnn.runs.directory import UNITS
from vrnn.runs.plain_yaml import read_json


def write_units(directory: Path, units: Units) -> None:
    """Store the units of a run's data, unless they are those of the networks."""
    if units != Units():
        write_text_atomically(directory / UNITS, json.dumps(asdict(units)) + "\n")


def read_units(directory: Path) -> Units:
    """Return the units of a run's data.

    Raises:
        DamagedError: They cannot be read.
    """
    path = directory / UNITS
    if not path.exists():
        return Units()
    try:
        return Units(**read_json(path))
    except (ValueError, TypeError, OSError) as error:
        raise DamagedError(f"{path} is damaged: {error} Restore it, or start the run over with fresh=true.") from error
