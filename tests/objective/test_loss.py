"""The loss against independent computations by torch.distributions, enumeration, and the LightningModule."""

import pytest
import torch
from torch import Tensor
from torch.distributions import Categorical, Normal, kl_divergence

from vrnn.data import Batch
from vrnn.model import VRNN
from vrnn.model.particles import infer_particles
from vrnn.objective import (
    FIVO,
    IWAE,
    CategoricalLatent,
    ConstantW,
    FreeNatsW,
    GaussianLatent,
    KLBalancingW,
    LinearW,
)
from vrnn.objective.latents import Latent
from vrnn.objective.loss import Loss, elbo_loss, elbo_scalars, particle_loss
from vrnn.training.lightning_module import VRNNModule

T, B, W = 6, 3, 0.3
MASK = torch.tensor([[1, 1, 1], [1, 1, 0], [1, 1, 0], [1, 1, 0], [1, 0, 0], [1, 0, 0]], dtype=torch.bool)
N_OBSERVED = 11


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def two_distributions(latent: Latent):
    """q and p from random raw outputs, in double precision, with gradients."""
    return [latent.from_raw(torch.randn(T, B, latent.n_outputs).double().requires_grad_()) for _ in range(2)]


def observed(values: Tensor) -> Tensor:
    """The values at observed steps, (N_OBSERVED, …)."""
    return values[MASK]


@pytest.mark.parametrize("masked", [True, False])
def test_gaussian_elbo_loss(masked):
    """loss = mean distortion + w * mean KL over observed steps, and what is not observed does not matter."""
    latent = GaussianLatent(z_dim=4)
    q, p = two_distributions(latent)
    distortion = torch.randn(T, B).double()
    mask = MASK if masked else None
    cost = distortion + W * kl_divergence(Normal(*q), Normal(*p)).sum(-1)
    expected = observed(cost).mean() if masked else cost.mean()
    if masked:
        distortion = torch.where(MASK, distortion, torch.nan)
    found = elbo_loss(distortion, q, p, latent, ConstantW(W), mask)
    torch.testing.assert_close(found.loss, expected)
    parts = (*q, *p)
    gradients = (torch.autograd.grad(loss, parts, retain_graph=True) for loss in (found.loss, expected))
    for ours, theirs in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, theirs)


def test_loss_has_its_parts():
    latent = GaussianLatent(z_dim=4)
    q, p = two_distributions(latent)
    distortion = torch.randn(T, B).double()
    found = elbo_loss(distortion, q, p, latent, FreeNatsW(0.5, w=W), MASK)
    kl = kl_divergence(Normal(*q), Normal(*p))
    assert torch.equal(found.distortion, distortion)
    torch.testing.assert_close(found.kl, kl)
    assert found.kl.shape == (T, B, 4)
    for part in (found.loss, found.usage_penalty, found.w, found.w_per_step, *found.log.values()):
        assert part.shape == ()
    assert float(found.w) == float(found.w_per_step) == pytest.approx(W)
    assert float(found.usage_penalty) == 0
    torch.testing.assert_close(found.log["charged_kl"], observed(kl.sum(-1).clamp(min=0.5)).mean().detach())


def test_schedule_sees_both_stop_gradient_kls():
    """KL balancing: the prior's gradient is `prior` times that of the KL, the posterior's `posterior` times."""
    latent = GaussianLatent(z_dim=4)
    q, p = two_distributions(latent)
    loss = elbo_loss(torch.zeros(T, B).double(), q, p, latent, KLBalancingW(0.8, 0.2), MASK).loss
    kl = observed(kl_divergence(Normal(*q), Normal(*p)).sum(-1)).mean()
    for part, weight in ((q.mean, 0.2), (p.mean, 0.8)):
        (ours,), (theirs,) = (torch.autograd.grad(of, part, retain_graph=True) for of in (loss, kl))
        torch.testing.assert_close(ours, weight * theirs)


def test_exact_categorical_loss_against_enumeration():
    """Each step's loss is the sum over classes k of q_k (-log p(x | z = k) + w log(q_k / p_k))."""
    latent = CategoricalLatent(classes=3, estimator="exact")
    vrnn = VRNN(latent=latent, engine="reference").double()
    x = 0.1 * torch.randn(T, B, 2).double().cumsum(0)
    run = vrnn.infer(x, mask=MASK)
    found = elbo_loss(vrnn.distortion(run), run.q, run.p, latent, ConstantW(W), run.mask)
    q, p = (dist.log_probs.exp().squeeze(-2) for dist in (run.q, run.p))
    cost = torch.zeros(T, B).double()
    for k, one_hot in enumerate(torch.eye(3).double()):
        raw = vrnn.decoder(torch.cat([vrnn.phi_z(one_hot).expand(T, B, -1), run.h], -1))
        mean, std = vrnn.likelihood.from_raw(raw, run.mean_offset, vrnn.coordinates.scale)
        log_x = Normal(mean, std).log_prob(run.x).sum(-1)
        cost = cost + q[..., k] * (-log_x + W * (q[..., k] / p[..., k]).log())
    torch.testing.assert_close(found.loss, observed(cost).mean())
    assert found.kl.shape == (T, B, 1)


