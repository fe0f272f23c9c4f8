"""The coverage of the next point by the model's own odds."""

import math
from typing import Any

import pytest
import torch

from vrnn import VRNN
from vrnn.evaluation.coverage import coverage
from vrnn.networks import GRU
from vrnn.objective import BernoulliLikelihood, CategoricalLatent, NoLatent

SIZES = {"h_dim": 8, "phi_x": [8], "phi_z": [4], "prior": [8], "encoder": [8], "decoder": [8]}


def make(**latent: Any) -> VRNN:
    torch.manual_seed(0)
    return VRNN(recurrence=GRU, **latent, **SIZES).double()


def test_own_points_are_covered_as_said() -> None:
    # Without z the state is a function of the points alone. Of 8000 coordinates three standard errors are 0.017 and 0.010.
    vrnn = make(latent=NoLatent())
    x = vrnn.generate(40, 100, generator=torch.Generator().manual_seed(1))
    found = coverage(vrnn, vrnn.infer(x), seed=2)
    assert found["coverage_50"] == pytest.approx(0.5, abs=0.017)
    assert found["coverage_90"] == pytest.approx(0.9, abs=0.010)


@pytest.mark.parametrize("p", [0.5, 0.1, 0.04])
def test_binary_points_are_covered_as_said(p: float) -> None:
    """By a model that knows how often keys are down: of 8000 keys three standard errors are 0.017 and 0.010."""
    vrnn = VRNN(x_dim=4, recurrence=GRU, latent=NoLatent(), likelihood=BernoulliLikelihood(), **SIZES).double()
    with torch.no_grad():
        vrnn.decoder[-1].weight.zero_()
        vrnn.decoder[-1].bias.fill_(math.log(p / (1 - p)))
    x = (torch.rand(40, 50, 4, generator=torch.Generator().manual_seed(1)) < p).double()
    found = coverage(vrnn, vrnn.infer(x), seed=2)
    assert found["coverage_50"] == pytest.approx(0.5, abs=0.017)
    assert found["coverage_90"] == pytest.approx(0.9, abs=0.010)


def test_wider_points_are_covered_less() -> None:
    vrnn = make(latent=NoLatent())
    x = vrnn.generate(40, 100, generator=torch.Generator().manual_seed(1), temperature=4.0)
    assert coverage(vrnn, vrnn.infer(x), seed=2)["coverage_50"] < 0.35


def test_next_points_follow_the_prior_and_the_decoder() -> None:
    """Means over many draws equal the mean of the decoder's means under the prior's class probabilities."""
    vrnn = make(latent=CategoricalLatent(1, 3, estimator="exact"))
    x = vrnn.generate(2, 5, generator=torch.Generator().manual_seed(1))
    run = vrnn.infer(x, generator=torch.Generator().manual_seed(2))
    generator = torch.Generator().manual_seed(3)
    draws = torch.stack([vrnn.next_points(run, generator) for _ in range(4000)])
    expected = torch.zeros_like(x)
    for k in range(3):
        phi_z = vrnn.phi_z(torch.eye(3, dtype=x.dtype)[k]).expand(5, 2, -1)
        raw = vrnn.decoder(torch.cat([phi_z, run.h], -1))
        means = vrnn.likelihood.moments(vrnn.likelihood.from_raw(raw, run.mean_offset, vrnn.coordinates.scale)).mean
        expected += run.p[0].exp()[..., 0, k, None] * means
    error = draws.std(0) / 4000**0.5
    assert ((draws.mean(0) - expected).abs() < 4.5 * error).all()  # fails by chance in 1 of 7000 seeds
