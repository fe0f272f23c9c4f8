"""Missing points drawn in the kernels: the reference engine's numbers, forward and backward, for every part of a model."""

from functools import partial

import pytest
import torch

from tests.engine.engine_pairs import assert_close, gradients, model, outputs
from vrnn.engine import reference
from vrnn.engine.interface import Noise
from vrnn.engine.native import filling
from vrnn.networks import (
    GRU,
    LSTM,
    MTRNN,
    Coordinates,
    Elman,
    LabelCondition,
    Markov,
    NoRecurrence,
    RecurrentPosterior,
    StandardPrior,
)
from vrnn.networks.state import State
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
    SharedGaussianLikelihood,
)
from vrnn.threads import set_threads

VAE = {"recurrence": NoRecurrence, "h_dim": 0, "prior_network": StandardPrior}
POSITION = Coordinates("position", relative_to="nothing")
PARTS = {
    **{cell.__name__: {"recurrence": cell} for cell in (Elman, GRU, LSTM, MTRNN, Markov)},
    "standard prior": {"prior_network": StandardPrior},
    "classes": {"latent": CategoricalLatent(3, 5, uniform=0.1)},
    "both": {"latent": GaussianCategoricalLatent(GaussianLatent(3), CategoricalLatent(2, 3)), "recurrence": LSTM},
    "soft classes": {"latent": CategoricalLatent(2, 3, "gumbel_softmax")},
    "no latent": {"latent": NoLatent()},
    "vae": VAE,
    "condition": {"condition": LabelCondition(["a", "b"], 5)},
    "looks ahead": {"posterior": partial(RecurrentPosterior, width=4)},
    "positions": {"coordinates": POSITION},
    "last point": {"coordinates": Coordinates("position", relative_to="last_point")},
    "ceiling": {"likelihood": GaussianMixtureLikelihood(3, ceiling=2.0)},
    "mixture": {"likelihood": GaussianMixtureLikelihood(3)},
    "one sigma": {"likelihood": FixedGaussianLikelihood(0.4)},
    "one learned sigma": {"likelihood": SharedGaussianLikelihood("learned")},
    "binary": {"likelihood": BernoulliLikelihood(), "coordinates": POSITION},
    "bivariate": {"likelihood": BivariateLikelihood(3)},
    "pen": {"likelihood": PenLikelihood(2), "x_dim": 3},
}


@pytest.fixture(autouse=True)
def _seed_and_threads():
    torch.manual_seed(0)
    yield
    set_threads(1)


def given(vrnn, steps=9, batch=6, start=True):
    """Random inputs with a third of the points missing, first and last ones among them; half of the traces begin anew."""
    like = next(vrnn.parameters())
    x = torch.randn(steps, batch, vrnn.x_dim).to(like)
    mask = torch.rand(steps, batch) > 0.3
    if isinstance(vrnn.likelihood, BernoulliLikelihood | PenLikelihood):
        x[..., : 1 if isinstance(vrnn.likelihood, PenLikelihood) else None] = 1.0
    x = (x * mask.unsqueeze(-1)).requires_grad_()
    noise = Noise.draw(steps, batch, vrnn.latent, vrnn.x_dim, like=like)
    memory = torch.randn(batch, vrnn.recurrence.state_dim).to(like).requires_grad_()
    previous, previous2 = (torch.randn(batch, vrnn.x_dim).to(like).requires_grad_() for _ in range(2))
    state = State(memory, previous, previous2, torch.arange(batch) % 2 == int(start))
    context = torch.randn(steps, batch, vrnn.condition.dim).to(like).requires_grad_() if vrnn.condition.dim else None
    summary = torch.randn(steps, batch, vrnn.posterior.dim).to(like).requires_grad_() if vrnn.posterior.dim else None
    return x, mask, noise, state, context, summary


def results(engine, vrnn, inputs):
    """Return all outputs and the points, and the gradients."""
    run, filled = engine.fill(vrnn, *inputs)
    parts = [*outputs(run), filled]
    return [*parts, *gradients(parts, [inputs[0], *inputs[3][:3], *inputs[4:], *vrnn.parameters()])]


def compare(vrnn, inputs, tolerance=1e-10):
    ours, theirs = (results(engine, vrnn, inputs) for engine in (filling, reference))
    assert_close(ours, theirs, tolerance)
    return ours


@pytest.mark.parametrize("options", PARTS.values(), ids=PARTS)
def test_every_part(options):
    vrnn = model(**options)
    inputs = given(vrnn)
    *_, filled = reference.fill(vrnn, *inputs)
    assert (filled != inputs[0]).any(-1)[~inputs[1]].any()  # points are drawn; a binary one may well be 0
    compare(vrnn, inputs)


@pytest.mark.parametrize(("steps", "batch"), [(1, 1), (2, 3), (70, 1), (3, 17), (30, 9)])
def test_every_length_and_batch(steps, batch):
    vrnn = model()
    compare(vrnn, given(vrnn, steps, batch))
    compare(vrnn, given(vrnn, steps, batch, start=False))


def test_single_precision():
    vrnn = model(LSTM, dtype=torch.float32)
    compare(vrnn, given(vrnn), tolerance=1e-4)


@pytest.mark.parametrize("threads", [1, 2])
def test_the_same_bits_every_time(threads):
    """Whatever memory held before; and without a graph, whose tape is short."""
    vrnn = model(LSTM)
    inputs = given(vrnn, batch=20)
    set_threads(threads)
    first = compare(vrnn, inputs)
    x, mask, noise, state, *others = inputs
    spoiled = Noise(noise.z * torch.nan, noise.x * torch.nan, noise.uniform)
    filling.fill(vrnn, x * torch.nan, mask, spoiled, state, *others)
    assert all(map(torch.equal, results(filling, vrnn, inputs), first))
    with torch.no_grad():
        run, filled = filling.fill(vrnn, *inputs)
    assert all(map(torch.equal, [*outputs(run), filled], first))
