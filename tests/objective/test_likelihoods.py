"""Likelihoods against torch.distributions, their samples against their moments, their sigmas against their sources."""

import math

import pytest
import torch
from omegaconf import OmegaConf
from torch.distributions import (
    Bernoulli,
    Categorical,
    Independent,
    MixtureSameFamily,
    MultivariateNormal,
    Normal,
)

from tests.conftest import ROOT
from vrnn.objective import (
    BernoulliLikelihood,
    BivariateLikelihood,
    ConstantW,
    FixedGaussianLikelihood,
    GaussianLikelihood,
    MSELikelihood,
    MSEMeanLikelihood,
    PenLikelihood,
    SharedGaussianLikelihood,
    Terms,
    gaussian_log_prob,
)
from vrnn.runs.config import check
from vrnn.runs.instantiate import instantiate

NAMES = sorted(
    str(path.relative_to(ROOT / "conf/likelihood"))[:-5] for path in (ROOT / "conf/likelihood").rglob("*.yaml")
)
NAMES.remove("nade")  # its moments are approximate: it has tests of its own
X_DIM = {"pen": 3}  # 2 for all others
MASK = torch.tensor([[1, 1, 1], [1, 1, 0], [1, 0, 0], [1, 0, 0]], dtype=torch.bool)


@pytest.fixture(params=NAMES)
def named(request, composed):
    """A YAML's likelihood, and the dimension of its points."""
    settings = check(composed(f"likelihood={request.param}"))
    return instantiate(settings["likelihood"], settings["allow"]), X_DIM.get(request.param, 2)


@pytest.fixture
def generator():
    return torch.Generator().manual_seed(0)


def randn(*shape, generator, dtype=torch.float64):
    return torch.randn(*shape, dtype=dtype, generator=generator)


def planar(dist):
    """torch's mixture of correlated Gaussians."""
    log_weights, mean, std, rho = dist
    off = rho * std.prod(-1)
    covariance = torch.stack([std[..., 0] ** 2, off, off, std[..., 1] ** 2], -1).unflatten(-1, (2, 2))
    return MixtureSameFamily(Categorical(logits=log_weights), MultivariateNormal(mean, covariance))


@pytest.mark.parametrize("components", [1, 4])
def test_bivariate(components, generator):
    likelihood = BivariateLikelihood(components, floor=1e-2)
    raw, x, origin = (randn(9, dim, generator=generator) for dim in (likelihood.n_outputs(2), 2, 2))
    dist = likelihood.from_raw(raw, origin, 0.7)
    assert dist.rho.abs().max() > 0.5
    theirs = planar(dist)
    torch.testing.assert_close(likelihood.log_prob(dist, x), theirs.log_prob(x))
    moments = likelihood.moments(dist)
    torch.testing.assert_close(moments.mean, theirs.mean)
    torch.testing.assert_close(moments.std, theirs.variance.sqrt())


def test_bivariate_without_correlation_is_the_gaussian(generator):
    raw, x, origin = (randn(9, dim, generator=generator) for dim in (4, 2, 2))
    none = torch.zeros(9, 1, dtype=torch.float64)
    likelihood, single = BivariateLikelihood(), GaussianLikelihood()
    ours = likelihood.log_prob(likelihood.from_raw(torch.cat([none, raw, none], -1), origin, 0.3), x)
    torch.testing.assert_close(ours, single.log_prob(single.from_raw(raw, origin, 0.3), x))


def test_half_the_work_of_binary_points_has_the_same_bits(generator):
    logits = 8 * torch.randn(50, 7, generator=generator)
    logits[0, :4] = torch.tensor([0.0, -0.0, 500.0, -500.0])
    binary, found = (torch.rand(50, 7, generator=generator) < 0.5).float(), []
    for x in (binary, binary.clone().requires_grad_()):  # a point that needs a gradient takes both terms
        given = logits.clone().requires_grad_()
        value = BernoulliLikelihood().log_prob((given,), x)
        found.append([value, *torch.autograd.grad(value.sum(), given)])
    assert all(map(torch.equal, *found))


