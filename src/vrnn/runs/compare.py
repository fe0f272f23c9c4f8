"""Many runs side by side: what was swept, how each setting scored over its seeds, what made them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vrnn.errors import DamagedError
from vrnn.runs.collect import Run, curve_of, read_sample
from vrnn.runs.directory import SAMPLE
from vrnn.runs.provenance import read_provenance
from vrnn.runs.score_names import SCORE
from vrnn.runs.statistics import mean_interval

Array = NDArray[np.float64]
ABSENT = "-"  # the value of a setting that a run does not have
SHORT = 8  # digits of a commit and of a digest
LONGEST_LABEL = 90  # characters of a figure's legend


@dataclass
class Group:
    """The runs that differ in nothing but their seed.

    parameters: those that were swept. duplicates: runs left out, {name: name of the one with the same settings and seed}.
    made: what the runs were made by where runs of the comparison differ in it, {column: the values of these runs}.
    mean, low, high: of each score over the n finished runs that have it, and its 95 % interval by Student's t (NaN for fewer
    than two runs).
    """

    parameters: dict[str, Any]
    runs: list[Run]
    duplicates: dict[str, str] = field(default_factory=dict)
    made: dict[str, str] = field(default_factory=dict)
    n: dict[str, int] = field(default_factory=dict)
    mean: dict[str, float] = field(default_factory=dict)
    low: dict[str, float] = field(default_factory=dict)
    high: dict[str, float] = field(default_factory=dict)

    def values(self, name: str) -> Array:
        """Return a score of the runs that have it, (n,)."""
        values = np.array([run.scores.get(name, math.nan) for run in self.runs])
        return values[np.isfinite(values)]

    def best(self, score: str) -> Run:
        """Return the run with the best score; where none has it, the first."""
        sign = 1.0 if SCORE[score].higher_is_better else -1.0
        return max(self.runs, key=lambda run: (math.isfinite(run.scores[score]), sign * run.scores[score]))

    @property
    def label(self) -> str:
        """The swept parameters in one line."""
        return ", ".join(f"{key}={value}" for key, value in self.parameters.items()) or "all runs"

    @property
    def states(self) -> Counter[str]:
        """How many runs stand how."""
        return Counter(run.state for run in self.runs)


def swept_parameters(runs: Sequence[Run]) -> list[str]:
    """Return the settings that differ between runs, but for the seed and those that follow from another of their group.

    One setting follows from another if each value of that one goes with a single value of it: choosing model=tiny changes a
    dozen sizes, and one of them tells which model it was.
    """
    known = [run.settings for run in runs if run.settings]
    keys = sorted({key for settings in known for key in settings} - {"seed"})
    return _not_following({key: [str(settings.get(key)) for settings in known] for key in keys})


def _not_following(columns: Mapping[str, Sequence[str]]) -> list[str]:
    """Return the columns whose values differ, but for those that follow from another of their group."""
    differing = {key: column for key, column in columns.items() if len(set(column)) > 1}
    kept: list[str] = []
    for key in sorted(differing, key=lambda key: (-len(set(differing[key])), key.endswith(".digest"), key)):
        rivals = (other for other in kept if other.split(".")[0] == key.split(".")[0])
        if not any(_follows(differing[key], differing[other]) for other in rivals):
            kept.append(key)
    return sorted(kept)


def _follows(column: Sequence[str], other: Sequence[str]) -> bool:
    """Whether each value of `other` goes with one value of `column`."""
    return len(set(zip(other, column, strict=True))) == len(set(other))


def group_runs(runs: Sequence[Run], sort: str) -> list[Group]:
    """Group runs over their seeds, best first by the score `sort`; groups without it come last.

    Raises:
        ValueError: there is no such score.
    """
    if sort not in SCORE:
        raise ValueError(f"sort must be one of {', '.join(SCORE)}, but is {sort!r}.")
    parameters = swept_parameters(runs)
    members: dict[tuple[tuple[str, Any], ...], list[Run]] = {}
    for run in runs:
        if run.settings:
            alike = tuple((key, value) for key, value in sorted(run.settings.items()) if key != "seed")
            members.setdefault(alike, []).append(run)
    groups = [
        Group({key: dict(alike).get(key, ABSENT) for key in parameters}, *one_per_seed(found))
        for alike, found in members.items()
    ]
    for group in groups:
        estimate(group)
    sign = -1.0 if SCORE[sort].higher_is_better else 1.0
    return sorted(groups, key=lambda group: (math.isnan(group.mean[sort]), sign * group.mean[sort], group.label))


def add_makers(groups: Sequence[Group]) -> None:
    """Fill in what made each group's runs, the commit, the packages and the machine, where that differs between runs."""
    made = [[_maker(read_provenance(run.directory)) for run in group.runs] for group in groups]
    known = [one for of_group in made for one in of_group if one]
    columns = _not_following({key: [one.get(key, ABSENT) for one in known] for key in sorted({*chain(*known)})})
    for group, of_group in zip(groups, made, strict=True):
        group.made = {
            key: ", ".join(dict.fromkeys(one.get(key, ABSENT) for one in of_group)) or ABSENT for key in columns
        }


