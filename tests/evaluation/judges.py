"""A judge of each automaton, calibrated once, and true traces for the tests of evaluation."""

from functools import cache

import numpy as np

from tests.datasets import load
from vrnn.evaluation import LapJudge
from vrnn.patterns import AutomatonPattern


@cache
def judge_of(name: str) -> LapJudge:
    return LapJudge.calibrate(load(name))


def draw(pattern: AutomatonPattern, n: int, steps: int, seed: int) -> list[np.ndarray]:
    return [trace.points for trace in pattern.draw("test", n, steps, np.random.default_rng(seed))]