def test_bernoulli(generator):
    likelihood = BernoulliLikelihood()
    logits = 3 * randn(9, 5, generator=generator)
    x = (randn(9, 5, generator=generator) > 0).double()
    dist = likelihood.from_raw(logits, torch.ones(9, 5), 0.1)
    torch.testing.assert_close(likelihood.log_prob(dist, x), Bernoulli(logits=logits).log_prob(x).sum(-1))
    moments, theirs = likelihood.moments(dist), Bernoulli(logits=logits)
    torch.testing.assert_close(moments.mean, theirs.mean)
    torch.testing.assert_close(moments.std, theirs.variance.sqrt())


def test_pen(generator):
    likelihood = PenLikelihood(components=3)
    raw, x, origin = (randn(9, dim, generator=generator) for dim in (likelihood.n_outputs(3), 3, 3))
    x[:, 0] = (x[:, 0] > 0).double()
    dist = likelihood.from_raw(raw, origin, 0.7)
    theirs = Bernoulli(logits=raw[:, 0]).log_prob(x[:, 0]) + planar(dist[1:]).log_prob(x[:, 1:])
    torch.testing.assert_close(likelihood.log_prob(dist, x), theirs)


def test_fixed_and_shared_are_gaussians_of_one_sigma(generator):
    raw, x, origin = (randn(9, 2, generator=generator) for _ in range(3))
    theirs = Independent(Normal(origin + 0.3 * raw, 0.25), 1).log_prob(x)
    for likelihood in (
        FixedGaussianLikelihood(0.25),
        *(SharedGaussianLikelihood(kind, start=0.25) for kind in ("learned", "optimal", "running")),
        MSEMeanLikelihood(start=0.25),
    ):
        dist = likelihood.double().from_raw(raw, origin, 0.3)
        torch.testing.assert_close(likelihood.log_prob(dist, x), theirs, rtol=1e-5, atol=1e-5)


def test_samples_have_the_density_s_moments_and_covariance(named, generator):
    """200 000 samples, within 6 standard errors of the moments: fails by chance less than once in 10^7."""
    likelihood, x_dim = named
    likelihood = likelihood.double()
    n = 200_000
    raw = randn(1, likelihood.n_outputs(x_dim), generator=generator)
    one = likelihood.from_raw(raw, torch.ones(1, x_dim).double(), 1.0)
    dist = tuple(part.detach().expand(n, *part.shape[1:]) for part in one)
    noise, uniform = randn(n, x_dim, generator=generator), torch.rand(n, dtype=torch.float64, generator=generator)
    x = likelihood.sample(dist, noise, uniform)
    mean, std = (part[0] for part in likelihood.moments(dist))
    assert x.shape == (n, x_dim)
    assert torch.all((x.mean(0) - mean).abs() < 6 * std / math.sqrt(n))
    torch.testing.assert_close(x.std(0), std, rtol=0.02, atol=0)


def test_pen_samples_have_the_given_correlation(generator):
    """200 000 samples: correlations have a standard error of 0.0022 and are held to 0.012."""
    likelihood, n = PenLikelihood(components=1), 200_000
    raw = torch.tensor([[0.4, 0.0, 0.0, 0.0, 0.3, 0.7, -0.8]], dtype=torch.float64)
    one = likelihood.from_raw(raw, torch.zeros(1, 3).double(), 1.0)
    dist = tuple(part.expand(n, *part.shape[1:]) for part in one)
    x = likelihood.sample(dist, randn(n, 3, generator=generator), torch.rand(n, generator=generator).double())
    found = torch.corrcoef(x.T)
    assert set(x[:, 0].unique().tolist()) == {0.0, 1.0}
    assert found[1, 2] == pytest.approx(float(one.rho), abs=0.012)
    assert found[0, 1:].abs().max() < 0.012


