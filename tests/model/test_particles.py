"""Bounds of a real VRNN: against each other, against a Kalman filter, and against the definition written out."""

import math
import sys
from pathlib import Path

import pytest
import torch
from torch.distributions import Normal

sys.path.append(str(Path(__file__).parents[1] / "objective"))
from tests.objective.kalman import LinearGaussian
from vrnn.model import VRNN, log_evidence
from vrnn.model.particles import check_trainable, infer_particles
from vrnn.networks import Coordinates, Recurrence
from vrnn.objective import (
    FIVO,
    IWAE,
    CategoricalLatent,
    GaussianCategoricalLatent,
    GaussianLatent,
    GaussianMixtureLikelihood,
    MSELikelihood,
    NoLatent,
)

A, S, R = 0.8, 0.5, 0.3  # of tests/objective/kalman.py


class StoresZ(Recurrence):
    """h_t = z_t, read from phi_z = [relu(z), relu(-z)]."""

    def forward(self, inputs: torch.Tensor, state: torch.Tensor) -> torch.Tensor:
        return inputs[..., -2:-1] - inputs[..., -1:]


def linear_gaussian(widen: float = 1.0, pull: float = 0.5) -> VRNN:
    """The Kalman filter's model as a VRNN: the posterior is pulled from the prior's mean to x, and `widen` times as wide."""
    coordinates = Coordinates("position", relative_to="nothing", scale=1.0)
    sizes = {name: [2] for name in ("phi_x", "phi_z", "prior", "decoder")}
    vrnn = VRNN(
        x_dim=1, z_dim=1, h_dim=1, encoder=[4], **sizes, std_floor=1e-12, coordinates=coordinates, recurrence=StoresZ
    ).double()
    vrnn.likelihood.floor = 1e-12
    both = torch.tensor([[1.0], [-1.0]])  # relu of these and their difference is the identity
    with torch.no_grad():
        for parameter in vrnn.parameters():
            parameter.zero_()
        for network in (vrnn.phi_x, vrnn.phi_z, vrnn.prior.hidden):
            network[0].weight.copy_(both)
        vrnn.decoder[0][0].weight[:, :2] = torch.eye(2)
        vrnn.encoder.hidden[0].weight.copy_(torch.eye(4, 3))
        vrnn.encoder.hidden[0].weight[2:, 2:] = both
        vrnn.encoder.head.weight[0] = torch.tensor([pull, -pull, A * (1 - pull), -A * (1 - pull)]).double()
        vrnn.encoder.head.bias[1] = inverse_softplus(widen * S)
        vrnn.prior.head.weight[0] = torch.tensor([A, -A]).double()
        vrnn.prior.head.bias[1] = inverse_softplus(S)
        vrnn.decoder[1].weight[0] = torch.tensor([1.0, -1.0])
        vrnn.decoder[1].bias[1] = inverse_softplus(R)
    return vrnn


def inverse_softplus(value: float) -> float:
    return math.log(math.expm1(value))


def small(**options) -> VRNN:
    torch.manual_seed(0)
    sizes = {"z_dim": 4, "h_dim": 5, "phi_x": [4, 4], "phi_z": [3], "prior": [6], "encoder": [7], "decoder": [6]}
    return VRNN(**sizes, **options).double()


def walk(steps: int, batch: int) -> torch.Tensor:
    return 0.1 * torch.randn(steps, batch, 2, generator=torch.Generator().manual_seed(1)).double().cumsum(0)


