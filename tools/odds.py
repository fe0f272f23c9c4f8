"""With which odds runs choose: by their automaton, in their training traces, and where they continue true traces.

    python -m tools.odds outputs/results_harder/*second_order*

A row per run and choice. "given a true trace": the share of a state among continuations of true traces that end just before a
choice, with its standard error. "spread": the standard deviation of a trace's own odds over the traces, without what chance
adds. It is about 0 if all traces lead to the same odds, and large if the model sometimes forgets what the odds depend on.
"""

import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from vrnn import load_run
from vrnn.checks import Points
from vrnn.evaluation.junctions import choices
from vrnn.evaluation.laps import NEAR, LapJudge
from vrnn.patterns import AutomatonPattern, Trace
from vrnn.patterns.automaton import Automaton
from vrnn.runs.compare_table import line

COLUMNS = ("run", "after", "comes", "automaton", "training traces", "given a true trace", "spread")
TRACES, FIRST, LAST = 400, 200, 400  # true traces, and the steps between which their choices are looked at
REPEATS = 16  # continuations of each trace
BEFORE = 2  # steps before the choice at which a trace ends

Counts = NDArray[np.int64]
Continue = Callable[[Sequence[Trace], int, int], Points]


def counted(traces: Sequence[Trace], automaton: Automaton) -> Counts:
    """Return how often each state follows each other one at the choices of traces, (states, states)."""
    counts = np.zeros_like(automaton.matrix, dtype=np.int64)
    for trace in traces:
        at = choices(trace, automaton)
        np.add.at(counts, (trace.state[at - 1], trace.state[at]), 1)
    return counts


def continued(traces: Sequence[Trace], judge: LapJudge, go_on: Continue) -> dict[int, Counts]:
    """Return what follows where true traces are continued from just before their choices.

    Args:
        traces: Of at least LAST steps.
        judge: Names the laps of the continuations.
        go_on: Continues traces: given n traces, a step, and a number of steps, it returns for each trace REPEATS continuations
            of its points before that step, (steps, n * REPEATS, 2), those of one trace side by side.

    Returns:
        For each state with a choice (prefixes, states): how many continuations of each prefix go on with each state. Invalid
        laps are not counted.
    """
    automaton = judge.automaton
    steps = BEFORE + NEAR + int(np.ceil(judge.longest.max()))
    found: dict[int, list[Counts]] = {}
    at = [choices(trace, automaton) for trace in traces]
    for choice in range(FIRST, LAST):
        own = [trace for trace, steps_of in zip(traces, at, strict=True) if choice in steps_of]
        if not own:
            continue
        begin = choice - BEFORE
        drawn = go_on(own, begin, steps).reshape(steps, len(own), REPEATS, 2)
        for i, trace in enumerate(own):
            laps = (
                _lap_at(judge, np.concatenate([trace.points[:begin], drawn[:, i, k]]), choice) for k in range(REPEATS)
            )
            counts = np.bincount([state for state in laps if state >= 0], minlength=len(automaton.names))
            found.setdefault(int(trace.state[choice - 1]), []).append(counts)
    return {state: np.stack(counts) for state, counts in found.items()}


def _lap_at(judge: LapJudge, points: Points, step: int) -> int:
    """Return the state of the lap that begins near a step; -1 if it is invalid or none begins there."""
    near = [lap for lap in judge.judge(points) if abs(lap.start - step) <= NEAR]
    return min(near, key=lambda lap: abs(lap.start - step)).state if near else -1


def odds_and_spread(counts: Counts, state: int) -> tuple[float, float, float]:
    """Return the mean odds of a state over prefixes, their standard error, and their spread.

    Args:
        counts: (prefixes, states), as from `continued`.
        state: Which one.
    """
    totals = counts.sum(axis=1)
    kept = totals > 1
    shares = counts[kept, state] / totals[kept]
    by_chance = (shares * (1.0 - shares) / (totals[kept] - 1)).mean()  # unbiased for the variance of a share
    spread = np.sqrt(max(shares.var(ddof=1) - by_chance, 0.0))
    return float(shares.mean()), float(shares.std(ddof=1) / np.sqrt(len(shares))), float(spread)


def rows(directory: Path) -> Iterator[list[str]]:
    """Yield the rows of a run."""
    run = load_run(directory)
    pattern = run.data.pattern
    assert isinstance(pattern, AutomatonPattern)
    automaton, names, noise = pattern.automaton, pattern.names, torch.Generator().manual_seed(0)

    def go_on(traces: Sequence[Trace], begin: int, steps: int) -> Points:
        prefix = torch.as_tensor(np.stack([trace.points[:begin] for trace in traces], axis=1), dtype=torch.float32)
        prefix = prefix.repeat_interleave(REPEATS, dim=1)
        drawn: Points = run.module.vrnn.generate(prefix.shape[1], steps, prefix=prefix, generator=noise).numpy()
        return drawn

    judge = LapJudge.calibrate(pattern)
    true = pattern.draw("test", TRACES, LAST + BEFORE, np.random.default_rng([0, *b"odds"]))
    given = continued(true, judge, go_on)
    training = counted(run.data.traces("train"), automaton)
    for after, counts in sorted(given.items()):
        for comes in np.flatnonzero(automaton.matrix[after])[:-1]:
            odds, error, spread = odds_and_spread(counts, int(comes))
            seen = training[after, comes] / training[after].sum()
            known = [f"{number:.4f}" for number in (automaton.matrix[after, comes], seen)]
            yield [directory.name, names[after], names[comes], *known, f"{odds:.4f} ± {error:.4f}", f"{spread:.4f}"]


if __name__ == "__main__":
    print(line(COLUMNS), line(["---"] * len(COLUMNS)), sep="\n")
    for name in sys.argv[1:]:
        for row in rows(Path(name)):
            print(line(row), flush=True)
