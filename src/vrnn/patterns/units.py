"""The units of a user's data, and those in which the networks see them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vrnn.checks import check_number, check_positive

Points = NDArray[np.float64]

# What is missing for a condition.
NO_LABELS = (
    "condition=label needs a dataset with labels, but this one has none: say by dataset.label where those of your files are, "
    "as in dataset.label=folder, or try dataset=classes."
)
NO_EXOGENOUS = (
    "condition=series needs a dataset with exogenous series, but this one has none: name their columns by "
    "dataset.condition_columns of dataset=series."
)


@dataclass(frozen=True)
class Units:
    """One affine map per coordinate: the networks see (points - mean) / scale. The default changes nothing.

    A run stores the units of its pattern, so that a trained model takes and returns points in the units of its data.

    Args:
        mean: One number per coordinate, or one for all, in the data's units.
        scale: Likewise, each > 0.
        names: What the coordinates are called; () where they have no names.
        labels: What the classes of sequences are called; () where they have no classes.
        exogenous: The units of the exogenous series that sequences depend on; None where there are none.
        strokes: The share of training drawings with 0, 1, 2, … strokes; () where the data are no drawings with lifts.

    Raises:
        ValueError: A number that is not finite, or a scale that is not positive.
    """

    mean: Sequence[float] = (0.0,)
    scale: Sequence[float] = (1.0,)
    names: Sequence[str] = ()
    labels: Sequence[str] = ()
    exogenous: Units | None = None
    strokes: Sequence[float] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "mean", tuple(check_number("units.mean", value) for value in self.mean))
        object.__setattr__(self, "scale", tuple(check_positive("units.scale", value) for value in self.scale))
        object.__setattr__(self, "names", tuple(map(str, self.names)))
        object.__setattr__(self, "labels", tuple(map(str, self.labels)))
        object.__setattr__(self, "strokes", tuple(map(float, self.strokes)))
        if isinstance(self.exogenous, Mapping):  # as a run stores them
            object.__setattr__(self, "exogenous", Units(**self.exogenous))

    @property
    def exogenous_names(self) -> tuple[str, ...]:
        """What the exogenous series are called; () where there are none."""
        return () if self.exogenous is None else tuple(self.exogenous.names)

    def from_units(self, points: Points) -> Points:
        """Return points (…, x_dim) of the data's units as the networks see them."""
        seen: Points = (points - np.array(self.mean)) / np.array(self.scale)
        return seen

    def to_units(self, points: Points) -> Points:
        """Return points (…, x_dim) of the networks in the data's units."""
        given: Points = points * np.array(self.scale) + np.array(self.mean)
        return given
