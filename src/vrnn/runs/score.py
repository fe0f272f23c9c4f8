"""Somebody's own sequences, scored by a trained run: which of their points it did not expect."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from itertools import chain, count
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vrnn import plots
from vrnn.errors import ConfigError
from vrnn.files import write_text_atomically
from vrnn.runs.drawing import channel_names, read_sequences
from vrnn.runs.load import TrainedRun, load_run
from vrnn.runs.pattern import as_config_error

Points = NDArray[np.float64]

RARE = 0.99  # a point is surprising if it is less likely than this share of the points of the run's test traces
TEST_TRACES, TEST_STEPS = 8, 512  # looked at to find this limit


def score_files(
    run: Path,
    *,
    files: Sequence[str],
    particles: int,
    out: str | None,
    checkpoint: str,
    seed: int,
    label: str | None = None,
    allow: Sequence[str] = ("vrnn",),
) -> list[dict[str, Any]]:
    """Write log p(x_t | x_<t) of each step of sequences as CSV, and a figure of the surprise, -log p(x_t | x_<t).

    A run on drawings has seen them scaled and resampled; so are these, and the CSV has the points that were scored.

    Args:
        run: The run's directory.
        files: Drawings or series.
        particles: Of the estimate, see `TrainedRun.log_likelihood`.
        out: The directory; None: scored in the run's directory.
        checkpoint: "last" or "best".
        seed: Of the noise.
        label: The class of all sequences, of a run with condition=label; None: as the files say, where dataset.label tells how.
            The exogenous series of a run with condition=series are in the files themselves.
        allow: The packages whose classes the run's settings may name.

    Returns:
        For each sequence its `name`, `steps`, `nats_per_step`, and the share of `surprising` steps (None where the run's data
        are no longer there to compare with).

    Raises:
        ConfigError: No run there, sequences that are neither drawings nor series, or a file that does not fit them.
        DamagedError: The checkpoint cannot be read.
    """
    trained = load_run(run, checkpoint, allow)
    sequences = read_sequences(files, trained.settings, trained.units, label)
    with as_config_error():
        for given in sequences.values():
            trained.vrnn.condition.as_tensor(given.condition, 1)
    limit = _limit(trained, particles, seed)
    names = channel_names(trained.settings, trained.units)
    folder = run / "scored" if out is None else Path(out)
    rows, bases = [], _file_names(list(sequences))
    for (name, given), base in zip(sequences.items(), bases, strict=True):
        x = given.points
        found = trained.log_likelihood(x, particles=particles, seed=seed, condition=given.condition)
        write_text_atomically(folder / f"{base}.csv", _table(x, found.per_step, names))
        plots.save(plots.plot_surprise(x, -found.per_step, limit, names), folder / f"{base}.png")
        known = found.per_step[np.isfinite(found.per_step)]
        share = None if limit is None else float((-known > limit).mean())
        rows.append({"name": name, "steps": len(known), "nats_per_step": float(known.mean()), "surprising": share})
    print(f"{folder}/")
    return rows


def _file_names(sequences: Sequence[str]) -> list[str]:
    """Return a file's name for each sequence, FILE or FILE[NAME]; the second of one name gets a number, and so on."""
    names: list[str] = []
    for sequence in sequences:
        file, _, own = sequence.removesuffix("]").rpartition("[") if sequence.endswith("]") else (sequence, "", "")
        base = re.sub(r"[^\w.-]+", "-", f"{Path(file).name}-{own}").strip("-")
        numbered = (f"{base}-{n}" for n in count(2))
        names.append(next(name for name in chain([base], numbered) if name not in names))
    return names


def _limit(trained: TrainedRun, particles: int, seed: int) -> float | None:
    """Return the surprise that RARE of the points of test traces stay below; None where the data are no longer there."""
    try:
        traces = trained.data.traces("test")[:TEST_TRACES]
    except ConfigError:
        return None
    found = [
        trained.log_likelihood(
            trained.units.to_units(trace.points), particles=particles, seed=seed, condition=trained.condition_of(trace)
        )
        for trace in (one.until(TEST_STEPS) for one in traces)
    ]
    return float(np.nanquantile(np.concatenate([-each.per_step for each in found]), RARE))


def _table(points: Points, per_step: Points, names: Sequence[str]) -> str:
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    names = names or [f"x{i}" for i in range(points.shape[1])]
    table.writerow(["step", *names, "log_likelihood"])
    for step, (point, value) in enumerate(zip(points, per_step, strict=True)):
        table.writerow([step, *("" if np.isnan(number) else repr(float(number)) for number in (*point, value))])
    return text.getvalue()
