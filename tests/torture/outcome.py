"""What came of one fault."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
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


def try_each(fault: str, attempt: Callable[[Case], str], cases: Iterable[Case]) -> Iterator[Outcome]:
    """Yield the outcome of each case, two at a time.

    Args:
        fault: Their kind.
        attempt: Tries a case and returns what was lost; "" if nothing was. Runs in another process.
        cases: The cases.
    """
    listed = list(cases)
    with ProcessPoolExecutor(2) as pool:
        for case, lost in zip(listed, pool.map(attempt, listed), strict=True):
            yield Outcome(fault, str(case), lost)


def sample(cases: Iterable[Case], scale: float) -> list[Case]:
    """Return a share of the cases, evenly spread, at least one."""
    listed = list(cases)
    wanted = max(1, round(min(1.0, scale) * len(listed)))
    return [listed[i * len(listed) // wanted] for i in range(wanted)]