def test_float32_gradients_are_finite_at_extremes(named, generator):
    """Raw outputs up to +-100 and points up to 100 away: log p and its gradient are numbers."""
    likelihood, x_dim = named
    raw = 100 * randn(500, likelihood.n_outputs(x_dim), generator=generator, dtype=torch.float32).clamp(-1, 1)
    x = 100 * randn(500, x_dim, generator=generator, dtype=torch.float32).clamp(-1, 1)
    x[:, 0] = (x[:, 0] > 0).float()
    raw.requires_grad_()
    log_prob = likelihood.log_prob(likelihood.from_raw(raw, torch.zeros(500, x_dim), 1.0), x)
    (gradient,) = torch.autograd.grad(log_prob.sum(), raw)
    assert torch.isfinite(log_prob).all()
    assert torch.isfinite(gradient).all()
    assert gradient.abs().sum() > 0


def test_what_the_mask_hides_changes_nothing(named, generator):
    """Loss, gradients and all that a likelihood remembers are those of the observed points: whatever lies elsewhere."""
    likelihood, x_dim = named
    raw = randn(4, 3, likelihood.n_outputs(x_dim), generator=generator)
    x = (randn(4, 3, x_dim, generator=generator) > 0).double()
    start = {name: value.clone() for name, value in likelihood.double().state_dict().items()}
    results = []
    for elsewhere in (0.0, 1.0):
        likelihood.load_state_dict(start)
        torch.manual_seed(0)
        leaf = raw.clone().requires_grad_()
        seen = torch.where(MASK.unsqueeze(-1), x, elsewhere)
        dist = likelihood.from_raw(leaf, torch.zeros(4, 3, x_dim).double(), 1.0)
        terms = Terms(likelihood.distortion(dist, seen, MASK), torch.zeros(4, 3, 1), lambda: None, MASK)
        loss = ConstantW()(terms).loss
        results.append([loss, *torch.autograd.grad(loss, [leaf]), *likelihood.state_dict().values()])
    for a, b in zip(*results, strict=True):
        assert torch.equal(a, b)


def test_optimal_sigma_is_the_root_of_the_masked_error(generator):
    """By a loop over what the mask shows; and no other sigma makes these points likelier: the slope along sigma is 0."""
    likelihood = SharedGaussianLikelihood("optimal", floor=1e-3).double()
    raw, x = (0.1 * randn(4, 3, 2, generator=generator) for _ in range(2))
    dist = likelihood.from_raw(raw, torch.zeros(4, 3, 2).double(), 1.0)
    distortion = likelihood.distortion(dist, x, MASK)
    squares = [float((a - b) ** 2) for a, b in zip(x[MASK].flatten(), raw[MASK].flatten(), strict=True)]
    sigma = math.sqrt(sum(squares) / len(squares))
    assert float(likelihood.sigma()) == pytest.approx(sigma)
    torch.testing.assert_close(distortion, -Independent(Normal(raw, sigma), 1).log_prob(x))
    free = torch.tensor(sigma, dtype=torch.float64, requires_grad=True)
    slope = torch.autograd.grad(Normal(raw[MASK], free).log_prob(x[MASK]).sum(), free)[0]
    assert abs(float(slope)) < 1e-6
    likelihood.eval()
    likelihood.distortion(dist, x + 1, MASK)
    assert float(likelihood.sigma()) == pytest.approx(sigma)  # evaluation takes it as it is
    assert float(likelihood.from_raw(raw, x, 1.0).std[0, 0, 0]) == pytest.approx(sigma)


def test_running_sigma_only_falls():
    """Asperti & Trentin: mse <- min(mse, 0.99 mse + 0.01 of the batch)."""
    likelihood, mse = SharedGaussianLikelihood("running", start=0.5).double(), 0.25
    for off in (0.1, 2.0, 0.3, 0.0, 0.7):
        mean = torch.zeros(4, 3, 2, dtype=torch.float64)
        likelihood.distortion((mean, mean + 0.5), mean + off)
        mse = min(mse, 0.99 * mse + 0.01 * off**2)
        assert float(likelihood.sigma()) ** 2 == pytest.approx(mse)


