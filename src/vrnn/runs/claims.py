"""Results as a page: a table a study with the best of each column marked, and claims held against the rows."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from vrnn.runs.compare import SCORE, Group, cell, line, training_seconds

NEITHER_BETTER = ("kl_nats_per_step", "kl_at_junctions_share", "kl_per_choice_nats")  # more of it, or less, is no merit

Rows = Mapping[str, Group]  # {label: the runs of one setting}


class Condition(NamedTuple):
    """row's score < or > a number, or the same score of another row."""

    row: str
    score: str
    relation: str
    bound: float | str


@dataclass(frozen=True)
class Claim:
    """A sentence somebody said, and what must all be true of a study's rows for it to hold.

    beside: further (row, score) worth telling with the verdict.
    """

    text: str
    study: str
    conditions: Sequence[Condition]
    beside: Sequence[tuple[str, str]] = ()

    def rows(self) -> set[str]:
        """Every row it speaks of."""
        return {row for row, _ in self._told()}

    def verdict(self, rows: Rows) -> str:
        """The sentence, whether it holds, and what was measured.

        It cannot be told where intervals overlap or are not known: another seed could turn it round.
        """
        met = [_is_met(condition, rows) for condition in self.conditions]
        verdict = "Does not hold" if False in met else "Cannot be told" if None in met else "Holds"
        measured = "; ".join(
            f"{row}: {score.replace('_', ' ')} {cell(rows[row], score)}" for row, score in self._told()
        )
        return f"{self.text} **{verdict}.** {measured}."

    def _told(self) -> Iterator[tuple[str, str]]:
        told: dict[tuple[str, str], None] = {}
        for row, score, _, bound in self.conditions:
            told |= {(row, score): None} | ({(bound, score): None} if isinstance(bound, str) else {})
        yield from told | dict.fromkeys(self.beside)


def _is_met(condition: Condition, rows: Rows) -> bool | None:
    """Whether one interval lies wholly on the right side of the other; None if on neither."""
    row, score, relation, bound = condition
    low, high = rows[row].low[score], rows[row].high[score]
    rival_low, rival_high = (
        (rows[bound].low[score], rows[bound].high[score]) if isinstance(bound, str) else (bound,) * 2
    )
    below, above = high < rival_low, low > rival_high
    if not (below or above):
        return None
    return below if relation == "<" else above


def claims(found: Sequence[Claim], studies: Mapping[str, Rows]) -> list[str]:
    """The verdicts, as a list in Markdown, on those claims whose rows have all been run."""
    known = (claim for claim in found if claim.rows() <= studies.get(claim.study, {}).keys())
    return [f"- {claim.verdict(studies[claim.study])}" for claim in known]


def table(rows: Rows, scores: Sequence[str], rival_key: str) -> list[str]:
    """A study in Markdown: a line a row, the best of each column in bold among those alike in the parameter `rival_key`."""
    groups = list(rows.values())
    headings = [*groups[0].parameters, "runs", *scores, "seconds"]
    lines = [line(headings), line(["---"] * len(headings))]
    for group in groups:
        rivals = [other for other in groups if other.parameters.get(rival_key) == group.parameters.get(rival_key)]
        cells = [_marked(group, rivals, score) for score in scores]
        seconds = np.median([training_seconds(run) for run in group.runs])
        lines.append(line([*map(str, group.parameters.values()), str(len(group.runs)), *cells, f"{seconds:.0f}"]))
    return lines


def _marked(group: Group, rivals: Sequence[Group], score: str) -> str:
    """A cell, bold where it is the best of several."""
    text = cell(group, score)
    if score in NEITHER_BETTER or len(rivals) < 2 or math.isnan(group.mean[score]):
        return text
    best = (max if SCORE[score].higher_is_better else min)(
        other.mean[score] for other in rivals if not math.isnan(other.mean[score])
    )
    return f"**{text}**" if group.mean[score] == best else text


def ordered(groups: Sequence[Group], score: str, first: str) -> dict[str, Group]:
    """Rows by their labels, ordered by the parameter `first`, then the best score."""
    sign = -1.0 if SCORE[score].higher_is_better else 1.0
    by = sorted(groups, key=lambda g: (g.parameters.get(first, ""), math.isnan(g.mean[score]), sign * g.mean[score]))
    return {", ".join(map(str, group.parameters.values())): group for group in by}
