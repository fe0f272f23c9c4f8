"""Whether generated laps are copies of training laps."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from vrnn.evaluation.laps import LapJudge
from vrnn.evaluation.two_sample import MOST, lap_features

Array = NDArray[np.float64]


def nearest_lap_ratio(
    generated: Sequence[Array], true: Sequence[Array], train: Sequence[Array], judge: LapJudge
) -> float | None:
    """Return how near generated laps are to training laps, compared with held-out laps of the true process.

    Args:
        generated: Traces, each (T, 2).
        true: Held-out traces of the true process.
        train: Training traces.
        judge: The judge, which cuts them into laps.

    Returns:
        The median distance of a generated lap from the nearest training lap, divided by that of a held-out lap. 1: as new as
        true laps are; near 0: copies. None without laps.
    """
    ours, theirs, known = (lap_features(traces, judge)[:, :-1] for traces in (generated, true, train))
    if not (len(ours) and len(theirs) and len(known)):
        return None
    near, usual = (float(np.median(KDTree(known).query(part[:MOST])[0])) for part in (ours, theirs))
    return near / usual if usual > 0.0 else None
