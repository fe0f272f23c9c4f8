"""The page of results: one table per study with the best of each column in bold, and claims checked against its rows."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from vrnn.runs.collect import training_seconds
from vrnn.runs.compare import Group
from vrnn.runs.compare_table import cell, line
from vrnn.runs.score_names import SCORE
from vrnn.runs.statistics import FEWEST, difference, mean_interval

# Scores of which neither more nor less is better.
UNRANKED = ("kl_nats_per_step", "kl_at_junctions_share", "kl_per_choice_nats")

Rows = Mapping[str, Group]  # {label: the runs of one setting}


class Condition(NamedTuple):
    """A comparison of a row's score.

    Attributes:
        row: Its label.
        score: A key of SCORE.
        relation: "<" or ">".
        bound: A number, or the label of a row whose same score is compared.
    """

    row: str
    score: str
    relation: str
    bound: float | str


@dataclass(frozen=True)
class Claim:
    """A sentence, and the conditions that must all hold for it to be true.

    Attributes:
        text: The sentence.
        study: The study that it is about.
        conditions: On that study's rows.
        also_shown: Further (row, score) to show with the verdict.
    """

    text: str
    study: str
    conditions: Sequence[Condition]
    also_shown: Sequence[tuple[str, str]] = ()

    def rows(self) -> set[str]:
        """Return the labels of all rows that the claim needs."""
        return {row for row, _ in self._shown()}

    def verdict(self, rows: Rows) -> str:
        """Return the sentence, whether it holds, and the scores as one line of Markdown.

        The verdict is "Cannot be told" where an interval includes both sides, or there are too few seeds: another seed could
        reverse it. Between two rows the difference is shown with its interval by Welch's test, and Hedges' g.
        """
        met = [_is_met(condition, rows) for condition in self.conditions]
        verdict = "Does not hold" if False in met else "Cannot be told" if None in met else "Holds"
        scores = "; ".join(f"{row}: {score.replace('_', ' ')} {cell(rows[row], score)}" for row, score in self._shown())
        differences = "".join(_difference(condition, rows) for condition in self.conditions)
        return f"{self.text} **{verdict}.** {scores}{differences}."

    def _shown(self) -> Iterator[tuple[str, str]]:
        """Yield each (row, score) of the conditions and of `also_shown`, once."""
        shown: dict[tuple[str, str], None] = {}
        for row, score, _, bound in self.conditions:
            shown |= {(row, score): None} | ({(bound, score): None} if isinstance(bound, str) else {})
        yield from shown | dict.fromkeys(self.also_shown)


def _is_met(condition: Condition, rows: Rows) -> bool | None:
    """Return whether the score is on the right side of the bound; None if its 95 % interval, or that of the difference of two
    rows, includes both sides, or if there are fewer than FEWEST seeds.
    """
    row, score, relation, bound = condition
    values = rows[row].values(score)
    others = rows[bound].values(score) if isinstance(bound, str) else None
    if min(len(values), FEWEST if others is None else len(others)) < FEWEST:
        return None
    if others is None:
        low, high = (end - float(bound) for end in mean_interval(values))
    else:
        _, low, high, _ = difference(values, others)
    if low <= 0 <= high:
        return None
    return high < 0 if relation == "<" else low > 0


def _difference(condition: Condition, rows: Rows) -> str:
    """Return how much two rows differ, as text; nothing for a bound that is a number, or with fewer than two seeds."""
    row, score, _, bound = condition
    if not isinstance(bound, str) or min(len(rows[name].values(score)) for name in (row, bound)) < 2:
        return ""
    found = difference(rows[row].values(score), rows[bound].values(score))
    return f"; difference {found.mean:.4f} [{found.low:.4f}, {found.high:.4f}], Hedges' g {found.effect:.1f}"


def claims(found: Sequence[Claim], studies: Mapping[str, Rows]) -> list[str]:
    """Return the verdicts on those claims whose rows have all been run, as a list in Markdown.

    Args:
        found: The claims.
        studies: The rows of each study, by its name.
    """
    complete = (claim for claim in found if claim.rows() <= studies.get(claim.study, {}).keys())
    return [f"- {claim.verdict(studies[claim.study])}" for claim in complete]


def table(rows: Rows, scores: Sequence[str], rival_key: str) -> list[str]:
    """Return a study as a table in Markdown, with the best of each column in bold.

    Args:
        rows: The study's.
        scores: The columns.
        rival_key: The parameter in which rows must agree to be compared.
    """
    groups = list(rows.values())
    headings = [*groups[0].parameters, "runs", *scores, "seconds"]
    lines = [line(headings), line(["---"] * len(headings))]
    for group in groups:
        rivals = [other for other in groups if other.parameters.get(rival_key) == group.parameters.get(rival_key)]
        cells = [_marked_cell(group, rivals, score) for score in scores]
        seconds = np.median([training_seconds(run) for run in group.runs])
        lines.append(line([*map(str, group.parameters.values()), str(len(group.runs)), *cells, f"{seconds:.0f}"]))
    return lines


def _marked_cell(group: Group, rivals: Sequence[Group], score: str) -> str:
    """Return a score as text, in bold if it is the best of several rivals."""
    text = cell(group, score)
    if score in UNRANKED or len(rivals) < 2 or math.isnan(group.mean[score]):
        return text
    best = (max if SCORE[score].higher_is_better else min)(
        other.mean[score] for other in rivals if not math.isnan(other.mean[score])
    )
    return f"**{text}**" if group.mean[score] == best else text


def ordered(groups: Sequence[Group], score: str, first: str) -> dict[str, Group]:
    """Return rows by their labels, ordered by the parameter `first`, then by a score, best first."""
    sign = -1.0 if SCORE[score].higher_is_better else 1.0
    by = sorted(groups, key=lambda g: (g.parameters.get(first, ""), math.isnan(g.mean[score]), sign * g.mean[score]))
    return labelled(by)


def labelled(groups: Sequence[Group]) -> dict[str, Group]:
    """Return rows by their labels."""
    return {", ".join(map(str, group.parameters.values())): group for group in groups}
