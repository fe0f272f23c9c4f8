"""Many runs as the rows of a table."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from vrnn.errors import DamagedError
from vrnn.runs.collect import collect
from vrnn.runs.curves import curve
from vrnn.runs.directory import read_scores
from vrnn.runs.name import flat


def read_runs(path: str | Path, curves: Sequence[str] = ("val/elbo",)) -> Any:
    """Return the settings, scores and curves of all runs in or below a directory, one row per run.

    Args:
        path: The directory, as in outputs/<sweep>.
        curves: Tags of TensorBoard's scalars. Each becomes a column of arrays (n, 2), (step, value).

    Returns:
        A pandas DataFrame where pandas is installed, otherwise a list of dicts. `directory`; `state` ("finished", "running",
        "failed" or "interrupted"); `error` of a failed run; each setting under its dotted name, as in `model.h_dim`, a class
        under that of its group; each number of scores.json, as in `generated.invalid_fraction`; the curves.

    Raises:
        ValueError: There is no run.
    """
    rows = []
    for run in collect(Path(path)):
        row: dict[str, Any] = {"directory": str(run.directory), "state": run.state, "error": run.error}
        row |= run.settings | (_scores(run.directory) if run.state == "finished" else {})
        row |= {tag: np.stack(curve(run.directory, tag), axis=1) for tag in curves}
        rows.append(row)
    if find_spec("pandas") is None:
        return rows
    import pandas

    return pandas.DataFrame(rows)


def _scores(directory: Path) -> dict[str, Any]:
    """Return a finished run's scores, {"a.b": number}; {} if they are damaged, which `error` says."""
    try:
        return flat(read_scores(directory))
    except DamagedError:
        return {}
