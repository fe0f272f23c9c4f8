"""Faults of all kinds against the real program: `make torture`, or python -m tests.torture --scale 0.1 --only fuzz."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.torture import damage, fuzz, hostile, kills, numerics, settings, storage, wrong_inputs
from tests.torture.outcome import Outcome

KINDS: dict[str, Callable[[float, Path], Iterator[Outcome]]] = {
    "wrong_inputs": wrong_inputs.torture,
    "kills": kills.torture,
    "storage": storage.torture,
    "damage": damage.torture,
    "hostile": hostile.torture,
    "numerics": numerics.torture,
    "fuzz": fuzz.torture,
    "settings": settings.torture,
}


def main() -> None:
    """Try the faults, print what was lost and the table; exit with 1 if anything was."""
    parser = argparse.ArgumentParser(prog="python -m tests.torture", description=__doc__)
    parser.add_argument("--scale", type=float, default=1.0, help="share of the cases to try, of each kind at least one")
    parser.add_argument("--only", nargs="*", choices=KINDS, default=list(KINDS), help="kinds of faults")
    options = parser.parse_args()
    tried, lost = Counter[str](), Counter[str]()
    for kind in options.only:
        begin = time.perf_counter()
        with tempfile.TemporaryDirectory(prefix=f"torture-{kind}-") as work:
            for outcome in KINDS[kind](options.scale, Path(work) / "work"):
                tried[outcome.fault] += outcome.cases
                lost[outcome.fault] += bool(outcome.lost)
                if outcome.lost:
                    print(f"LOST: {outcome.fault}: {outcome.case}\n  {outcome.lost}", flush=True)
        print(f"{kind}: {time.perf_counter() - begin:.0f} s", file=sys.stderr, flush=True)
    print("| fault | tried | survived |\n|---|---|---|")
    for fault, cases in tried.items():
        print(f"| {fault} | {cases:,} | {cases - lost[fault]:,} |")
    print(f"survived {tried.total() - lost.total()} of {tried.total()}")
    sys.exit(bool(lost.total()))


if __name__ == "__main__":
    main()
