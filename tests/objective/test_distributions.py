"""Closed forms against torch.distributions and quadrature."""

import math

import pytest
import torch
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal, kl_divergence

from vrnn.objective import (
    Gaussian,
    GaussianLikelihood,
    GaussianMixtureLikelihood,
    MSELikelihood,
    gaussian_kl,
    gaussian_log_prob,
)


@pytest.fixture
def generator():
    return torch.Generator().manual_seed(0)


def randn(*shape, generator):
    return torch.randn(*shape, dtype=torch.float64, generator=generator)


def test_kl_is_the_exact_one(generator):
    q, p = (Gaussian(randn(5, 3, 4, generator=generator), randn(5, 3, 4, generator=generator).exp()) for _ in range(2))
    torch.testing.assert_close(gaussian_kl(q, p), kl_divergence(Normal(*q), Normal(*p)), rtol=1e-12, atol=1e-12)
    assert torch.equal(gaussian_kl(q, q), torch.zeros(5, 3, 4, dtype=torch.float64))


def test_kl_against_quadrature():
    """The integral of q log(q / p) by the trapezoid rule over 12 standard deviations: no library's formula involved."""
    q, p = Gaussian(torch.tensor(0.3), torch.tensor(0.7)), Gaussian(torch.tensor(-0.5), torch.tensor(1.6))
    x = torch.linspace(-8.4, 8.4, 20001, dtype=torch.float64)
    log_q, log_p = (-0.5 * ((x - d.mean) / d.std) ** 2 - math.log(d.std) - 0.5 * math.log(2 * math.pi) for d in (q, p))
    integral = torch.trapezoid(log_q.exp() * (log_q - log_p), x)
    assert float(gaussian_kl(q, p)) == pytest.approx(float(integral), abs=1e-6)


def test_log_prob(generator):
    x, mean = randn(6, 2, generator=generator), randn(6, 2, generator=generator)
    std = randn(6, 2, generator=generator).exp()
    torch.testing.assert_close(gaussian_log_prob(x, mean, std), Independent(Normal(mean, std), 1).log_prob(x))


def test_gradients_written_by_hand(generator):
    """Against finite differences, broadcasting included."""
    leaves = [randn(3, 2, generator=generator), randn(2, generator=generator), randn(3, 2, generator=generator)]
    x, mean, raw = (leaf.requires_grad_() for leaf in leaves)
    assert torch.autograd.gradcheck(lambda x, mean, raw: gaussian_log_prob(x, mean, raw.exp()), (x, mean, raw))

    def kl(a, b, c, d):
        return gaussian_kl(Gaussian(a, b.exp()), Gaussian(c, d.exp()))

    parts = [randn(3, 2, generator=generator).requires_grad_() for _ in range(3)]
    assert torch.autograd.gradcheck(kl, (*parts, randn(2, generator=generator).requires_grad_()))


def test_mixture_log_prob_and_moments(generator):
    likelihood = GaussianMixtureLikelihood(components=3, floor=1e-2)
    raw = randn(7, likelihood.n_outputs(2), generator=generator)
    x, origin = randn(7, 2, generator=generator), randn(7, 2, generator=generator)
    dist = likelihood.from_raw(raw, origin, scale=0.5)
    theirs = MixtureSameFamily(Categorical(logits=dist.log_weights), Independent(Normal(dist.mean, dist.std), 1))
    torch.testing.assert_close(likelihood.log_prob(dist, x), theirs.log_prob(x))
    moments = likelihood.moments(dist)
    torch.testing.assert_close(moments.mean, theirs.mean)
    torch.testing.assert_close(moments.std, theirs.variance.sqrt())


def test_one_component_is_the_gaussian(generator):
    mixture, single = GaussianMixtureLikelihood(components=1), GaussianLikelihood()
    raw, origin = randn(4, 4, generator=generator), randn(4, 2, generator=generator)
    x = randn(4, 2, generator=generator)
    ours = mixture.log_prob(mixture.from_raw(torch.cat([raw[:, :1], raw], -1), origin, 0.1), x)
    torch.testing.assert_close(ours, single.log_prob(single.from_raw(raw, origin, 0.1), x))