@pytest.mark.parametrize("kind", ["learned", "optimal", "running"])
def test_a_shared_sigma_is_never_below_its_floor(kind):
    likelihood = SharedGaussianLikelihood(kind, floor=0.01, start=0.02)
    if kind == "learned":
        with torch.no_grad():
            likelihood.log_sigma.fill_(-50.0)
    for _ in range(500):
        likelihood.distortion((torch.zeros(4, 3, 2), torch.ones(4, 3, 2)), torch.zeros(4, 3, 2))
    assert float(likelihood.sigma().detach()) == pytest.approx(0.01, rel=0.02)


def test_learned_sigma_has_a_floor_and_a_gradient():
    """log sigma <- -6 + softplus(log sigma + 6), floor exp(-6)."""
    likelihood = SharedGaussianLikelihood("learned", floor=math.exp(-6))
    for raw in (-9.0, -6.0, -1.0, 2.0):
        with torch.no_grad():
            likelihood.log_sigma.fill_(raw)
        assert math.log(likelihood.sigma().detach()) == pytest.approx(-6 + math.log1p(math.exp(raw + 6)), abs=1e-5)
    dist = likelihood.from_raw(torch.zeros(3, 2), torch.zeros(3, 2), 1.0)
    likelihood.distortion(dist, torch.ones(3, 2)).sum().backward()
    assert likelihood.log_sigma.grad != 0


def test_mse_of_the_mean(generator):
    likelihood = MSEMeanLikelihood().double()
    raw, x = randn(4, 3, 2, generator=generator), randn(4, 3, 2, generator=generator)
    distortion = likelihood.distortion(likelihood.from_raw(raw, torch.zeros(4, 3, 2).double(), 1.0), x, MASK)
    torch.testing.assert_close(distortion, ((x - raw) ** 2).mean(-1))
    assert float(likelihood.sigma()) == pytest.approx(math.sqrt(float(distortion[MASK].mean())))


@pytest.mark.parametrize("make", [MSELikelihood, MSEMeanLikelihood])
def test_implied_sigma_of_a_squared_error(make, generator):
    """sigma^2 = w x_dim / 2: D + w KL descends as the ELBO's -log N(x; mean, sigma) + KL does."""
    likelihood, w = make().double(), 0.03
    x, mean, kl = (randn(50, 1, 2, generator=generator) for _ in range(3))
    dist = (mean, torch.full_like(mean, 0.2))
    distortion = likelihood.distortion(dist, x)
    beta = w * likelihood.nats_per_distortion(distortion.mean(), 2)
    sigma = beta.sqrt() * likelihood.rms_sigma(dist, distortion)
    assert float(sigma) == pytest.approx(math.sqrt(w * 2 / 2))
    leaves = mean.requires_grad_(), kl.requires_grad_()
    ours = torch.autograd.grad((x - mean).square().mean(-1).mean() + w * kl.sum(-1).mean(), leaves)
    nll = -gaussian_log_prob(x, mean, sigma.expand(2)).mean()
    theirs = torch.autograd.grad(nll + kl.sum(-1).mean(), leaves)
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, w * b)


def test_implied_sigma_of_a_gaussian(generator):
    """sqrt(beta) times the decoder's own, rms over what the mask shows."""
    likelihood = GaussianLikelihood()
    mean, std = randn(4, 3, 2, generator=generator), randn(4, 3, 2, generator=generator).exp()
    squares = std[MASK].square().flatten().tolist()
    own = likelihood.rms_sigma((mean, std), torch.zeros(4, 3), MASK)
    assert float(own) == pytest.approx(math.sqrt(sum(squares) / len(squares)))


@pytest.mark.parametrize("scheme", ["sigma_vae", "sigma_vae_learned", "balanced"])
def test_schemes_that_choose_sigma_set_the_likelihood(composed, scheme):
    kind = {"sigma_vae": "optimal", "sigma_vae_learned": "learned", "balanced": "running"}[scheme]
    config = composed(f"w_schedule={scheme}")
    likelihood = instantiate(OmegaConf.to_container(config.likelihood, resolve=True), config.allow)
    assert isinstance(likelihood, SharedGaussianLikelihood)
    assert likelihood.kind == kind
    assert composed(f"w_schedule={scheme}", "experiment=quick").likelihood == config.likelihood


