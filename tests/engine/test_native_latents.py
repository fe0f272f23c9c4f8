"""The native engine gives the same numbers as the reference engine for every latent, prior and without a recurrence."""

import pytest
import torch

from tests.engine.engine_pairs import DEEP, compare, inputs, model, outputs
from vrnn.engine import reference
from vrnn.engine.interface import Noise, Sampling
from vrnn.engine.native import autograd
from vrnn.model import VRNN
from vrnn.networks import GRU, LSTM, NoRecurrence, StandardPrior
from vrnn.objective import (
    CategoricalLatent,
    GaussianCategoricalLatent,
    GaussianLatent,
    GaussianMixtureLikelihood,
    NoLatent,
)
from vrnn.threads import set_threads


@pytest.fixture(autouse=True)
def _seed_and_threads():
    torch.manual_seed(0)
    yield
    set_threads(1)


def both(classes: CategoricalLatent, z_dim=3, std="sigmoid") -> GaussianCategoricalLatent:
    return GaussianCategoricalLatent(GaussianLatent(z_dim, std, floor=0.01), classes)


GUMBEL = {"estimator": "gumbel_softmax", "temperature": 0.7}
VAE = {"recurrence": NoRecurrence, "h_dim": 0, "prior_network": StandardPrior}
LATENTS = {  # only the width of "1 x 8 exact" and "both, whole" is a multiple of a vector
    "gaussian": lambda: GaussianLatent(3),
    "1 x 8 exact": lambda: CategoricalLatent(1, 8, "exact"),
    "1 x 2": lambda: CategoricalLatent(1, 2),
    "3 x 5": lambda: CategoricalLatent(3, 5),
    "2 x 17 mixed": lambda: CategoricalLatent(2, 17, uniform=0.1),
    "3 x 5 gumbel": lambda: CategoricalLatent(3, 5, **GUMBEL),
    "3 x 5 gumbel mixed": lambda: CategoricalLatent(3, 5, uniform=0.1, **GUMBEL),
    "both": lambda: both(CategoricalLatent(3, 5, uniform=0.02)),
    "both, whole": lambda: both(CategoricalLatent(2, 8), z_dim=16),
    "both gumbel": lambda: both(CategoricalLatent(3, 5, **GUMBEL)),
    "none": NoLatent,
}
every_latent = pytest.mark.parametrize("latent", LATENTS.values(), ids=LATENTS)


def generate_by_both(vrnn, sample=True, steps=20, batch=5):
    """Generate from the same noise by both engines; return the points and the state after them of each."""
    noise = Noise.draw(steps, batch, vrnn.latent, 2, like=next(vrnn.parameters()))
    with torch.no_grad():
        ends = [
            engine.generate(vrnn, noise, vrnn.initial_state(batch), Sampling(sample))
            for engine in (autograd, reference)
        ]
    return [[points, *state] for points, state in ends]


@every_latent
def test_every_latent(latent):
    vrnn = model(latent=latent())
    compare(vrnn, inputs(vrnn))
    for ours, theirs in zip(*generate_by_both(vrnn), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-8, atol=1e-8)


@every_latent
def test_the_same_kind_of_distribution(latent):
    """q and p have the reference engine's class and shapes, so that the KL accepts them, also in evaluation mode."""
    vrnn = model(latent=latent()).eval()
    given = inputs(vrnn)
    ours, theirs = (engine.unroll(vrnn, *given) for engine in (autograd, reference))
    assert type(ours.q) is type(theirs.q)
    assert type(ours.p) is type(theirs.p)
    for a, b in zip(outputs(ours), outputs(theirs), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-10)
    torch.testing.assert_close(vrnn.latent.kl(ours.q, ours.p), vrnn.latent.kl(theirs.q, theirs.p))


@every_latent
def test_standard_prior(latent):
    vrnn = model(latent=latent(), prior_network=StandardPrior, likelihood=GaussianMixtureLikelihood(3))
    compare(vrnn, inputs(vrnn))
    for sample in (True, False):
        for ours, theirs in zip(*generate_by_both(vrnn, sample), strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("latent", [value for name, value in LATENTS.items() if name != "none"])
@pytest.mark.parametrize(("steps", "batch"), [(1, 1), (70, 1), (40, 33)])
def test_no_recurrence(latent, steps, batch):
    """A VAE: no state, so that the steps are independent."""
    vrnn = model(latent=latent(), **VAE)
    compare(vrnn, inputs(vrnn, steps, batch))
    for ours, theirs in zip(*generate_by_both(vrnn, steps=3, batch=batch), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-8, atol=1e-8)


@every_latent
@pytest.mark.parametrize("threads", [1, 2])
def test_float32_in_blocks(latent, threads):
    """Fails if rounding changes a drawn class: about once in 1e4 runs."""
    set_threads(threads)
    vrnn = model(LSTM, torch.float32, latent=latent())
    compare(vrnn, inputs(vrnn, steps=30, batch=17), tolerance=1e-4)


def test_impossible_classes():
    """Logits 800 apart: log probabilities stay exact, nothing overflows, and `uniform` keeps every class possible."""
    for uniform in (0.0, 0.1):
        vrnn = model(latent=CategoricalLatent(2, 3, uniform=uniform))
        with torch.no_grad():
            for network in (vrnn.encoder, vrnn.prior):
                network.head.bias.copy_(torch.tensor([0.0, -800.0, 800.0, 0.0, 20.0, -20.0]))
        compare(vrnn, inputs(vrnn))


@pytest.mark.parametrize("recurrence", [GRU, NoRecurrence])
@pytest.mark.parametrize("latent", ["3 x 5 gumbel mixed", "both gumbel", "none"])
def test_gradients_against_differences(recurrence, latent):
    """Only for differentiable draws: the straight-through gradient is not the derivative of z."""
    if recurrence is NoRecurrence and latent == "none":
        return
    options = VAE if recurrence is NoRecurrence else {"h_dim": 3}
    sizes = {network: [3] for network in DEEP}
    vrnn = VRNN(**{**sizes, **options}, latent=LATENTS[latent](), activation="tanh").double()
    features, noise, memory = inputs(vrnn, steps=3, batch=2)

    def run(*given):
        return tuple(part for part in outputs(autograd.unroll(vrnn, given[0], noise, given[1])) if part.requires_grad)

    assert torch.autograd.gradcheck(run, (features, memory, *vrnn.parameters()))


def test_frequencies_of_classes():
    """20 000 draws from the standard prior; five standard errors: fails about once in 4e5."""
    vrnn = model(
        latent=CategoricalLatent(1, 5), prior_network=StandardPrior, **{"recurrence": NoRecurrence, "h_dim": 0}
    )
    with torch.no_grad():
        vrnn.encoder.head.weight.zero_()
        vrnn.encoder.head.bias.copy_(torch.tensor([0.1, 0.2, 0.3, 0.15, 0.25]).log())
        run = autograd.unroll(vrnn, *inputs(vrnn, steps=200, batch=100))
    probs = torch.tensor([0.1, 0.2, 0.3, 0.15, 0.25]).double()
    assert ((run.z.mean((0, 1)) - probs).abs() < 5 * (probs * (1 - probs) / 20_000).sqrt()).all()


def test_gumbel_noise_has_no_gradient():
    vrnn = model(latent=CategoricalLatent(3, 5, **GUMBEL), engine="native")
    features, noise, memory = inputs(vrnn)
    with pytest.raises(ValueError, match="no gradient for Gumbel noise"):
        autograd.unroll(vrnn, features, noise.requires_grad_(), memory)
