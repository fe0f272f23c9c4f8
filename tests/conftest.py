"""Shared by all tests: the repository's root, and configurations composed as the scripts compose them."""

from pathlib import Path

import pytest
import torch
from hydra import compose, initialize_config_dir

from vrnn.runs.schema import register

ROOT = Path(__file__).parents[1]

# A run of a few seconds: every part of the path at its smallest.
SMALL = [
    "model=tiny",
    "data={traces: 16, steps: 256, window: 32, batch_size: 8, val_traces: 4, test_traces: 8, eval_steps: 256}",
    "optim.warmup_steps=20",
    "evaluation={traces: 4, steps: 256}",
]


@pytest.fixture(autouse=True, scope="session")
def _one_thread():
    torch.set_num_threads(1)


@pytest.fixture
def composed():
    """Compose a run's configuration from overrides, as scripts/train.py does."""
    register()

    def make(*overrides: str):
        with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
            return compose("train", overrides=list(overrides))

    return make
