"""The table of a comparison: for people, as CSV, as Markdown."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from vrnn.runs.compare import Group, names_of_scores
from vrnn.runs.score_names import SCORE
from vrnn.runs.summary import MOST_CLASSES

STATES = ("finished", "running", "failed", "interrupted", "pruned")


def rows(groups: Sequence[Group], sort: str) -> list[list[str]]:
    """The table for people: a row of headings, then one a group; the score it is sorted by comes first."""
    every = names_of_scores(groups)
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


def to_csv(groups: Sequence[Group], sort: str) -> str:
    """The table as CSV: parameters, runs by state, and n, mean, low, high of each score; empty where undefined."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    parameters, made = (list(groups[0].parameters), list(groups[0].made)) if groups else ([], [])
    names, statistics = names_of_scores(groups), ("n", "mean", "low", "high")
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