def _maker(provenance: Mapping[str, Any]) -> dict[str, str]:
    """Return what matters of a run's provenance, as short text."""
    found = {key: str(value) for key, value in provenance.items() if key.startswith(("versions.", "machine."))}
    if commit := provenance.get("git.commit"):
        changes = provenance.get("git.changes")
        found["commit"] = str(commit)[:SHORT] + (f"+{str(changes)[:SHORT]}" if changes else "")
    return found


def one_per_seed(runs: Sequence[Run]) -> tuple[list[Run], dict[str, str]]:
    """Return one run a seed, a finished one if there is, and which are left out for which: a copy is no further evidence."""
    kept: dict[Any, Run] = {}
    duplicates: dict[str, str] = {}
    for run in sorted(runs, key=lambda run: run.state != "finished"):
        own = kept.setdefault(run.settings.get("seed", run.directory), run)
        if own is not run:
            duplicates[run.directory.name] = own.directory.name
    return list(kept.values()), duplicates


def estimate(group: Group) -> None:
    """Fill in a group's means and intervals."""
    for name in names_of_scores([group]):
        values = group.values(name)
        group.n[name] = len(values)
        group.mean[name] = float(values.mean()) if len(values) else math.nan
        group.low[name], group.high[name] = mean_interval(values)


def names_of_scores(groups: Sequence[Group]) -> list[str]:
    """Return the names of all scores that runs of the groups have, those of `SCORE` first."""
    return list(dict.fromkeys([*SCORE, *(name for group in groups for run in group.runs for name in run.scores)]))


def curves(groups: Sequence[Group], tag: str) -> dict[str, tuple[NDArray[np.int64], Array]]:
    """Return {label: (steps (T,), values (n, T))} for each group that has logged `tag`; NaN where a run has not got so far."""
    found = {}
    for number, group in enumerate(groups, 1):
        each = [curve_of(run, tag) for run in group.runs]
        steps = sorted(set().union(*each))
        if steps:
            # A figure cuts a long label: the number of the table's row then tells it from others.
            label = group.label if len(group.label) <= LONGEST_LABEL else f"row {number}: {group.label}"
            found[label] = (
                np.array(steps),
                np.array([[run.get(s, math.nan) for s in steps] for run in each if run]),
            )
    return found


def samples(groups: Sequence[Group], most: int) -> dict[str, Array]:
    """Return {swept values and seed: generated trace (T, 2)} of at most `most` finished runs, the best groups first.

    Runs whose sequences are not points in the plane have none.
    """
    found: dict[str, Array] = {}
    for group in groups:
        for run in sorted(group.runs, key=_seed):
            if len(found) == most or run.state != "finished" or not (run.directory / SAMPLE).exists():
                continue
            title = [*map(str, group.parameters.values()), f"seed {run.settings.get('seed')}"]
            try:
                sample = read_sample(run.directory)
            except DamagedError as damage:
                run.error = str(damage)
                continue
            if sample.shape[1] == 2:
                found[", ".join(title)] = sample
    return found


def _seed(run: Run) -> tuple[str, Any]:
    """Return a key to sort runs by their seed, whatever type an edited config.yaml gives it."""
    seed = run.settings.get("seed", 0)
    return type(seed).__name__, seed
