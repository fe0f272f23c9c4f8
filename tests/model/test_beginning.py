"""The distribution of first points and the learned initial state, in both engines."""

import numpy as np
import pytest
import torch
from scipy.special import logsumexp
from scipy.stats import norm

from vrnn.engine.interface import Noise
from vrnn.model import VRNN
from vrnn.model.particles import infer_particles
from vrnn.networks import Coordinates
from vrnn.objective import (
    BernoulliLikelihood,
    CategoricalLatent,
    GaussianLikelihood,
    MSELikelihood,
    NADELikelihood,
    PenLikelihood,
)
from vrnn.objective.bounds import FIVO, IWAE

SIZES = {"h_dim": 5, "phi_x": [4], "phi_z": [3], "prior": [6], "encoder": [7], "decoder": [6]}
ENGINES = ("reference", "native")


def small(engine="reference", latent=None, **options):
    torch.manual_seed(0)
    vrnn = VRNN(
        **SIZES, z_dim=2, engine=engine, latent=latent, first_points=3, likelihood=GaussianLikelihood(), **options
    ).double()
    with torch.no_grad():
        vrnn.beginning.memory.normal_()
    return vrnn


def walk(steps=6, batch=4):
    return torch.randn(steps, batch, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(1)).cumsum(0)


def noise():
    return torch.Generator().manual_seed(2)


def first_log_prob(vrnn, x):
    """log sum_k w_k N(x; m_k, s_k^2), from the raw parameters."""
    raw = vrnn.beginning.raw.detach().numpy()
    logits, mean, std = raw[:3], raw[3:9].reshape(3, 2), np.log1p(np.exp(raw[9:])).reshape(3, 2) + 1e-3
    parts = logits - logsumexp(logits) + norm.logpdf(x.numpy()[:, None], mean, std).sum(-1)
    return logsumexp(parts, axis=-1)


@pytest.mark.parametrize("latent", [None, CategoricalLatent(1, 3, "exact")], ids=["gaussian", "exact"])
def test_a_first_point_has_its_own_density_and_no_kl(latent):
    vrnn, x = small(latent=latent), walk()
    run = vrnn.infer(x, generator=noise())
    expected = first_log_prob(vrnn, x[0])
    np.testing.assert_allclose(vrnn.log_prob(run)[0].detach(), expected)
    np.testing.assert_allclose(-vrnn.distortion(run)[0].detach(), expected)
    kl = vrnn.latent.kl(run.q, run.p).sum(-1)
    assert torch.equal(kl[0], torch.zeros(4, dtype=torch.float64))
    assert (kl[1:] > 0).all()
    terms = vrnn.wake_terms(run, 3)
    torch.testing.assert_close(terms.kl[0], torch.zeros(4, dtype=torch.float64), atol=1e-12, rtol=0)
    np.testing.assert_allclose(-terms.nll[0].detach(), expected)
    later = vrnn.infer(x[3:], vrnn.infer(x[:3], generator=noise()).state)
    assert torch.equal(vrnn.log_prob(later), vrnn.likelihood.log_prob(later.decoder, later.x))


def test_engines_agree_on_gradients_and_draws():
    results = []
    for engine in ENGINES:
        vrnn, x = small(engine), walk()
        run = vrnn.infer(x, generator=noise())
        loss = -(vrnn.log_prob(run) - vrnn.latent.kl(run.q, run.p).sum(-1)).mean()
        loss.backward()
        parameters = (vrnn.beginning.raw, vrnn.beginning.memory, vrnn.decoder[1].bias)
        assert all(parameter.grad.abs().sum() > 0 for parameter in parameters)
        results.append([loss.detach(), *(p.grad for p in parameters), vrnn.generate(3, 5, generator=noise())])
    for ours, theirs in zip(*results, strict=True):
        torch.testing.assert_close(ours, theirs)


def test_generated_first_points_are_the_mixture():
    """Their mean and deviation are the mixture's: 20 000 draws, within five standard errors."""
    vrnn = small()
    drawn = vrnn.generate(20_000, 1, generator=noise())
    assert drawn.shape == (1, 20_000, 2)
    expected = vrnn.beginning.mixture.moments(vrnn.beginning.distribution())
    error = expected.std.detach() / 20_000**0.5
    assert ((drawn[0].mean(0) - expected.mean).abs() < 5 * error).all()
    assert ((drawn[0].std(0) / expected.std - 1).abs() < 0.05).all()


def test_a_missing_first_point_is_drawn_from_it():
    vrnn, x = small(), walk(4, 500)
    with torch.no_grad():
        vrnn.beginning.raw[3:9] = 50.0
    mask = torch.ones(4, 500, dtype=torch.bool)
    mask[0, :250] = False
    filled = vrnn.impute(x, mask, generator=noise())
    assert (filled[0, :250] > 40).all()
    assert torch.equal(filled[0, 250:], x[0, 250:])


