"""A user's own series of any width as a pattern."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from vrnn.patterns.files.expand import Files
from vrnn.patterns.files.recordings import Division, load_splits
from vrnn.patterns.files.series_files import SERIES_READERS, Series, load_series
from vrnn.patterns.recorded import RecordedPattern
from vrnn.patterns.units import Units

Values = NDArray[np.float64]


class SeriesPattern(RecordedPattern):
    """Sequences of d >= 1 numbers per step from files; a step with a missing number is a gap.

    Args:
        files: Files, folders and globs, see `load_series`; every sequence in them is used.
        columns: Which columns are channels, by name or counted from 0; None: all but `group`.
        group: The column of a table that tells sequences apart; None: a table is one sequence.
        differences: Whether a step is the difference of two successive ones, instead of their value.
        standardise: Whether each channel has zero mean and standard deviation 1 over the training data.
        holdout: The share that is held out for validation and test; 0: all splits have everything.
        division: What is held out: "sequence", whole sequences; "tail", the end of each; None: sequences where there are at
            least 5.
        split_seed: Of the choice of whole sequences, independent of the run's seed.
        val_files: Files for validation; then `files` are for training alone.
        test_files: Files for the test. Without them the test has the files for validation, and vice versa.

    Attributes:
        x_dim: The number of channels. The class's 0 says that it depends on the data; a run stores it with its units.
        units: The standardisation, with the channels' names.

    Raises:
        ValueError: Files that cannot be read, have different channels or lack one, or an option out of range.
    """

    x_dim = 0
    form = "series"

    def __init__(
        self,
        files: Files,
        columns: Sequence[str | int] | None = None,
        group: str | None = None,
        differences: bool = False,
        standardise: bool = True,
        holdout: float = 0.2,
        division: Division | None = None,
        split_seed: int = 0,
        val_files: Files | None = None,
        test_files: Files | None = None,
    ) -> None:
        load = partial(load_series, columns=columns, group=group)
        splits = load_splits(
            files, val_files, test_files, load, SERIES_READERS, holdout=holdout, division=division, seed=split_seed
        )
        channels = _common_channels({name: one for found in splits.values() for name, one in found.items()})
        values = {
            split: [np.diff(one.values, axis=0) if differences else one.values for one in found.values()]
            for split, found in splits.items()
        }
        self.x_dim = len(channels)
        self.units = _units(values["train"], channels, standardise)
        self.sources = {split: [self.units.from_units(one) for one in found] for split, found in values.items()}


def _common_channels(found: dict[str, Series]) -> tuple[str, ...]:
    """Return the channels of all series.

    Raises:
        ValueError: They differ; the message names two series.
    """
    first = next(iter(found))
    for name, series in found.items():
        if series.channels != found[first].channels:
            raise ValueError(
                f"{name} has the channels {', '.join(series.channels)}, but {first} has {', '.join(found[first].channels)}: "
                "choose columns that all files have, as in dataset.columns=[a,b]"
            )
    return found[first].channels


def _units(training: Iterable[Values], channels: tuple[str, ...], standardise: bool) -> Units:
    values = np.concatenate(list(training))
    mean, scale = np.zeros(len(channels)), np.ones(len(channels))
    if standardise:
        mean, deviation = np.nanmean(values, axis=0), np.nanstd(values, axis=0)
        # A channel that never changes has nothing to scale.
        scale = np.where(deviation > 1e-12 * np.maximum(np.abs(mean), 1e-100), deviation, 1.0)
    return Units(tuple(mean.tolist()), tuple(scale.tolist()), channels)
