"""Temperatures against p(x)^(1/T), normalised, and through generation by both engines."""

import pytest
import torch

from vrnn import VRNN
from vrnn.objective import (
    BernoulliLikelihood,
    BivariateLikelihood,
    CategoricalLatent,
    GaussianCategoricalLatent,
    GaussianLatent,
    GaussianLikelihood,
    GaussianMixtureLikelihood,
    Likelihood,
    PenLikelihood,
)

T = 0.3


def difference(log_p, log_tempered):
    """log p / T - log tempered, whose value is the same for all x: the logarithm of the normaliser."""
    return (log_p / T - log_tempered).detach()


@pytest.mark.parametrize("likelihood", [GaussianLikelihood(), BivariateLikelihood(1)], ids=["gaussian", "bivariate"])
def test_a_gaussian_is_its_own_power(likelihood):
    torch.manual_seed(0)
    dist = likelihood.from_raw(
        torch.randn(likelihood.n_outputs(2)).double().expand(7, -1), torch.zeros(7, 2).double(), 1.0
    )
    x = torch.randn(7, 2).double()
    found = difference(*(likelihood.log_prob(d, x) for d in (dist, likelihood.temper(dist, T))))
    torch.testing.assert_close(found, found[:1].expand(7))


def test_binary_variables_and_classes_are_their_own_powers():
    torch.manual_seed(0)
    logits = torch.randn(3).double()
    (tempered,) = BernoulliLikelihood().temper((logits,), T)
    power = torch.sigmoid(logits) ** (1 / T), torch.sigmoid(-logits) ** (1 / T)
    torch.testing.assert_close(torch.sigmoid(tempered), power[0] / (power[0] + power[1]))
    latent = CategoricalLatent(2, 4)
    dist = latent.from_raw(torch.randn(5, 8).double())
    power = dist.log_probs.exp() ** (1 / T)
    torch.testing.assert_close(latent.temper(dist, T).log_probs.exp(), power / power.sum(-1, keepdim=True))


@pytest.mark.parametrize("likelihood", [GaussianMixtureLikelihood(3), PenLikelihood(3)], ids=["mixture", "pen"])
def test_a_mixture_has_tempered_weights_and_components(likelihood):
    torch.manual_seed(0)
    x_dim = 3 if isinstance(likelihood, PenLikelihood) else 2
    dist = likelihood.from_raw(torch.randn(likelihood.n_outputs(x_dim)), torch.zeros(x_dim), 1.0)
    tempered = likelihood.temper(dist, T)
    weights = dist.log_weights.exp() ** (1 / T)
    torch.testing.assert_close(tempered.log_weights.exp(), weights / weights.sum())
    torch.testing.assert_close(tempered.std, T**0.5 * dist.std)
    assert torch.equal(tempered.mean, dist.mean)


def test_both_parts_of_a_mixed_latent_are_tempered():
    latent = GaussianCategoricalLatent(GaussianLatent(2), CategoricalLatent(1, 3))
    dist = latent.from_raw(torch.randn(4, 7))
    tempered = latent.temper(dist, T)
    torch.testing.assert_close(tempered.std, T**0.5 * dist.std)
    assert (tempered.log_probs.exp().amax(-1) >= dist.log_probs.exp().amax(-1)).all()


def small(engine="auto", **parts):
    torch.manual_seed(0)
    return VRNN(x_dim=2, z_dim=3, h_dim=8, engine=engine, **parts)


def draw(vrnn, **options):
    return vrnn.generate(500, 3, generator=torch.Generator().manual_seed(1), **options)


def test_temperature_1_keeps_the_bits():
    vrnn = small()
    assert torch.equal(draw(vrnn), draw(vrnn, temperature=1.0, z_temperature=1.0))


def test_the_first_point_has_the_tempered_deviation():
    """With the same noise the deviations from the mean are sqrt(T) times as large, whatever z is."""
    vrnn = small("reference")
    mean = draw(vrnn, sample=False)[0]
    torch.testing.assert_close(draw(vrnn, temperature=T)[0] - mean, T**0.5 * (draw(vrnn)[0] - mean))


def test_a_cold_prior_makes_z_its_mean():
    vrnn = small("reference")
    drawn = draw(vrnn, sample=False, z_temperature=1e-12)[0]
    torch.testing.assert_close(drawn, drawn[:1].expand_as(drawn), atol=1e-5, rtol=0)


class OwnLikelihood(GaussianLikelihood):
    temper = Likelihood.temper


@pytest.mark.parametrize(
    ("parts", "options", "message"),
    [
        ({}, {"temperature": 0.0}, "temperature must be a number > 0"),
        ({}, {"temperature": 2.0, "sample": False}, "temperature must be 1 with sample=False"),
        ({"engine": "native"}, {"temperature": 2.0}, "the kernels draw at temperature 1 only"),
        ({"likelihood": OwnLikelihood()}, {"temperature": 2.0}, "temperature must be 1 with OwnLikelihood"),
    ],
)
def test_temperatures_that_cannot_be(parts, options, message):
    with pytest.raises(ValueError, match=message):
        draw(small(**parts), **options)