@pytest.mark.parametrize("likelihood", [GaussianLikelihood(), GaussianMixtureLikelihood(components=3)])
def test_samples_have_the_density_s_moments(likelihood, generator):
    """Mean and deviation of 200 000 samples within 6 standard errors: fails by chance less than once in 10^8."""
    raw = randn(1, likelihood.n_outputs(2), generator=generator)
    n = 200_000
    dist = tuple(part.expand(n, *part.shape[1:]) for part in likelihood.from_raw(raw, torch.ones(1, 2).double(), 1.0))
    noise, uniform = randn(n, 2, generator=generator), torch.rand(n, dtype=torch.float64, generator=generator)
    x = likelihood.sample(dist, noise, uniform)
    mean, std = (part[0] for part in likelihood.moments(dist))
    assert x.shape == (n, 2)
    assert torch.all((x.mean(0) - mean).abs() < 6 * std / math.sqrt(n))
    torch.testing.assert_close(x.std(0), std, rtol=0.02, atol=0)


def test_heads_reach_both_signs_and_small_deviations():
    """A one-sided activation on a head could not do this: means of both signs, deviations from the floor to above 1."""
    likelihood = GaussianLikelihood(floor=1e-3)
    raw = torch.tensor([[-3.0, 3.0, -20.0, 20.0]])
    mean, std = likelihood.from_raw(raw, torch.zeros(1, 2), 1.0)
    assert mean.tolist() == [[-3.0, 3.0]]
    assert std[0, 0] == pytest.approx(1e-3, rel=1e-4)
    assert std[0, 1] > 1


def test_a_ceiling_holds():
    likelihood = GaussianLikelihood(floor=0.01, ceiling=0.03)
    _, std = likelihood.from_raw(torch.tensor([[0.0, 0.0, -50.0, 50.0]]), torch.zeros(1, 2), 1.0)
    assert std[0].tolist() == pytest.approx([0.01, 0.03])


def test_mse_distortion_has_the_blog_s_expectation(generator):
    """E = mean((x - mean)^2) + mean(std^2) over 100 000 draws, within 2 %: the standard error is 0.3 %."""
    torch.manual_seed(0)
    likelihood = MSELikelihood()
    mean, std = torch.tensor([[0.3, -0.2]]), torch.tensor([[0.5, 0.1]])
    x = torch.tensor([[0.1, 0.4]])
    n = 100_000
    drawn = likelihood.distortion((mean.expand(n, 2), std.expand(n, 2)), x.expand(n, 2))
    expected = ((x - mean) ** 2 + std**2).mean()
    assert float(drawn.mean()) == pytest.approx(float(expected), rel=0.02)


def test_mse_is_a_gaussian_elbo_with_the_stated_beta(generator):
    """D + w KL and -log N(x; mean, D) + beta KL have the same direction of descent, beta = w x_dim / (2 D)."""
    x, mean, kl = (randn(50, 2, generator=generator) for _ in range(3))
    mean.requires_grad_()
    kl = kl.abs().requires_grad_()
    distortion = (x - mean).square().mean(-1)
    d, w = distortion.mean().detach(), 0.3
    ours = torch.autograd.grad(distortion.mean() + w * kl.sum(-1).mean(), (mean, kl))
    beta = w * MSELikelihood().nats_per_distortion(d, 2)
    nll = -gaussian_log_prob(x, mean, d.sqrt().expand(2)).mean()
    theirs = torch.autograd.grad(nll + beta * kl.sum(-1).mean(), (mean, kl))
    scale = theirs[0][0, 0] / ours[0][0, 0]
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(scale * a, b)


@pytest.mark.parametrize(
    ("make", "word"),
    [
        (lambda: GaussianLikelihood(floor=0.1, ceiling=0.1), "ceiling"),
        (lambda: GaussianLikelihood(floor=0.0), "floor"),
        (lambda: GaussianMixtureLikelihood(components=0), "components"),
    ],
)
def test_bad_likelihoods_are_refused(make, word):
    with pytest.raises(ValueError, match=rf"likelihood\.{word} must"):
        make()
