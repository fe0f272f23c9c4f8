"""Particles resampled in the kernels: the reference engine's numbers, forward and backward, for every part of a model."""

import pytest
import torch

from tests.engine.engine_pairs import assert_close, gradients, model, outputs
from vrnn.engine import reference
from vrnn.engine.interface import Weighing
from vrnn.engine.native import filtering
from vrnn.networks import GRU, LSTM, MTRNN, Elman, LabelCondition, NoRecurrence, StandardPrior
from vrnn.objective import (
    BernoulliLikelihood,
    BivariateLikelihood,
    CategoricalLatent,
    FixedGaussianLikelihood,
    GaussianCategoricalLatent,
    GaussianLatent,
    GaussianMixtureLikelihood,
    NoLatent,
    PenLikelihood,
)
from vrnn.threads import set_threads

VAE = {"recurrence": NoRecurrence, "h_dim": 0, "prior_network": StandardPrior}
PARTS = {
    **{cell.__name__: {"recurrence": cell} for cell in (Elman, GRU, LSTM, MTRNN)},
    "standard prior": {"prior_network": StandardPrior},
    "classes": {"latent": CategoricalLatent(3, 5, uniform=0.1)},
    "both": {"latent": GaussianCategoricalLatent(GaussianLatent(3), CategoricalLatent(2, 3)), "recurrence": LSTM},
    "no latent": {"latent": NoLatent()},
    "vae": VAE,
    "condition": {"condition": LabelCondition(["a", "b"], 5)},
    "one sigma": {"likelihood": FixedGaussianLikelihood(0.4)},
    "mixture": {"likelihood": GaussianMixtureLikelihood(3, ceiling=2.0)},
    "binary": {"likelihood": BernoulliLikelihood()},
    "bivariate": {"likelihood": BivariateLikelihood(3)},
    "pen": {"likelihood": PenLikelihood(2), "x_dim": 3},
}


@pytest.fixture(autouse=True)
def _seed_and_threads():
    torch.manual_seed(0)
    yield
    set_threads(1)


def given(vrnn, particles=4, steps=7, batch=3, below=0.7):
    """Random inputs of a filter: traces of unequal lengths, from a carried state."""
    like = next(vrnn.parameters())
    x = torch.randn(steps, batch, vrnn.x_dim).to(like)
    binary = isinstance(vrnn.likelihood, BernoulliLikelihood)
    x[..., : vrnn.x_dim if binary else int(isinstance(vrnn.likelihood, PenLikelihood))] = 1.0
    rows = particles * batch
    memory = torch.randn(rows, vrnn.recurrence.state_dim).to(like).requires_grad_()
    features = torch.randn(steps, batch, vrnn.coordinates.n_features(vrnn.x_dim)).to(like).requires_grad_()
    mask = torch.arange(steps).unsqueeze(1) < torch.linspace(steps, steps // 2, batch)
    uniform = torch.rand(steps, batch, dtype=torch.float64)
    weighing = Weighing(x, torch.randn_like(x), mask, uniform, particles, below, w=0.8)
    context = torch.randn(steps, batch, vrnn.condition.dim).to(like).requires_grad_() if vrnn.condition.dim else None
    return features, vrnn.latent.noise(steps, rows, like=like), memory, weighing, context


def results(engine, vrnn, inputs):
    """Return how particles were resampled, all outputs, and the gradients."""
    found = engine.filter_particles(vrnn, *inputs)
    parts = outputs(found.run)
    return [*found[1:], *parts, *gradients(parts, [inputs[0], inputs[2], inputs[4], *vrnn.parameters()])]


def compare(vrnn, inputs, tolerance=1e-10):
    ours, theirs = (results(engine, vrnn, inputs) for engine in (filtering, reference))
    assert_close(ours, theirs, tolerance)
    return ours


@pytest.mark.parametrize("options", PARTS.values(), ids=PARTS)
def test_every_part(options):
    vrnn = model(**options)
    ancestors, due = compare(vrnn, given(vrnn))[1:3]
    if not isinstance(vrnn.latent, NoLatent):
        assert due[:-1].any()
        assert (ancestors != torch.arange(4)[None, :, None]).any()


@pytest.mark.parametrize("particles", [1, 16, 64, 128])
def test_every_number_of_particles(particles):
    vrnn = model(LSTM)
    compare(vrnn, given(vrnn, particles, steps=5))


@pytest.mark.parametrize(("steps", "batch"), [(1, 1), (70, 1), (3, 17)])
def test_every_length_and_batch(steps, batch):
    vrnn = model()
    compare(vrnn, given(vrnn, 3, steps, batch))


@pytest.mark.parametrize("threads", [1, 2])
def test_the_same_bits_every_time(threads):
    """Whatever memory held before; and without a graph, whose tape is short."""
    vrnn = model(LSTM)
    inputs = given(vrnn, batch=20)
    set_threads(threads)
    first = compare(vrnn, inputs)
    filtering.filter_particles(vrnn, *(part * torch.nan for part in inputs[:3]), *inputs[3:])
    assert all(map(torch.equal, results(filtering, vrnn, inputs), first))
    with torch.no_grad():
        found = filtering.filter_particles(vrnn, *inputs)
    assert all(map(torch.equal, [*found[1:], *outputs(found.run)], first))


def test_soft_draws_are_refused():
    vrnn = model(latent=CategoricalLatent(2, 3, "gumbel_softmax"))
    with pytest.raises(ValueError, match="not soft"):
        filtering.filter_particles(vrnn, *given(vrnn))
