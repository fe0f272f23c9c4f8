"""The wake loss: by enumeration where z has finitely many values, by closed forms where it is Gaussian."""

import math

import pytest
import torch
from torch.distributions import Categorical, Normal, kl_divergence

from vrnn.model import VRNN
from vrnn.objective import CategoricalLatent, ConstantW, Terms, WakeW
from vrnn.objective.loss import elbo_loss
from vrnn.objective.wake import WakeTerms, sampled_wake_terms, summed_wake_terms


def chance(seed=0):
    return torch.Generator().manual_seed(seed)


def draws(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=chance(seed))


def test_summed_terms_by_enumeration():
    log_x, p, q = draws(4, 3, 2, seed=0), draws(4, 3, 2, seed=1).log_softmax(0), draws(4, 3, 2, seed=2).log_softmax(0)
    found = summed_wake_terms(log_x, p, q)
    for t in range(3):
        for b in range(2):
            joint = [math.exp(p[k, t, b] + log_x[k, t, b]) for k in range(4)]
            r = [value / sum(joint) for value in joint]
            kl = sum(r[k] * (math.log(r[k]) - float(q[k, t, b])) for k in range(4))
            assert float(found.nll[t, b]) == pytest.approx(-math.log(sum(joint)), rel=1e-12)
            assert float(found.kl[t, b]) == pytest.approx(kl, rel=1e-10)


def test_summed_gradients_are_those_of_expectation_maximisation():
    """-log p(x) has the gradient of -sum_k r_k log p(k) p(x | k), r given; KL(r || q) that of -sum_k r_k log q(k)."""
    log_x, p, q = (draws(4, 3, 2, seed=i).requires_grad_() for i in range(3))
    terms = summed_wake_terms(log_x, p.log_softmax(0), q.log_softmax(0))
    ours = torch.autograd.grad((terms.nll + terms.kl).sum(), (log_x, p, q))
    joint = log_x + p.log_softmax(0)
    r = joint.softmax(0).detach()
    theirs = torch.autograd.grad(-(r * (joint + q.log_softmax(0))).sum(), (log_x, p, q))
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b)


def linear_gaussian(K, q, seed=0):
    """z ~ N(0.3, 0.5^2), x | z ~ N(2 z, 0.4^2), x = 1; K samples of q for each of 2000 steps."""
    z = q.sample((K, 2000)) if seed is None else q.mean + q.stddev * draws(K, 2000, seed=seed)
    log_x = Normal(2 * z, 0.4).log_prob(torch.tensor(1.0, dtype=torch.float64))
    return z, log_x.unsqueeze(-1), Normal(0.3, 0.5).log_prob(z).unsqueeze(-1), q.log_prob(z).unsqueeze(-1)


EVIDENCE = Normal(0.6, math.sqrt(4 * 0.25 + 0.16))  # of x
PRECISION = 1 / 0.25 + 4 / 0.16
BAYES = Normal(torch.tensor((0.3 / 0.25 + 2 / 0.16) / PRECISION).double(), torch.tensor(PRECISION**-0.5).double())


def test_samples_of_the_true_posterior_are_exact():
    _, *logs = linear_gaussian(5, BAYES)
    found = sampled_wake_terms(*logs)
    torch.testing.assert_close(found.nll, -EVIDENCE.log_prob(torch.tensor(1.0)).double().expand_as(found.nll))
    torch.testing.assert_close(found.kl, torch.zeros_like(found.kl), atol=1e-12, rtol=0)


def test_the_sampled_evidence_is_unbiased():
    """The mean of exp(-nll) over 2000 steps is p(x) within 4.5 standard errors: by chance once in 10^5."""
    _, *logs = linear_gaussian(4, Normal(torch.tensor(0.2).double(), torch.tensor(0.4).double()), seed=1)
    ratio = (-sampled_wake_terms(*logs).nll - EVIDENCE.log_prob(torch.tensor(1.0))).exp()
    assert abs(float(ratio.mean()) - 1) < 4.5 * float(ratio.std()) / math.sqrt(2000)


def test_the_sampled_kl_tends_to_the_exact_one():
    """With 500 samples per step the mean over 2000 steps is within 1 % (bias of the order 1/500) of KL(r || q)."""
    q = Normal(torch.tensor(0.5).double(), torch.tensor(0.3).double())
    _, *logs = linear_gaussian(500, q, seed=2)
    assert float(sampled_wake_terms(*logs).kl.mean()) == pytest.approx(float(kl_divergence(BAYES, q)), rel=0.01)


def test_sampled_gradients_treat_samples_and_weights_as_given():
    log_x, log_p, log_q = (draws(6, 3, 2, seed=i).requires_grad_() for i in range(3))
    terms = sampled_wake_terms(log_x, log_p, log_q)
    ours = torch.autograd.grad((terms.nll + terms.kl).sum(), (log_x, log_p, log_q))
    weights = (log_x + log_p - log_q).softmax(0).detach()
    theirs = torch.autograd.grad(-(weights * (log_x + log_p + log_q)).sum(), (log_x, log_p, log_q))
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b)


def terms(wake=None):
    distortion, kl = draws(3, 2, seed=5), draws(3, 2, 1, seed=6).abs()
    return Terms(distortion, kl, lambda: (kl, kl), None, wake)