def test_usage_penalty_is_added_1_minus_w_times():
    """balance * KL(mean of q over observed steps || uniform)."""
    latent = CategoricalLatent(variables=2, classes=3, balance=5.0)
    q, p = two_distributions(latent)
    distortion = torch.randn(T, B).double()
    uniform = Categorical(torch.full((2, 3), 1 / 3).double())
    penalty = 5.0 * kl_divergence(Categorical(observed(q.log_probs.exp()).mean(0)), uniform).sum()
    kl = kl_divergence(Categorical(logits=q.log_probs), Categorical(logits=p.log_probs)).sum(-1)
    assert penalty > 0.1
    for w in (W, 1.0, 2.0):
        found = elbo_loss(distortion, q, p, latent, ConstantW(w), MASK)
        torch.testing.assert_close(found.usage_penalty, max(0.0, 1 - w) * penalty)
        torch.testing.assert_close(found.loss - found.usage_penalty, observed(distortion + w * kl).mean())


def test_particle_loss_is_minus_the_bound_per_step():
    """Its parts are means over all particles, without gradients, and the schedule advances by one step."""
    latent, schedule, K = GaussianLatent(z_dim=4), LinearW(steps=10), 2
    schedule.n += 3
    q, p = (type(dist)(*(part.repeat(1, K, 1) for part in dist)) for dist in two_distributions(latent))
    distortion, bound = torch.randn(T, K * B).double(), torch.randn(B).double().requires_grad_()
    mask = MASK.repeat(1, K)
    found = particle_loss(bound, MASK.sum(), distortion, q, p, latent, schedule, mask)
    torch.testing.assert_close(found.loss, -bound.sum() / N_OBSERVED)
    torch.testing.assert_close(torch.autograd.grad(found.loss, bound)[0], torch.full((B,), -1 / N_OBSERVED).double())
    kl = kl_divergence(Normal(*q), Normal(*p))
    torch.testing.assert_close(found.kl, kl.detach())
    assert not found.kl.requires_grad
    elbo = (distortion + 0.3 * kl.sum(-1))[mask].mean()
    torch.testing.assert_close(found.log["elbo_loss"], elbo.detach())
    assert float(found.w) == pytest.approx(0.3)
    assert schedule.n == 4


def test_particle_loss_has_the_usage_penalty():
    latent = CategoricalLatent(classes=3, balance=5.0)
    q, p = two_distributions(latent)
    distortion, bound = torch.randn(T, B).double(), torch.randn(B).double()
    found = particle_loss(bound, MASK.sum(), distortion, q, p, latent, ConstantW(W), MASK)
    penalty = (1 - W) * latent.usage_penalty(q, MASK)
    torch.testing.assert_close(found.loss, -bound.sum() / N_OBSERVED + penalty)
    torch.testing.assert_close(found.usage_penalty, penalty)


def test_no_observed_step_costs_nothing():
    latent = GaussianLatent(z_dim=4)
    q, p = two_distributions(latent)
    distortion, nothing = torch.full((T, B), torch.nan).double(), torch.zeros(T, B, dtype=torch.bool)
    assert elbo_loss(distortion, q, p, latent, ConstantW(W), nothing).loss == 0
    bound = torch.zeros(B).double()
    assert particle_loss(bound, nothing.sum(), distortion, q, p, latent, ConstantW(W), nothing).loss == 0


def test_elbo_scalars():
    log_prob, kl = torch.randn(T, B), torch.rand(T, B, 4)
    found = elbo_scalars(log_prob, kl, MASK)
    log_likelihood, mean_kl = float(observed(log_prob).mean()), float(observed(kl.sum(-1)).mean())
    assert found == pytest.approx(
        {"elbo": log_likelihood - mean_kl, "log_likelihood": log_likelihood, "kl": mean_kl}, rel=1e-5
    )


def batch() -> Batch:
    x = torch.where(MASK.unsqueeze(-1), 0.1 * torch.randn(T, B, 2).cumsum(0), torch.nan)
    return Batch(x, MASK, torch.ones(B, dtype=torch.bool))


def assert_same(ours: Tensor, expected: Loss):
    assert ours.requires_grad
    assert torch.equal(ours, expected.loss)


def test_training_step_returns_elbo_loss():
    vrnn, data = VRNN(engine="reference"), batch()
    module = VRNNModule(vrnn, ConstantW(W), steps=10)
    torch.manual_seed(1)
    loss = module.training_step(data, 0)
    torch.manual_seed(1)
    run = vrnn.infer(data.x, mask=data.mask)
    assert_same(loss, elbo_loss(vrnn.distortion(run), run.q, run.p, vrnn.latent, ConstantW(W), run.mask))


@pytest.mark.parametrize("bound", [IWAE(2), FIVO(2)], ids=["iwae", "fivo"])
def test_training_step_returns_particle_loss(bound):
    vrnn, data = VRNN(engine="reference"), batch()
    module = VRNNModule(vrnn, ConstantW(W), steps=10, bound=bound)
    torch.manual_seed(1)
    loss = module.training_step(data, 0)
    torch.manual_seed(1)
    result = infer_particles(vrnn, data.x, bound, mask=data.mask, w=W)
    torch.testing.assert_close(loss, -result.bound.sum().float() / N_OBSERVED, rtol=1e-6, atol=1e-6)
    assert loss.requires_grad