@pytest.mark.parametrize(
    ("given", "error"),
    [
        (["likelihood=mse"], "'sigma'"),
        (["likelihood=gaussian_fixed"], r"likelihood\.sigma must be a positive number, but is 'optimal'"),
        (["experiment=circle_triangle_eight"], "'ceiling'; it takes sigma"),
        (["experiment=blog_eye"], "'sigma'"),
    ],
)
def test_another_likelihood_beside_them_is_refused(composed, given, error):
    config = composed("w_schedule=sigma_vae", *given)
    with pytest.raises(ValueError, match=error):
        instantiate(OmegaConf.to_container(config.likelihood, resolve=True), config.allow)


POINTS = torch.tensor([[0.0, 0.5], [1.0, math.nan]])


@pytest.mark.parametrize(
    ("likelihood", "x", "error"),
    [
        (BernoulliLikelihood(), POINTS - 0.7, r"\[0, 1\], but these reach from -0.7 to 0.3"),
        (BivariateLikelihood(), torch.zeros(4, 3), "x_dim = 2, but the data have x_dim = 3"),
        (PenLikelihood(), POINTS, "x_dim = 3, but the data have x_dim = 2"),
        (PenLikelihood(), torch.tensor([[0.5, 0.0, 0.0]]), r"0 or 1 .* \[0.5\]"),
    ],
)
def test_data_that_cannot_be_are_refused(likelihood, x, error):
    with pytest.raises(ValueError, match=error):
        likelihood.check(x)


def test_data_that_can_be_are_taken():
    for likelihood in (BernoulliLikelihood(), BivariateLikelihood(), GaussianLikelihood(), MSELikelihood()):
        likelihood.check(POINTS)
    PenLikelihood().check(torch.tensor([[1.0, 7.0, -7.0], [0.0, 0.0, 0.0], [math.nan] * 3]))


@pytest.mark.parametrize(
    "make",
    [
        lambda: FixedGaussianLikelihood(0.0),
        lambda: FixedGaussianLikelihood("optimal"),
        lambda: SharedGaussianLikelihood("mean"),
        lambda: SharedGaussianLikelihood(floor=0.0),
        lambda: SharedGaussianLikelihood(floor=0.2, start=0.1),
        lambda: BivariateLikelihood(components=0),
        lambda: PenLikelihood(components=0),
        lambda: PenLikelihood(floor=-1.0),
    ],
)
def test_bad_likelihoods_are_refused(make):
    with pytest.raises(ValueError, match=r"likelihood\.\w+ must"):
        make()


@pytest.mark.parametrize(
    "likelihood", [SharedGaussianLikelihood("optimal"), SharedGaussianLikelihood("running"), MSEMeanLikelihood()]
)
def test_a_batch_without_an_observed_step_leaves_sigma_alone(likelihood, generator):
    x = torch.randn(4, 3, 2, generator=generator)
    likelihood.distortion((x + 0.2, torch.ones_like(x)), x)
    before = float(likelihood.sigma())
    likelihood.distortion((x + 0.1, torch.ones_like(x)), x, torch.zeros(4, 3, dtype=torch.bool))
    assert float(likelihood.sigma()) == before


def test_bernoulli_starts_at_the_means_only_if_asked():
    x = torch.zeros(6, 3)
    x[:4, 1] = x[:, 2] = 1.0
    assert BernoulliLikelihood().start_bias(x) is None
    means = BernoulliLikelihood(bias="means").start_bias(x).sigmoid()
    torch.testing.assert_close(means, torch.tensor([1.0, 5.0, 7.0], dtype=torch.float64) / 8)
    with pytest.raises(ValueError, match=r"likelihood\.bias must be one of random, means, but is 'mean'"):
        BernoulliLikelihood(bias="mean")
