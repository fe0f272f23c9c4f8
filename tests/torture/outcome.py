"""What came of one fault."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, TypeVar

Case = TypeVar("Case")


class Outcome(NamedTuple):
    """What came of one fault.

    Attributes:
        fault: Its kind: a row of the table.
        case: Which one of its kind.
        lost: What was lost; "" if nothing was.
        cases: How many cases of the kind were tried in it.
    """

    fault: str
    case: str
    lost: str
    cases: int = 1


def sample(cases: Iterable[Case], scale: float) -> list[Case]:
    """Return a share of the cases, evenly spread, at least one."""
    listed = list(cases)
    wanted = max(1, round(min(1.0, scale) * len(listed)))
    return [listed[i * len(listed) // wanted] for i in range(wanted)]
