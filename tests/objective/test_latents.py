"""Every kind of z against torch.distributions, and its draws against what they are draws of."""

import math

import pytest
import torch
from torch.distributions import Normal, OneHotCategorical, kl_divergence

from vrnn.objective import CategoricalLatent, GaussianCategoricalLatent, GaussianLatent, NoLatent
from vrnn.objective.latents import detached, stacked, where

GAUSSIAN = GaussianLatent(3)
KINDS = {
    "gaussian": GAUSSIAN,
    "one variable": CategoricalLatent(classes=5),
    "exact": CategoricalLatent(classes=5, estimator="exact"),
    "several": CategoricalLatent(variables=4, classes=3, uniform=0.01),
    "soft": CategoricalLatent(variables=2, classes=3, estimator="gumbel_softmax"),
    "both": GaussianCategoricalLatent(GAUSSIAN, CategoricalLatent(variables=2, classes=3)),
    "none": NoLatent(),
}
every_kind = pytest.mark.parametrize("latent", KINDS.values(), ids=list(KINDS))


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def two(latent, *shape):
    return (latent.from_raw(2 * torch.randn(*shape, latent.n_outputs, dtype=torch.float64)) for _ in range(2))


@every_kind
def test_shapes(latent):
    q, p = two(latent, 7, 2)
    z = latent.sample(q, latent.noise(7, 2, like=q[0]))
    assert z.shape == latent.embedding(q).shape == (7, 2, latent.z_dim)
    assert latent.kl(q, p).shape == (7, 2, latent.groups)
    assert latent.log_prob(q, z).shape == (7, 2)
    assert latent.kl(q, p).dtype == z.dtype == torch.float64


@every_kind
def test_the_standard_distribution_is_read_from_nothing(latent):
    """It has the form of one that is read, and the KL of a distribution to itself is 0."""
    q, _ = two(latent, 7, 2)
    standard = latent.standard(torch.zeros(7, 2, 4, dtype=torch.float64))
    assert [part.shape for part in standard] == [part.shape for part in q]
    assert type(standard) is type(q)
    torch.testing.assert_close(latent.kl(standard, standard), torch.zeros(7, 2, latent.groups, dtype=torch.float64))
    assert (latent.kl(q, standard) >= 0).all()


def test_gaussian_against_torch():
    q, p = two(GAUSSIAN, 7, 2)
    z = torch.randn(7, 2, 3, dtype=torch.float64)
    torch.testing.assert_close(GAUSSIAN.kl(q, p), kl_divergence(Normal(*q), Normal(*p)))
    torch.testing.assert_close(GAUSSIAN.log_prob(q, z), Normal(*q).log_prob(z).sum(-1))


@pytest.mark.parametrize("name", ["one variable", "several", "soft"])
def test_categorical_against_torch(name):
    latent = KINDS[name].eval()
    q, p = two(latent, 7, 2)
    ours, theirs = (OneHotCategorical(logits=dist.log_probs) for dist in (q, p))
    torch.testing.assert_close(latent.kl(q, p), kl_divergence(ours, theirs))
    z = latent.sample(q, latent.noise(7, 2, like=q[0]))
    expected = ours.log_prob(z.unflatten(-1, (latent.variables, latent.classes)).detach()).sum(-1)
    torch.testing.assert_close(latent.log_prob(q, z), expected)


def test_both_is_the_sum_of_its_parts():
    latent = KINDS["both"]
    q, p = two(latent, 6)
    parts = latent.gaussian, latent.categorical
    kls = [part.kl(q[cut], p[cut]) for part, cut in zip(parts, (slice(2), slice(2, None)), strict=True)]
    torch.testing.assert_close(latent.kl(q, p), torch.cat(kls, -1))
    z = latent.sample(q, latent.noise(6, like=q[0]))
    expected = latent.gaussian.log_prob(q[:2], z[:, :3]) + latent.categorical.log_prob(q[2:], z[:, 3:])
    torch.testing.assert_close(latent.log_prob(q, z), expected)


@pytest.mark.parametrize("name", ["one variable", "several", "soft", "both"])
def test_draws_have_the_probabilities_they_claim(name):
    """Of 40 000 hard draws, each class's share within 5 standard errors: a chance of 1 in 10^5 over all classes."""
    latent, n = KINDS[name].eval(), 40_000
    (q, _) = two(latent, 1)
    q = type(q)(*(part.expand(n, *part.shape[1:]) for part in q))
    z = latent.sample(q, latent.noise(n, like=q[0]))
    one_hot, probs = z[:, -6:], latent.embedding(q)[0, -6:]
    assert ((one_hot == 0) | (one_hot == 1)).all()
    error = (probs * (1 - probs) / n).sqrt()
    assert ((one_hot.mean(0) - probs).abs() <= 5 * error + 1e-12).all()


