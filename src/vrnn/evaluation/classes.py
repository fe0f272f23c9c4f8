"""Scores of a conditioned model: are the laps that it draws of the class that it was asked for?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vrnn.evaluation.laps import LapJudge
from vrnn.evaluation.scores import score


def class_scores(
    traces: Sequence[NDArray[np.floating[Any]]], labels: Sequence[int], judges: Mapping[str, LapJudge]
) -> dict[str, Any]:
    """Judge each trace by the automaton of the class that was asked for.

    Args:
        traces: Each (T, 2).
        labels: The class asked for in each, an index into `judges`.
        judges: One per class.

    Returns:
        A dictionary that is ready for JSON; None is an undefined value.

        - condition_right: The share of all laps that are valid laps of the class asked for.
        - classes: {label: `score` of the traces that were asked for, and their `condition_right`}, without classes that no
          trace was asked for.
    """
    classes: dict[str, Any] = {}
    for i, (name, judge) in enumerate(judges.items()):
        own = [trace for trace, label in zip(traces, labels, strict=True) if label == i]
        if own:
            scores = score(own, judge)
            classes[name] = {"condition_right": _right(scores), **scores}
    laps = sum(scores["laps"] for scores in classes.values())
    right = sum(scores["condition_right"] * scores["laps"] for scores in classes.values() if scores["laps"])
    return {"condition_right": right / laps if laps else None, "classes": classes}


def _right(scores: Mapping[str, Any]) -> float | None:
    invalid = scores["invalid_fraction"]
    return None if invalid is None else 1.0 - invalid