def chance(seed: int = 2) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_against_the_kalman_filter():
    """4000 copies of one trace: E[exp(bound)] = p(x) within 4.5 standard errors; FIVO-64 is within a twentieth of a nat."""
    x = 0.5 * torch.randn(8, 1, generator=chance()).double().cumsum(0)
    evidence = float(LinearGaussian(x, 1).evidence())
    vrnn, copies = linear_gaussian(), x.repeat(1, 4000).unsqueeze(-1)
    with torch.no_grad():
        for bound in (IWAE(16), FIVO(16)):
            ratio = (log_evidence(vrnn, copies, bound, generator=chance()) - evidence).exp()
            assert abs(float(ratio.mean()) - 1) < 4.5 * float(ratio.std()) / math.sqrt(4000)
        mean = float(log_evidence(vrnn, copies[:, :200], FIVO(64), generator=chance()).mean())
    assert evidence - 0.05 < mean < evidence + 0.02


def test_the_best_step_alone_is_exact_at_one_step():
    """q = p(z | x) exactly: every weight is p(x)."""
    variance = 1 / (1 / S**2 + 1 / R**2)
    vrnn = linear_gaussian(widen=math.sqrt(variance) / S, pull=variance / R**2)
    x = torch.tensor([[0.7, -0.4]]).double()
    for bound in (IWAE(1), IWAE(5), FIVO(5)):
        found = log_evidence(vrnn, x.unsqueeze(-1), bound)
        torch.testing.assert_close(found, LinearGaussian(x, 1).evidence(), rtol=0, atol=1e-6)


LATENTS = {
    "gaussian": lambda: None,
    "exact": lambda: CategoricalLatent(1, 4, estimator="exact"),
    "gumbel": lambda: CategoricalLatent(2, 2, estimator="gumbel_softmax"),
    "both": lambda: GaussianCategoricalLatent(GaussianLatent(3), CategoricalLatent(1, 3)),
}


@pytest.mark.parametrize("latent", LATENTS)
def test_one_particle_is_the_elbo_with_the_kl_sampled(latent):
    """Whole, by steps, and from the run itself, with the same noise: 16 numbers of it a step come alike in any portions."""
    vrnn, x = small(latent=LATENTS[latent]()).eval(), walk(6, 4)
    run = vrnn.infer(x, generator=chance())
    sampled = vrnn.latent.log_prob(run.q, run.z) - vrnn.latent.log_prob(run.p, run.z)
    elbo = (vrnn.likelihood.log_prob(run.decoder, x) - sampled).sum(0)
    torch.testing.assert_close(log_evidence(vrnn, x, IWAE(1), generator=chance()), elbo)
    if latent != "both":  # normal and uniform numbers in turn do not
        torch.testing.assert_close(log_evidence(vrnn, x, FIVO(1), generator=chance()), elbo)


def test_never_resampled_the_filter_is_importance_weighting():
    vrnn, x = small(), walk(7, 4)
    whole, steps = (log_evidence(vrnn, x, bound, generator=chance()) for bound in (IWAE(8), FIVO(8, resample_below=0)))
    torch.testing.assert_close(whole, steps)
    frequent = FIVO(8, resample_below=1.0)
    assert not torch.allclose(log_evidence(vrnn, x, frequent, generator=chance()), whole, atol=1e-4)


@pytest.mark.parametrize("likelihood", [None, GaussianMixtureLikelihood(3)], ids=["gaussian", "mixture"])
def test_without_a_latent_all_bounds_are_the_likelihood(likelihood):
    vrnn, x = small(latent=NoLatent(), likelihood=likelihood), walk(6, 3)
    exact = vrnn.likelihood.log_prob(vrnn.infer(x).decoder, x).sum(0)
    for bound in (IWAE(4), FIVO(4), FIVO(4, resample_below=1.0)):
        torch.testing.assert_close(log_evidence(vrnn, x, bound), exact)


