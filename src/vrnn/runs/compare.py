"""Many runs side by side: what was swept, how each setting scored over its seeds, what is still running, what failed."""

from __future__ import annotations

import csv
import io
import math
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vrnn.errors import DamagedError
from vrnn.files import read_limited
from vrnn.runs.curves import curve
from vrnn.runs.directory import (
    CONFIG,
    FAILED,
    PRUNED,
    SAMPLE,
    SCORES,
    State,
    failure,
    read_scores,
    read_settings,
    state,
)
from vrnn.runs.provenance import read_provenance
from vrnn.runs.score_names import SCORE
from vrnn.runs.statistics import mean_interval
from vrnn.runs.summary import MOST_CLASSES
from vrnn.text import printable

Array = NDArray[np.float64]

ABSENT = "-"  # the value of a setting that a run does not have
STATES = ("finished", "running", "failed", "interrupted", "pruned")
ELBO = "elbo_nats_per_step"
SHORT = 8  # digits of a commit and of a digest
LARGEST = 2**63  # of whole numbers among the scores
LARGEST_SAMPLE = 100_000_000  # bytes
LONGEST_LABEL = 90  # characters of a figure's legend


@dataclass
class Run:
    """A run as its directory tells it. settings: flat, {"a.b": value}. scores: NaN where it has none."""

    directory: Path
    state: State
    settings: dict[str, Any]
    scores: dict[str, float]
    error: str | None


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


def collect(root: Path) -> list[Run]:
    """Find every run in or below a directory.

    Raises:
        ValueError: there is none.
    """
    found = []
    for folder, below, files in os.walk(root):
        if CONFIG in files or FAILED in files:
            found.append(read_run(Path(folder)))
            below.clear()
    if not found:
        raise ValueError(f"{root}: expected a directory with runs below it, such as outputs/<sweep>; found none.")
    return sorted(found, key=lambda run: run.directory)


def read_run(directory: Path) -> Run:
    """Read a run's settings, its scores if it has finished, its error if it failed; one that is damaged counts as failed."""
    stands, settings = state(directory), {}
    error = failure(directory) if stands == "failed" else None
    if error is not None and PRUNED in error:
        stands, error = "pruned", None
    values = dict.fromkeys(SCORE, math.nan)
    try:
        settings = flat_settings(read_settings(directory)) if (directory / CONFIG).exists() else {}
        scores = read_scores(directory) if stands == "finished" else {}
        values = score_values(directory, scores)
    except DamagedError as damage:
        stands, error = "failed", str(damage)
    return Run(directory, stands, settings, values, error)


def score_values(directory: Path, scores: Mapping[str, Any]) -> dict[str, float]:
    """Return the scores that runs are compared by: those of `SCORE`, NaN where there is none, and the ELBO of each class.

    Args:
        directory: The run's, for messages.
        scores: As in its scores.json.

    Raises:
        DamagedError: A score is no number.
    """
    classes = scores.get("classes")
    labels = list(classes) if isinstance(classes, Mapping) else []
    paths = {name: score.path for name, score in SCORE.items()}
    paths |= {f"{ELBO} of {' '.join(printable(label).split())}": ("classes", label, ELBO) for label in labels}
    return {name: _number(directory, scores, path) for name, path in paths.items()}


