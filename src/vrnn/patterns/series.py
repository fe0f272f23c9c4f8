"""A user's own series of any width as a pattern."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from vrnn.patterns.files.expand import Files
from vrnn.patterns.files.labels import label_index, label_names
from vrnn.patterns.files.recordings import Division, load_splits
from vrnn.patterns.files.series_files import SERIES_READERS, Series, load_series
from vrnn.patterns.recorded import RecordedPattern
from vrnn.patterns.trace import Trace
from vrnn.patterns.units import Units

Values = NDArray[np.float64]


class SeriesPattern(RecordedPattern):
    """Sequences of d >= 1 numbers per step from files; a step with a missing number is a gap.

    Args:
        files: Files, folders and globs, see `load_series`; every sequence in them is used.
        columns: Which columns are channels, by name or counted from 0; None: all others.
        group: The column of a table that tells sequences apart; None: a table is one sequence.
        differences: Whether a step is the difference of two successive ones, instead of their value.
        standardise: Whether each channel has zero mean and standard deviation 1 over the training data.
        holdout: The share that is held out for validation and test; 0: all splits have everything.
        division: What is held out: "sequence", whole sequences; "tail", the end of each; None: sequences where there are at
            least 5.
        split_seed: Of the choice of whole sequences, independent of the run's seed.
        val_files: Files for validation; then `files` are for training alone.
        test_files: Files for the test. Without them the test has the files for validation, and vice versa.
        label: Where the label of each sequence is: "folder", the name of the folder that the file is in; else a column of a
            table, or a key of an .npz that has one label per sequence. None: there are no labels.
        condition_columns: The columns that a model with condition=series is conditioned on, as `columns`; standardised as the
            channels are. None: there are none.

    Attributes:
        x_dim: The number of channels. The class's 0 says that it depends on the data; a run stores it with its units.
        units: The standardisation, with the channels' names and the labels.

    Raises:
        ValueError: Files that cannot be read, have different channels or lack one, labels that are missing or held out
            alone, or an option out of range.
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
        label: str | None = None,
        condition_columns: Sequence[str | int] | None = None,
    ) -> None:
        if label is not None and condition_columns is not None:
            raise ValueError(
                "a model is conditioned on labels or on series: set dataset.label or dataset.condition_columns to null"
            )
        load = partial(load_series, columns=columns, group=group, label=label, condition_columns=condition_columns)
        splits = load_splits(
            files, val_files, test_files, load, SERIES_READERS, holdout=holdout, division=division, seed=split_seed
        )
        channels = _common_channels({name: one for found in splits.values() for name, one in found.items()})
        if differences:
            splits = {
                split: {name: one.differences() for name, one in found.items()} for split, found in splits.items()
            }
        self.x_dim = len(channels)
        training = splits["train"].values()
        exogenous = next(iter(training)).exogenous_names
        self.units = replace(
            _units([one.values for one in training], channels, standardise),
            labels=label_names(splits),
            exogenous=_units([one.exogenous for one in training], exogenous, standardise) if exogenous else None,
        )
        self.sources = {split: [self._trace(one) for one in found.values()] for split, found in splits.items()}

    def _trace(self, series: Series) -> Trace:
        trace = Trace.of_unknown_origin(self.units.from_units(series.values))
        exogenous = None if self.units.exogenous is None else self.units.exogenous.from_units(series.exogenous)
        return replace(trace, label=label_index(self.units.labels, series), exogenous=exogenous)


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


def _units(training: Sequence[Values], channels: tuple[str, ...], standardise: bool) -> Units:
    values = np.concatenate(training)
    mean, scale = np.zeros(len(channels)), np.ones(len(channels))
    if standardise:
        mean, deviation = np.nanmean(values, axis=0), np.nanstd(values, axis=0)
        # A channel that never changes has nothing to scale.
        scale = np.where(deviation > 1e-12 * np.maximum(np.abs(mean), 1e-100), deviation, 1.0)
    return Units(tuple(mean.tolist()), tuple(scale.tolist()), channels)
