"""trainer.precision: what is accepted is what a run computes in, from its first step to its scores; the rest is refused."""

import math

import pytest
import torch

import vrnn
from tests.conftest import SMALL
from vrnn.errors import ConfigError
from vrnn.runs.build import build_run
from vrnn.runs.config import run_settings
from vrnn.runs.run import run
from vrnn.runs.trained import evaluate_run, generate_from_run

# Every value that Lightning's Trainer takes.
DOUBLE, SINGLE = (64, "64", "64-true"), (32, "32", "32-true")
REFUSED = (
    *(16, "16", "16-true", "16-mixed", "bf16", "bf16-true", "bf16-mixed"),
    *("transformer-engine", "transformer-engine-float16"),
)
PACE = "training={steps: 3, log_every: 1, val_every: 2, checkpoint_every: 1, figure_every: 2}"


@pytest.mark.parametrize(
    ("value", "dtype"), [*((v, torch.float64) for v in DOUBLE), *((v, torch.float32) for v in SINGLE)]
)
def test_what_is_accepted_is_computed_in(composed, value, dtype):
    settings, _ = run_settings(composed(*SMALL, f"trainer.precision={value}"))
    _, module, _ = build_run(settings)
    numbers = [*module.parameters(), *(buffer for buffer in module.buffers() if buffer.is_floating_point())]
    assert {number.dtype for number in numbers} == {dtype}


@pytest.mark.parametrize("value", REFUSED)
def test_what_has_no_effect_is_refused(composed, value):
    with pytest.raises(ConfigError, match=f"precision must be 32-true or 64-true, but is {value}"):
        run_settings(composed(*SMALL, f"trainer.precision={value}"))


def test_both_engines_train_and_score_in_double_precision(composed, tmp_path):
    """In single precision the two differ by 1e-8."""
    elbos = []
    for engine in ("reference", "native"):
        directory = tmp_path / engine
        scores = run(composed(*SMALL, PACE, "trainer.precision=64-true", f"engine={engine}"), directory)
        weights = torch.load(directory / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"].values()
        assert {weight.dtype for weight in weights if weight.is_floating_point()} == {torch.float64}
        elbos.append(scores["elbo_nats_per_step"])
    assert math.isclose(*elbos, rel_tol=1e-13)
    assert evaluate_run(directory) == scores
    assert vrnn.load_run(directory).generate(1, 3).shape == (3, 1, 2)
    options = {"prefix": None, "format": "npz", "out": None, "sample": True, "checkpoint": "last", "seed": 0}
    assert generate_from_run(directory, n=1, steps=3, **options).exists()