def flat_settings(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return {"a.b": value}; a class, `a._target_: package.Class`, becomes `a: Class`; lists become text."""
    leaves: dict[str, Any] = {}
    for key, value in tree.items():
        if key == "_target_":
            leaves[prefix.rstrip(".")] = str(value).rpartition(".")[2]
        elif isinstance(value, Mapping):
            leaves |= flat_settings(value, f"{prefix}{key}.")
        else:
            leaves[f"{prefix}{key}"] = str(value) if isinstance(value, list) else value
    return leaves


def _number(directory: Path, scores: Any, path: Sequence[str]) -> float:
    for key in path:
        scores = scores.get(key) if isinstance(scores, Mapping) else None
    if scores is None:
        return math.nan
    if isinstance(scores, float) or (type(scores) is int and abs(scores) < LARGEST):
        return float(scores)
    raise DamagedError(
        f"{directory / SCORES} is damaged: {'.'.join(path)} must be a number, but is {str(scores)[:40]!r}. Write it again "
        f"with `vrnn evaluate run={directory}`."
    )


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
    for name in _names([group]):
        values = group.values(name)
        group.n[name] = len(values)
        group.mean[name] = float(values.mean()) if len(values) else math.nan
        group.low[name], group.high[name] = mean_interval(values)


def _names(groups: Sequence[Group]) -> list[str]:
    """Return the names of all scores that runs of the groups have, those of `SCORE` first."""
    return list(dict.fromkeys([*SCORE, *(name for group in groups for run in group.runs for name in run.scores)]))


def training_seconds(run: Run) -> float:
    """How long a run's training took, from its steps a second as they were in the middle; NaN if they cannot be read."""
    speeds = np.array(list(_curve_of(run, "speed/steps_per_second").values()))
    return float(run.settings["training.steps"] / np.median(speeds)) if len(speeds) else math.nan


def curves(groups: Sequence[Group], tag: str) -> dict[str, tuple[NDArray[np.int64], Array]]:
    """Return {label: (steps (T,), values (n, T))} for each group that has logged `tag`; NaN where a run has not got so far."""
    found = {}
    for number, group in enumerate(groups, 1):
        each = [_curve_of(run, tag) for run in group.runs]
        steps = sorted(set().union(*each))
        if steps:
            # A figure cuts a long label: the number of the table's row then tells it from others.
            label = group.label if len(group.label) <= LONGEST_LABEL else f"row {number}: {group.label}"
            found[label] = (
                np.array(steps),
                np.array([[run.get(s, math.nan) for s in steps] for run in each if run]),
            )
    return found


def _curve_of(run: Run, tag: str) -> dict[int, float]:
    try:
        return dict(zip(*curve(run.directory, tag), strict=True))
    except DamagedError as damage:
        run.error = str(damage)
        return {}


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


def read_sample(directory: Path) -> Array:
    """Return a finished run's generated trace, (T, x_dim).

    Raises:
        DamagedError: It cannot be read, or is no trace.
    """
    path = directory / SAMPLE
    try:
        sample = np.load(io.BytesIO(read_limited(path, LARGEST_SAMPLE)))
        if not isinstance(sample, np.ndarray) or sample.ndim != 2 or not sample.size or sample.dtype.kind != "f":
            raise ValueError("it holds no trace (T, x_dim)")
    except (ValueError, OSError, EOFError, SyntaxError, TypeError, UnicodeError) as error:
        raise DamagedError(
            f"{path} is damaged: {' '.join(str(error).split())}. The run is compared without it; remove it."
        ) from error
    return sample.astype(np.float64)


def to_csv(groups: Sequence[Group], sort: str) -> str:
    """The table as CSV: parameters, runs by state, and n, mean, low, high of each score; empty where undefined."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    parameters, made = (list(groups[0].parameters), list(groups[0].made)) if groups else ([], [])
    names, statistics = _names(groups), ("n", "mean", "low", "high")
    table.writerow(
        [*parameters, *STATES, *(f"{name}.{which}" for name in names for which in statistics), "best_run", *made]
    )
    for group in groups:
        numbers = [getattr(group, which).get(name, math.nan) for name in names for which in statistics]
        counts = [group.states[which] for which in STATES]
        cells = ["" if math.isnan(x) else x for x in numbers]
        best = group.best(sort).directory
        table.writerow([*group.parameters.values(), *counts, *cells, best, *group.made.values()])
    return text.getvalue()


def rows(groups: Sequence[Group], sort: str) -> list[list[str]]:
    """The table for people: a row of headings, then one a group; the score it is sorted by comes first."""
    every = _names(groups)
    names = every if len(every) <= len(SCORE) + MOST_CLASSES else [*SCORE]
    names = [sort, *(name for name in names if name != sort and any(len(group.values(name)) for group in groups))]
    headings = [*(groups[0].parameters if groups else []), "runs", *names, *(groups[0].made if groups else [])]
    return [
        headings,
        *(
            [*map(str, g.parameters.values()), _standing(g), *(cell(g, n) for n in names), *g.made.values()]
            for g in groups
        ),
    ]


def _standing(group: Group) -> str:
    """How many runs finished, and how many did not."""
    counts = group.states
    others = [f"{counts[name]} {name}" for name in STATES[1:] if counts[name]]
    return ", ".join([str(counts["finished"]), *others])


def cell(group: Group, name: str) -> str:
    """A score's mean and interval, as text; of how many runs, if not of all that have finished."""
    mean = group.mean.get(name, math.nan)
    if math.isnan(mean):
        return "-"
    low, high = group.low[name], group.high[name]
    text = f"{mean:.4f}" if math.isnan(low) else f"{mean:.4f} [{low:.4f}, {high:.4f}]"
    return text if group.n[name] == group.states["finished"] else f"{text} of {group.n[name]}"


def failures(runs: Sequence[Run]) -> dict[str, str]:
    """Return {directory's name: error} of the failed runs."""
    return {run.directory.name: run.error for run in runs if run.error is not None}


def to_markdown(
    title: str,
    table: Sequence[Sequence[str]],
    failed: Mapping[str, str],
    duplicates: Mapping[str, str],
    figures: Sequence[str],
    best: Sequence[str] = (),
) -> str:
    """The whole comparison as a page. figures: paths beside it; best: the best run of each row."""
    lines = [f"# {title}", "", line(table[0]), line(["---"] * len(table[0])), *(line(row) for row in table[1:]), ""]
    lines += [
        "Mean over seeds and its 95 % interval by Student's t. `runs`: how many have finished.",
        "",
    ]
    if best:
        lines += [
            "The best run of each row, from the top:",
            "",
            *(f"{i}. `run={run}`" for i, run in enumerate(best, 1)),
            "",
        ]
    lines += [f"Left out: `{name}` has the settings and the seed of `{own}`.\n" for name, own in duplicates.items()]
    for name, error in failed.items():
        lines += [f"Failed: `{name}`", "", "```", error, "```", ""]
    lines += [f"![{Path(figure).stem}]({figure})" for figure in figures]
    return "\n".join(lines) + "\n"


def line(cells: Sequence[str]) -> str:
    """A row of a table in Markdown."""
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