def test_gradients_of_iwae_against_the_definition():
    """Every quantity from its definition and torch.distributions, differentiated by autograd through the reference engine."""
    vrnn, x, K = small(), walk(5, 2), 3
    log_evidence(vrnn, x, IWAE(K), generator=chance()).sum().backward()
    ours = [p.grad.clone() for p in vrnn.parameters()]
    vrnn.zero_grad()
    vrnn.engine = "reference"
    run = vrnn.infer(x.repeat(1, K, 1), generator=chance())
    log_x = Normal(*run.decoder).log_prob(x.repeat(1, K, 1)).sum(-1)
    weights = log_x + (Normal(*run.p).log_prob(run.z) - Normal(*run.q).log_prob(run.z)).sum(-1)
    total = weights.sum(0)
    (total.view(K, 2).exp().mean(0)).log().sum().backward()
    for found, parameter in zip(ours, vrnn.parameters(), strict=True):
        torch.testing.assert_close(found, parameter.grad, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("engine", ["native", "reference"])
def test_ancestors_carry_no_gradient(engine):
    """FIVO, resampled after every step, against a loop that takes its ancestors as given numbers."""
    vrnn, x, K = small(engine=engine), walk(4, 2), 3
    found = infer_particles(vrnn, x, FIVO(K, resample_below=1.0), generator=chance(), keep=lambda run, _: run)
    found.bound.sum().backward()
    ours = [p.grad.clone() for p in vrnn.parameters()]
    vrnn.zero_grad()
    (run,) = found.outputs
    state, total = vrnn.initial_state(2 * K), 0.0
    for t in range(4):
        eps = ((run.z - run.q[0]) / run.q[1])[t : t + 1].detach()
        vrnn.latent.noise = lambda *shape, eps=eps, **_: eps
        at = vrnn.infer(x[t : t + 1].repeat(1, K, 1), state)
        weights = Normal(*at.decoder).log_prob(at.x).sum(-1)
        weights = weights + (Normal(*at.p).log_prob(at.z) - Normal(*at.q).log_prob(at.z)).sum(-1)
        total = total + weights.view(K, 2).exp().mean(0).log()
        rows = (found.ancestors[t] * 2 + torch.arange(2)).flatten()
        state = type(state)(*(part[rows] for part in at.state))
    torch.testing.assert_close(found.bound, total)
    total.sum().backward()
    for gradient, parameter in zip(ours, vrnn.parameters(), strict=True):
        torch.testing.assert_close(gradient, parameter.grad, rtol=1e-7, atol=1e-9)


def test_sampled_kl_has_the_exact_kl_s_gradient_on_average():
    """On average over draws: 200 000 of them, within 5 standard errors."""
    latent = CategoricalLatent(1, 3)
    logits = torch.tensor([0.5, -1.0, 0.2]).double()
    p = latent.from_raw(torch.tensor([0.1, 0.4, -0.3]).double())
    exact = logits.clone().requires_grad_()
    latent.kl(latent.from_raw(exact), p).sum().backward()
    each = logits.expand(200_000, 3).clone().requires_grad_()
    q = latent.from_raw(each)
    z = latent.sample(q, torch.rand(200_000, 1, dtype=torch.float64, generator=chance()))
    (latent.log_prob(q, z) - latent.log_prob((p[0].expand_as(q[0]),), z)).sum().backward()
    error = each.grad.std(0) / math.sqrt(200_000)
    assert ((each.grad.mean(0) - exact.grad).abs() < 5 * error).all()


@pytest.mark.parametrize("bound", [IWAE(4), FIVO(4), FIVO(4, resample_below=1.0)], ids=str)
@pytest.mark.parametrize("engine", ["native", "reference"])
def test_nan_past_a_trace_s_end_leaks_nowhere(bound, engine):
    """The value is that of any other padding, the bound of a trace cut there, and gradients are finite."""
    vrnn, x = small(engine=engine), walk(6, 4)
    mask = torch.ones(6, 4, dtype=torch.bool)
    mask[3:, 1] = False
    padded = torch.where(mask.unsqueeze(-1), x, math.nan)
    values = [log_evidence(vrnn, points, bound, mask, chance()) for points in (x, padded)]
    assert torch.equal(*values)
    if not bound.resample_below:
        (run,) = infer_particles(vrnn, padded, bound, mask=mask, generator=chance(), keep=lambda run, _: run).outputs
        cut = vrnn.likelihood.log_prob(run.decoder, run.x) + Normal(*run.p).log_prob(run.z).sum(-1)
        cut = (cut - Normal(*run.q).log_prob(run.z).sum(-1)).view(6, 4, 4)[:3, :, 1].sum(0).exp().mean().log()
        torch.testing.assert_close(values[1][1], cut)
    values[1].sum().backward()
    assert all(torch.isfinite(p.grad).all() for p in vrnn.parameters())


def test_a_gap_is_integrated_over():
    """The Kalman filter's evidence of what is seen, two of eight points missing: unbiased over 4000 copies, 4.5 errors."""
    x = 0.5 * torch.randn(8, 1, generator=chance()).double().cumsum(0)
    mask = torch.ones(8, 1, dtype=torch.bool)
    mask[3:5] = False
    model = LinearGaussian(x, 1)
    seen = mask[:, 0]
    covariance = model.joint().covariance_matrix[seen][:, seen]
    evidence = torch.distributions.MultivariateNormal(torch.zeros(6).double(), covariance).log_prob(x[seen, 0])
    hidden = torch.where(mask, x, math.nan).repeat(1, 4000).unsqueeze(-1)
    with torch.no_grad():
        for bound in (IWAE(8), FIVO(8)):
            found = log_evidence(linear_gaussian(), hidden, bound, mask.repeat(1, 4000), chance())
            ratio = (found - evidence).exp()
            assert abs(float(ratio.mean()) - 1) < 4.5 * float(ratio.std()) / math.sqrt(4000)


def test_a_gap_is_filled_in_from_both_ends():
    """Against the exact conditional Gaussian of the hidden points given the others, on 2000 copies, 256 particles each.

    The mean within 0.05, where its standard error is 0.01, so many particles are 0.02 off, and one end alone over 0.4.
    """
    x = torch.tensor([0.0, 0.1, 0.0, 0.0, 0.0, 1.3, 1.4, 1.2]).double().unsqueeze(1)
    mask = torch.ones(8, 1, dtype=torch.bool)
    mask[2:5] = False
    covariance = LinearGaussian(x, 1).joint().covariance_matrix
    seen = mask[:, 0]
    gain = covariance[~seen][:, seen] @ torch.linalg.inv(covariance[seen][:, seen])
    mean, spread = gain @ x[seen, 0], covariance[~seen][:, ~seen] - gain @ covariance[seen][:, ~seen]
    hidden = torch.where(mask, x, math.nan).repeat(1, 2000).unsqueeze(-1)
    drawn = linear_gaussian().impute(hidden, mask.repeat(1, 2000), chance(), particles=256)[..., 0]
    assert torch.equal(drawn[seen], x[seen].expand(-1, 2000))
    inside = drawn[~seen]
    assert ((inside.mean(1) - mean).abs() < 0.05).all()
    torch.testing.assert_close(inside.cov(), spread, rtol=0.1, atol=0.02)
    one_end = linear_gaussian().impute(hidden, mask.repeat(1, 2000), chance())[~seen, :, 0]
    assert mean[-1] - one_end[-1].mean() > 0.4


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"coordinates": Coordinates("position", relative_to="nothing", predicts="next")},
            "frame.predicts=next has no bound",
        ),
        ({"likelihood": MSELikelihood()}, "MSELikelihood trains on something else"),
        ({"latent": CategoricalLatent(1, 3, "gumbel_softmax")}, "gumbel_softmax trains on soft ones"),
        (
            {"latent": GaussianCategoricalLatent(GaussianLatent(2), CategoricalLatent(1, 3, "gumbel_softmax"))},
            "gumbel_softmax trains on soft ones",
        ),
    ],
)
def test_what_has_no_bound_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        check_trainable(small(**options))
    if "coordinates" in options:
        with pytest.raises(ValueError, match=message):
            log_evidence(small(**options), walk(3, 1), IWAE(2))
