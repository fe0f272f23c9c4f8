"""What the tests of evaluation share: datasets, and a judge of each, calibrated once."""

from functools import cache
from pathlib import Path

import numpy as np
from hydra.utils import instantiate
from omegaconf import OmegaConf

from vrnn.evaluation import LapJudge
from vrnn.patterns import AutomatonPattern

CONF = Path(__file__).parents[2] / "conf" / "dataset"
NAMES = [
    "circle",
    "triangle",
    "eight",
    "infinity",
    "one_side",
    "eye",
    "circle_triangle_eight",
    "switch_circles",
    "switch_circles_5",
    "switch_circle_triangle",
    "switch_circle_triangle_5",
]


def load(name: str, *changes: str) -> AutomatonPattern:
    """A dataset of conf/, with changes such as "pen.speed=0.3"."""
    config = OmegaConf.load(CONF / f"{name}.yaml")
    for change in changes:
        key, value = change.split("=", 1)
        OmegaConf.update(config, key, OmegaConf.create(f"v: {value}").v, merge=False)
    return instantiate(config, _convert_="all")


@cache
def judge_of(name: str) -> LapJudge:
    return LapJudge.calibrate(load(name))


def draw(pattern: AutomatonPattern, n: int, steps: int, seed: int) -> list[np.ndarray]:
    return [trace.points for trace in pattern.draw("test", n, steps, np.random.default_rng(seed))]