def test_the_schedule_goes_from_wake_to_elbo():
    given = summed_wake_terms(draws(4, 3, 2), draws(4, 3, 2).log_softmax(0), draws(4, 3, 2, seed=1).log_softmax(0))
    wake, elbo = float((given.nll + given.kl).mean()), float(ConstantW()(terms()).loss)
    schedule = WakeW(hold=2, end=6)
    for g in (0.0, 0.0, 0.0, 0.25, 0.5, 0.75, 1.0, 1.0):
        weighted = schedule(terms(lambda samples: given))
        assert float(weighted.w) == g
        assert float(weighted.loss) == pytest.approx(g * elbo + (1 - g) * wake, rel=1e-12)
    restored = WakeW(hold=2, end=6)
    restored.load_state_dict(schedule.state_dict())
    assert int(restored.n) == 8
    schedule.eval()
    schedule(terms(lambda samples: given))
    assert int(schedule.n) == 8


def test_a_caller_without_wake_terms_is_refused():
    with pytest.raises(ValueError, match="w_schedule=wake needs the likelihood"):
        WakeW()(terms())
    with pytest.raises(ValueError, match="0 <= hold <= end, but are 5 and 4"):
        WakeW(hold=5, end=4)


@pytest.mark.parametrize("engine", ["native", "reference"])
def test_a_models_terms_by_forcing_every_class(engine):
    """Brute force: each class forced into the decoder, densities by torch.distributions; NaN in the padding changes nothing."""
    torch.manual_seed(0)
    vrnn = VRNN(latent=CategoricalLatent(classes=3, estimator="exact"), engine=engine).double()
    x = 0.1 * draws(5, 2, 2).cumsum(0)
    mask = torch.ones(5, 2, dtype=torch.bool)
    mask[3:, 1] = False
    run = vrnn.infer(x.masked_fill(~mask.unsqueeze(-1), math.nan), mask=mask, generator=chance())
    found = vrnn.wake_terms(run, samples=99)
    p, q = Categorical(logits=run.p[0].squeeze(-2)), Categorical(logits=run.q[0].squeeze(-2))
    log_x = []
    for k in range(3):
        z = torch.eye(3, dtype=torch.float64)[k].expand(5, 2, 3)
        raw = vrnn.decoder(torch.cat([vrnn.phi_z(z), run.h], -1))
        decoder = vrnn.likelihood.from_raw(raw, run.mean_offset, vrnn.coordinates.scale)
        log_x.append(Normal(*decoder).log_prob(run.x).sum(-1))
    joint = torch.stack(log_x, -1) + p.logits
    torch.testing.assert_close(found.nll[mask], -joint.logsumexp(-1)[mask])
    torch.testing.assert_close(found.kl[mask], kl_divergence(Categorical(logits=joint), q)[mask])
    loss = torch.where(mask, found.nll + found.kl, 0.0).sum()
    gradients = torch.autograd.grad(loss, list(vrnn.parameters()))
    assert all(torch.isfinite(gradient).all() for gradient in gradients)


def test_a_gaussian_models_terms_average_to_the_evidence():
    """One step with 20 000 samples estimates log p(x | h) as the mean over prior draws does, within 4.5 standard errors."""
    torch.manual_seed(0)
    vrnn = VRNN(z_dim=2).double()
    x = draws(1, 1, 2)
    with torch.no_grad():
        run = vrnn.infer(x, generator=chance())
        found = vrnn.wake_terms(run, samples=20_000)
        z = run.p.mean + run.p.std * draws(200_000, 1, 1, 2, seed=3)
        h = run.h.expand(200_000, *run.h.shape)
        raw = vrnn.decoder(torch.cat([vrnn.phi_z(z), h], -1))
        decoder = vrnn.likelihood.from_raw(raw, run.mean_offset.expand(200_000, 1, 1, 2), vrnn.coordinates.scale)
        likelihood = Normal(*decoder).log_prob(x).sum(-1).exp().flatten()
    error = float(likelihood.std() / likelihood.mean()) / math.sqrt(200_000)
    assert abs(float(-found.nll) - math.log(float(likelihood.mean()))) < 4.5 * max(error, 0.003)
    assert float(found.kl) >= -0.01


@pytest.mark.parametrize(("schedule", "penalised"), [(WakeW(hold=5, end=9), "prior"), (ConstantW(0.0), "posterior")])
def test_whose_unused_classes_are_penalised(schedule, penalised):
    """The penalty is KL(mean || uniform) of the prior in a wake phase, else of the posterior."""
    latent = CategoricalLatent(classes=3, balance=2.0)
    sides = {"posterior": draws(5, 2, 1, 3), "prior": draws(5, 2, 1, 3, seed=1)}
    q, p = (logits.log_softmax(-1) for logits in sides.values())
    flat = WakeTerms(torch.zeros(5, 2), torch.zeros(5, 2))
    found = elbo_loss(torch.zeros(5, 2), (q,), (p,), latent, schedule, wake=lambda samples: flat)
    mean = sides[penalised].softmax(-1).mean((0, 1, 2))
    uniform = Categorical(logits=torch.zeros(3, dtype=mean.dtype))
    assert float(found.usage_penalty) == pytest.approx(2 * float(kl_divergence(Categorical(mean), uniform)))
