"""What cannot be evaluated is refused before the first training step, and leaves no directory behind."""

import random

import numpy as np
import pytest
import torch
from pytorch_lightning import seed_everything

from tests.conftest import SMALL
from vrnn.errors import ConfigError
from vrnn.runs.build import build_run
from vrnn.runs.config import run_settings
from vrnn.runs.evaluate import prepare_evaluation
from vrnn.runs.run import run
from vrnn.runs.trial import try_evaluation

ROWS = "dataset.automaton.transitions"


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (["dataset.pen.speed=1e-6"], "raise dataset.pen.speed"),
        (
            [f"{ROWS}.{row}={{wide: 0.9995, thin: 0.0005}}" for row in ("wide", "thin")],
            "let dataset.automaton visit it",
        ),
    ],
)
def test_what_cannot_be_judged_is_not_trained(composed, tmp_path, settings, said):
    with pytest.raises(ConfigError, match=said):
        run(composed(*SMALL, *settings), tmp_path / "run")
    assert not list(tmp_path.glob("run/*.yaml"))
    assert not list(tmp_path.glob("run/checkpoints"))


OWN = "allow=[vrnn,tests]"


@pytest.mark.parametrize(
    ("group", "name", "said"),
    [
        (
            "likelihood",
            "PerCoordinate",
            r"PerCoordinate.log_prob must return the shape \(2, 3\), but returns \(2, 3, 2\)",
        ),
        ("likelihood", "CannotDraw", r"AttributeError: .*'deviation' \(.*tests/trust/lab.py, line \d+\)"),
        ("likelihood", "WithoutMoments", "WithoutMoments must have a method moments, but has none"),
        ("latent", "OneKL", r"OneKL.kl must return the shape \(2, 3, 2\), but returns \(2, 3\)"),
        ("dataset", "Spatial", "x_dim of a pattern whose laps are judged must be 2, but is 3"),
        (
            "dataset",
            "Tall",
            "x_dim of a pattern of the form plane must be 2, but is 3: give its class the form 'series'",
        ),
        (
            "dataset",
            "Unplottable",
            "form of the pattern must be one of plane, strokes, image, series, piano_roll, but is 'volume'",
        ),
    ],
)
def test_what_cannot_be_evaluated_is_not_trained(composed, tmp_path, group, name, said):
    own = f"{group}={{_target_: tests.trust.lab.{name}}}"
    plain = [f"~dataset.{key}" for key in ("automaton", "pen")] if name in ("Tall", "Unplottable") else []
    with pytest.raises(ConfigError, match=said) as caught:
        run(composed(*SMALL, OWN, own, *plain), tmp_path / "run", [OWN])
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.glob("run/*.yaml"))
    assert not list(tmp_path.glob("run/checkpoints"))


def test_a_trial_touches_no_generator(composed):
    settings, _ = run_settings(composed(*SMALL, "likelihood=gaussian_mixture", "evaluation.particles=4"))
    pattern, _, data = build_run(settings)
    judge = prepare_evaluation(pattern, data, 0)
    seed_everything(7, verbose=False)
    undisturbed = torch.rand(3).tolist(), np.random.rand(3).tolist(), random.random()  # noqa: NPY002
    seed_everything(7, verbose=False)
    try_evaluation(settings, pattern, data, judge)
    assert (torch.rand(3).tolist(), np.random.rand(3).tolist(), random.random()) == undisturbed  # noqa: NPY002
