"""Held-out scores against torch.distributions and the definition of a mean."""

import math

import pytest
import torch
from torch.distributions import Normal, kl_divergence

from vrnn.evaluation import held_out_scores, particle_scores
from vrnn.evaluation.held_out import _by_length
from vrnn.model import VRNN
from vrnn.networks import SeriesCondition
from vrnn.objective import NoLatent


def traces(lengths: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Random walks (T, B, 2), NaN past their ends, and the mask."""
    steps = int(lengths.max())
    x = 0.1 * torch.randn(steps, len(lengths), 2, generator=torch.Generator().manual_seed(0)).cumsum(0)
    mask = torch.arange(steps).unsqueeze(1) < lengths
    return torch.where(mask.unsqueeze(-1), x, torch.nan), mask


def totals(vrnn, x, mask) -> tuple[torch.Tensor, torch.Tensor]:
    """KL and log-likelihood of each trace."""
    run = vrnn.infer(x, mask=mask, generator=torch.Generator().manual_seed(1))
    kl = kl_divergence(Normal(*run.q), Normal(*run.p)).sum(-1)
    log_likelihood = Normal(*run.decoder).log_prob(torch.nan_to_num(x)).sum(-1)
    return tuple(torch.where(mask, part, 0.0).sum(0).detach().double() for part in (kl, log_likelihood))


def test_per_step_and_per_sequence():
    torch.manual_seed(0)
    vrnn, (x, mask) = VRNN(), traces(torch.tensor([9, 9, 5, 2]))
    scores = held_out_scores(vrnn, x, mask, torch.Generator().manual_seed(1))
    kl, log_likelihood = totals(vrnn, x, mask)
    elbo = log_likelihood - kl
    assert scores["elbo_nats_per_sequence"] == pytest.approx(float(elbo.sum()) / 4, rel=1e-5)
    assert scores["elbo_nats_per_step"] == pytest.approx(float(elbo.sum()) / 25, rel=1e-5)
    assert scores["kl_nats_per_step"] == pytest.approx(float(kl.sum()) / 25, rel=1e-5)
    spread = math.sqrt(sum((value - float(kl.mean())) ** 2 for value in kl.tolist()) / 3)
    assert scores["kl_nats_per_sequence_se"] == pytest.approx(spread / math.sqrt(4), rel=1e-4)


def test_scores_of_each_class_are_those_of_its_traces():
    torch.manual_seed(0)
    vrnn, (x, mask) = VRNN(), traces(torch.tensor([9, 9, 5, 2]))
    classes = {"cat": [0, 2], "dog": [3]}
    scores = held_out_scores(vrnn, x, mask, torch.Generator().manual_seed(1), classes=classes)["classes"]
    kl, log_likelihood = totals(vrnn, x, mask)
    assert scores["cat"]["held_out_traces"] == 2
    assert scores["cat"]["kl_nats_per_step"] == pytest.approx(float(kl[0] + kl[2]) / 14, rel=1e-5)
    assert scores["cat"]["elbo_nats_per_sequence"] == pytest.approx(
        float((log_likelihood - kl)[[0, 2]].mean()), rel=1e-5
    )
    assert scores["dog"]["log_likelihood_nats_per_step"] == pytest.approx(float(log_likelihood[3]) / 2, rel=1e-5)
    assert scores["dog"]["elbo_nats_per_step_se"] is None


def test_standard_error_per_step_is_that_of_a_ratio():
    """The jackknife of sum / steps is equal to first order: within a quarter for 40 traces."""
    torch.manual_seed(0)
    vrnn = VRNN()
    steps = torch.randint(3, 31, (40,), generator=torch.Generator().manual_seed(2))
    x, mask = traces(steps)
    scores = held_out_scores(vrnn, x, mask, torch.Generator().manual_seed(1))
    kl, _ = totals(vrnn, x, mask)
    left_out = (kl.sum() - kl) / (steps.sum() - steps)
    jackknife = math.sqrt(39 / 40 * float((left_out - left_out.mean()).square().sum()))
    assert scores["kl_nats_per_step_se"] == pytest.approx(jackknife, rel=0.25)


def test_reconstruction_error_is_that_of_the_decoder_means():
    torch.manual_seed(0)
    vrnn, (x, mask) = VRNN(), traces(torch.tensor([9, 5]))
    scores = held_out_scores(vrnn, x, mask, torch.Generator().manual_seed(1))
    means = vrnn.infer(x, mask=mask, generator=torch.Generator().manual_seed(1)).decoder[0].detach()
    squares = (x[mask] - means[mask]).square()
    assert scores["reconstruction_rmse"] == pytest.approx(math.sqrt(float(squares.mean())), rel=1e-5)


@pytest.mark.parametrize("particles", [1, 16, 128, 5000])
def test_long_traces_are_filtered_by_few(particles):
    """Each trace once, the longest first; together no more steps and copies than memory is for, except of one trace alone."""
    lengths = torch.tensor([3, 4273, 160, 160, 1793, 20_000, 1] + [7] * 3000)
    mask = torch.arange(int(lengths.max()))[:, None] < lengths
    parts = list(_by_length(mask, particles))
    order = torch.cat([some for some, _ in parts])
    assert torch.equal(order.sort().values, torch.arange(len(lengths)))
    assert (lengths[order].diff() <= 0).all()
    for some, steps in parts:
        assert steps == lengths[some].max()
        assert len(some) == 1 or len(some) * particles * steps <= 2**20
        assert len(some) == 1 or len(some) * particles <= 2**11
    assert len(parts) < len(lengths) or particles > 2**10


def test_particles_see_the_series_of_their_own_traces_and_steps():
    """Without z all bounds are the log-likelihood, whichever traces are run together, here as many as there are steps."""
    torch.manual_seed(0)
    vrnn = VRNN(latent=NoLatent(), condition=SeriesCondition(["heat"], [4])).double()
    x, mask = traces(torch.tensor([9, 9, 5, 2, 9, 7, 1, 3, 8]))
    x, series = x.double(), torch.randn(9, 9, 1, dtype=torch.float64)
    noise = torch.Generator()
    exact = held_out_scores(vrnn, x, mask, noise, series)["elbo_nats_per_sequence"]
    found = particle_scores(vrnn, x, mask, 3, noise, series)
    assert found["iwae_nats_per_sequence"] == pytest.approx(exact)
    assert found["fivo_nats_per_sequence"] == pytest.approx(exact)
