"""The scalars that a run logged while it trained, read back."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from numpy.typing import NDArray
from tensorboard.backend.event_processing.event_file_loader import RawEventFileLoader
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.util.tensor_util import make_ndarray

from vrnn.errors import DamagedError
from vrnn.files import read_limited
from vrnn.training.scalar_rows import SCALARS, is_row

LARGEST = 100_000_000  # bytes of a scalars.csv: a hundred times a long run's


def curve(directory: Path, tag: str) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Read a scalar's steps and values; after a resume the later value of a step counts.

    They are in scalars.csv. What it does not have is read from the event files, which is slower: the steps before its
    first, of a run that an earlier version began, and all steps of a scalar that is not in it.

    Args:
        directory: The run's.
        tag: The scalar's, as in val/elbo.

    Returns:
        The steps, ascending, and the values, both (n,).

    Raises:
        DamagedError: A file cannot be read.
    """
    first, found = _kept_in_csv(directory / SCALARS, tag)
    values: dict[int, float] = {}
    for path in sorted(directory.glob("events.out.tfevents.*")):
        try:
            values |= dict(_logged_before(path, first, tag))
        except (DecodeError, OSError, ValueError, TypeError) as error:
            raise DamagedError(f"{path} is damaged, and the run's curves are left out: remove it.") from error
    values |= found
    steps = sorted(values)
    return np.array(steps, dtype=np.int64), np.array([values[step] for step in steps])


def _kept_in_csv(path: Path, tag: str) -> tuple[float, dict[int, float]]:
    """Return the step at which a scalars.csv begins and {step: value} of a scalar; infinity and {} if that is not in it."""
    if not path.exists():
        return math.inf, {}
    try:
        text = read_limited(path, LARGEST)
    except OSError as error:
        raise DamagedError(f"{path} is damaged, and the run's curves are left out: {error}. Remove it.") from error
    # One expression for the whole file: a thousand files have a million lines.
    rows = re.findall(rb"^(\d+),%b,([-+.\w]+)\n" % re.escape(tag.encode()), text, re.MULTILINE)
    begin = re.search(rb"^\d+", text, re.MULTILINE)
    found = {int(step): float(value) for step, value in rows if is_row(step.decode(), tag, value.decode())}
    return (int(begin.group()) if begin and found else math.inf), found


def _logged_before(path: Path, step: float, tag: str) -> Iterator[tuple[int, float]]:
    """Yield the steps and values of a scalar from an event file, up to the first record of a step or later."""
    for record in RawEventFileLoader(str(path)).Load():
        # Without a limit, records of other tags, figures above all, are skipped unread.
        if tag.encode() not in record and math.isinf(step):
            continue
        event = Event.FromString(record)
        if event.step >= step:
            return
        for value in event.summary.value:
            if value.tag == tag:
                yield event.step, _scalar(value)


def _scalar(value: Any) -> float:
    """Both forms in which TensorBoard writes a scalar."""
    return float(make_ndarray(value.tensor)) if value.HasField("tensor") else float(value.simple_value)
