"""The commands at the head of every synthetic dataset's YAML do what they say."""

import shlex
from pathlib import Path

import numpy as np
import pytest
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate

CONF = Path(__file__).parents[2] / "conf"
FILES = [path for path in sorted((CONF / "dataset").glob("*.yaml")) if "AutomatonPattern" in path.read_text()]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_commands_in_the_head_work(path):
    commands = [line[2:].strip() for line in path.read_text().splitlines() if line.startswith("#   vrnn")]
    plain, changed = (shlex.split(command)[2:] for command in commands)
    assert plain == [f"dataset={path.stem}"]
    drawn = []
    for overrides in (plain, changed):
        with initialize_config_dir(str(CONF), version_base="1.3"):
            config = compose(overrides=[f"+{overrides[0]}", *overrides[1:]])
        pattern = instantiate(config.dataset, _convert_="all")
        drawn.append(pattern.draw("train", 1, 500, np.random.default_rng(0))[0].points)
    assert not np.array_equal(*drawn)
