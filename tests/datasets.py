"""The automata of conf/dataset, for tests."""

from pathlib import Path

from hydra.utils import instantiate
from omegaconf import OmegaConf

from vrnn.patterns import AutomatonPattern

CONF = Path(__file__).parents[1] / "conf" / "dataset"
AUTOMATA = [
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
    "five_states",
    "second_order",
]


def load(name: str, *changes: str) -> AutomatonPattern:
    """Return a pattern of conf/dataset, with changes such as "pen.speed=0.3"."""
    config = OmegaConf.load(CONF / f"{name}.yaml")
    for change in changes:
        key, value = change.split("=", 1)
        OmegaConf.update(config, key, OmegaConf.create(f"v: {value}").v, merge=False)
    return instantiate(config, _convert_="all")