def test_the_uniform_share_bounds_every_probability():
    latent = CategoricalLatent(classes=4, uniform=0.1)
    (log_probs,) = latent.from_raw(torch.tensor([[100.0, 0.0, -100.0, 0.0]]))
    torch.testing.assert_close(log_probs.exp().sum(), torch.tensor(1.0))
    torch.testing.assert_close(log_probs.exp()[0, 0], torch.tensor([0.925, 0.025, 0.025, 0.025]))


def test_straight_through_gradient_is_that_of_probabilities():
    latent = CategoricalLatent(variables=2, classes=3)
    raw = torch.randn(5, 6, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(5, 6, dtype=torch.float64)
    q = latent.from_raw(raw)
    (latent.sample(q, latent.noise(5, like=raw)) * weight).sum().backward()
    through, raw.grad = raw.grad, None
    (raw.unflatten(-1, (2, 3)).softmax(-1).flatten(-2) * weight).sum().backward()
    torch.testing.assert_close(through, raw.grad)


def test_soft_draws_are_the_concrete_distribution_s():
    """The mean of softmax((log p + Gumbel) / temperature) of two classes by quadrature over the logistic difference."""
    latent, n = CategoricalLatent(classes=2, estimator="gumbel_softmax", temperature=0.7), 100_000
    q = latent.from_raw(torch.tensor([[1.0, 0.0]], dtype=torch.float64).expand(n, 2))
    z = latent.sample(q, latent.noise(n, like=q[0]))[:, 0]
    u = (torch.arange(200_000, dtype=torch.float64) + 0.5) / 200_000
    expected = torch.sigmoid((1.0 + u.log() - (1 - u).log()) / 0.7)
    assert float(z.mean()) == pytest.approx(float(expected.mean()), abs=5 * float(expected.std()) / math.sqrt(n))
    assert ((z > 0) & (z < 1)).all()


@pytest.mark.parametrize("masked", [False, True])
def test_unused_classes(masked):
    """Half the classes, evenly: log 2 nats below uniform."""
    latent = CategoricalLatent(classes=4, balance=1.0)
    probs = torch.zeros(3, 4, 1, 4, dtype=torch.float64)
    probs[:, ::2, :, 0] = probs[:, 1::2, :, 1] = 1.0
    mask = torch.ones(3, 4, dtype=torch.bool) if masked else None
    if masked:
        probs[2], mask[2] = torch.nan, False
    assert float(latent.usage_penalty((probs.log(),), mask)) == pytest.approx(math.log(2))


@every_kind
def test_the_sides_of_the_kl_teach_one_each(latent):
    raws = [torch.randn(4, latent.n_outputs, dtype=torch.float64, requires_grad=True) for _ in range(2)]
    q, p = (latent.from_raw(raw) for raw in raws)
    whole = latent.kl(q, p)
    for side in latent.stop_gradient_kls(q, p):
        torch.testing.assert_close(side, whole)
    if latent.groups:
        gradients = torch.autograd.grad(whole.sum(), raws, retain_graph=True)
        to_prior, to_posterior = latent.stop_gradient_kls(q, p)
        assert torch.autograd.grad(to_prior.sum(), raws, retain_graph=True, allow_unused=True)[0] is None
        torch.testing.assert_close(torch.autograd.grad(to_prior.sum(), raws[1], retain_graph=True)[0], gradients[1])
        torch.testing.assert_close(torch.autograd.grad(to_posterior.sum(), raws[0])[0], gradients[0])


@every_kind
def test_distributions_are_mixed_stacked_and_detached(latent):
    raw = torch.randn(4, latent.n_outputs, requires_grad=True)
    a, b = latent.from_raw(raw), latent.from_raw(torch.randn(4, latent.n_outputs))
    chosen = torch.tensor([True, False, True, False])
    for mixed, x, y in zip(where(chosen, a, b), a, b, strict=True):
        assert torch.equal(mixed[::2], x[::2])
        assert torch.equal(mixed[1::2], y[1::2])
    assert all(part.shape[0] == 2 for part in stacked([a, b]))
    assert not any(part.requires_grad for part in detached(a))


@pytest.mark.parametrize(
    "make",
    [
        lambda: GaussianLatent(0),
        lambda: GaussianLatent(floor=0),
        lambda: CategoricalLatent(classes=1),
        lambda: CategoricalLatent(estimator="sampled"),
        lambda: CategoricalLatent(variables=2, estimator="exact"),
        lambda: CategoricalLatent(temperature=0),
        lambda: CategoricalLatent(uniform=1),
        lambda: GaussianCategoricalLatent(GaussianLatent(2), CategoricalLatent(estimator="exact")),
    ],
)
def test_what_cannot_be_is_refused(make):
    with pytest.raises(ValueError, match=r"latent|model\.z_dim|model\.std_floor"):
        make()