def quiet(engine):
    """A model whose z is the posterior's mean, so that batches of any shape can be compared."""
    vrnn = small(engine)
    vrnn.latent.noise = lambda *shape, like, generator=None: like.new_zeros(*shape, vrnn.latent.n_noise)
    return vrnn


def losses(vrnn, x, mask=None, **options):
    """The negative ELBO of each observed step, 0 at the others, (T, B), and the inference."""
    run = vrnn.infer(x, mask=mask, generator=noise(), **options)
    loss = vrnn.latent.kl(run.q, run.p).sum(-1) - vrnn.log_prob(run)
    return (loss if mask is None else torch.where(mask, loss, 0.0)), run


@pytest.mark.parametrize("engine", ENGINES)
def test_unequal_lengths_have_the_gradients_of_each_alone(engine):
    vrnn, x, lengths = quiet(engine), walk(6, 3), (6, 4, 1)
    mask = torch.arange(6)[:, None] < torch.tensor(lengths)
    padded = torch.where(mask[..., None], x, torch.nan)
    together, _ = losses(vrnn, padded, mask)
    expected = torch.autograd.grad(together.sum(), list(vrnn.parameters()))
    alone = [losses(vrnn, x[:length, b : b + 1])[0].sum() for b, length in enumerate(lengths)]
    torch.testing.assert_close(together.sum(0), torch.stack(alone))
    for ours, theirs in zip(torch.autograd.grad(sum(alone), list(vrnn.parameters())), expected, strict=True):
        torch.testing.assert_close(ours, theirs)


def still(noise):
    """Noise by which a point is drawn at its mean."""
    return noise._replace(x=torch.zeros_like(noise.x))


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("cut", [1, 3, 5])
def test_windows_cut_anywhere_have_the_losses_of_the_whole(engine, cut, monkeypatch):
    """Trace 0 has a gap, trace 1 no first point, trace 2 everything, trace 3 nothing before its last point."""
    vrnn, x = quiet(engine), walk(6, 4)
    mask = torch.ones(6, 4, dtype=torch.bool)
    mask[2:4, 0] = mask[0, 1] = mask[:5, 3] = False
    # What fills a gap must not depend on how the trace is cut.
    draw = Noise.draw
    monkeypatch.setattr(Noise, "draw", lambda *args, **options: still(draw(*args, **options)))
    vrnn.beginning.sample = lambda n, _: torch.full((n, 2), 0.5, dtype=torch.float64)
    whole, run = losses(vrnn, torch.where(mask[..., None], x, torch.nan), mask, fill=True)
    first, before = losses(vrnn, x[:cut], mask[:cut], fill=True)
    rest, _ = losses(vrnn, x[cut:], mask[cut:], fill=True, state=before.state)
    torch.testing.assert_close(torch.cat([first, rest]), whole)
    np.testing.assert_allclose(-whole[0, [0, 2]].detach(), first_log_prob(vrnn, x[0, [0, 2]]))
    assert torch.equal(whole[0, [1, 3]], torch.zeros(2, dtype=torch.float64))
    # A drawn first point serves as an observed one for all that follows, but is not scored.
    observed, _ = losses(vrnn, run.filled)
    torch.testing.assert_close(observed[1:, 1], whole[1:, 1])


@pytest.mark.parametrize("engine", ENGINES)
def test_particles_weigh_a_first_point_alike(engine):
    """One particle: FIVO is the sampled ELBO of the same noise. Several: the running bound ends with the bound."""
    vrnn, x = small(engine), walk()
    for kind in (IWAE, FIVO):
        one = infer_particles(vrnn, x, kind(1), generator=noise())
        run = vrnn.infer(x, generator=noise())
        log_p, log_q = (vrnn.latent.log_prob(dist, run.z) for dist in (run.p, run.q))
        torch.testing.assert_close(one.bound, (vrnn.log_prob(run) + log_p - log_q).sum(0))
        many = infer_particles(vrnn, x, kind(4), generator=noise())
        torch.testing.assert_close(many.running[-1], many.bound.detach())
    np.testing.assert_allclose(many.running[0], first_log_prob(vrnn, x[0]))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"likelihood": MSELikelihood()}, "density of real numbers"),
        ({"likelihood": BernoulliLikelihood()}, "density of real numbers"),
        ({"likelihood": NADELikelihood(2)}, "density of real numbers"),
        ({"likelihood": PenLikelihood()}, "density of real numbers"),
        ({"coordinates": Coordinates(relative_to="nothing", predicts="next")}, "frame.predicts"),
    ],
)
def test_what_has_no_first_point_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        VRNN(**SIZES, first_points=3, **options)
