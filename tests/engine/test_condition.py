"""Both engines give a conditioned model the same numbers, and all six networks see its context."""

import pytest
import torch

from tests.engine.engine_pairs import compare, inputs, model
from vrnn.engine import reference
from vrnn.engine.interface import Noise, Sampling
from vrnn.engine.native import autograd
from vrnn.networks import GRU, LSTM, MTRNN, Elman, LabelCondition, NoRecurrence, SeriesCondition, StandardPrior
from vrnn.objective import CategoricalLatent, GaussianLatent, NoLatent

LABELS = ["circle", "triangle", "eye"]


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def conditioned(recurrence=GRU, **options):
    return model(recurrence, condition=LabelCondition(LABELS, 5), **options)


def context(vrnn, steps=7, batch=5):
    """A context that differs from step to step, as no label's does."""
    return torch.randn(steps, batch, vrnn.condition.dim).double().requires_grad_()


@pytest.mark.parametrize("recurrence", [Elman, GRU, LSTM, MTRNN])
def test_every_recurrence(recurrence):
    vrnn = conditioned(recurrence)
    compare(vrnn, [*inputs(vrnn), context(vrnn)])


@pytest.mark.parametrize(
    "latent",
    [
        CategoricalLatent(2, classes=3),
        CategoricalLatent(2, classes=3, estimator="gumbel_softmax"),
        NoLatent(),
    ],
    ids=["categorical", "gumbel", "none"],
)
def test_every_latent(latent):
    vrnn = conditioned(latent=latent)
    compare(vrnn, [*inputs(vrnn), context(vrnn)])


def test_without_memory():
    vrnn = conditioned(NoRecurrence, h_dim=0, prior_network=StandardPrior)
    compare(vrnn, [*inputs(vrnn), context(vrnn)])


@pytest.mark.parametrize(("dim", "batch"), [(1, 1), (8, 3), (17, 70)])
def test_every_width_and_batch(dim, batch):
    vrnn = model(condition=LabelCondition(LABELS, dim))
    compare(vrnn, [*inputs(vrnn, 30, batch), context(vrnn, 30, batch)])


@torch.no_grad()
def test_both_engines_generate_the_same():
    vrnn = conditioned()
    noise, state = Noise.draw(40, 6, vrnn.latent, 2, like=torch.zeros(1).double()), vrnn.initial_state(6)
    given = context(vrnn, 40, 6)
    ours, theirs = (engine.generate(vrnn, noise, state, Sampling(), given) for engine in (autograd, reference))
    torch.testing.assert_close(ours[0], theirs[0], rtol=0, atol=1e-10)
    torch.testing.assert_close(ours[1].memory, theirs[1].memory, rtol=0, atol=1e-10)


def test_both_engines_learn_the_same_from_series():
    """Outputs and the gradients of all weights, those of the condition's own network included."""
    vrnn = model(condition=SeriesCondition(["heat", "wind"], [5]))
    x, series = torch.randn(7, 5, 2).double(), torch.randn(7, 5, 2).double()
    found = []
    for engine in ("native", "reference"):
        vrnn.engine = engine
        run = vrnn.infer(x, generator=torch.Generator().manual_seed(1), condition=series)
        loss = sum(part.square().sum() for part in (*run.q, *run.p, *run.decoder, run.state.memory))
        found.append((loss, *torch.autograd.grad(loss, list(vrnn.parameters()))))
    assert all(part.abs().sum() > 0 for part in found[0])
    for ours, theirs in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-10)


def test_a_context_of_zeros_is_no_condition():
    """The columns of the weights that see the context are the first; without them the model is an unconditioned one."""
    vrnn, plain = conditioned(), model()
    weights = {name: part for name, part in vrnn.state_dict().items() if not name.startswith("condition")}
    own = plain.state_dict()
    cut = {name: part[:, -own[name].shape[-1] :] if part.dim() == 2 else part for name, part in weights.items()}
    plain.load_state_dict(cut)
    given, zeros = inputs(vrnn), torch.zeros(7, 5, 5).double()
    run, expected = reference.unroll(vrnn, *given, zeros), reference.unroll(plain, *given)
    for found, right in zip(
        (run.raw, run.h, *run.p, *run.q), (expected.raw, expected.h, *expected.p, *expected.q), strict=True
    ):
        torch.testing.assert_close(found, right, rtol=0, atol=1e-12)


def test_all_six_networks_see_the_context():
    vrnn = conditioned()
    run = vrnn.infer(torch.randn(6, 3, 2).double(), condition=torch.tensor([0, 1, 2]))
    loss = sum(part.sum() for part in (*run.q, *run.p, *run.decoder, run.state.memory))
    first = {
        name: getattr(vrnn, name).get_parameter(weight)
        for name, weight in (
            ("phi_x", "0.weight"),
            ("phi_z", "0.weight"),
            ("prior", "hidden.0.weight"),
            ("encoder", "hidden.0.weight"),
            ("decoder", "0.0.weight"),
            ("recurrence", "cell.weight_ih"),
        )
    }
    for name, gradient in zip(first, torch.autograd.grad(loss, list(first.values())), strict=True):
        assert gradient[:, :5].abs().sum() > 0, name


def test_a_context_of_another_width_is_refused():
    vrnn = conditioned()
    with pytest.raises(ValueError, match=r"context must have shape \(7, 5, 5\)"):
        autograd.unroll(vrnn, *inputs(vrnn), torch.zeros(7, 5, 4).double())
    with pytest.raises(ValueError, match=r"context must have shape \(7, 5, 5\), but has \(7, 5, 0\)"):
        autograd.unroll(vrnn, *inputs(vrnn))


def test_gaussian_noise_still_has_its_gradient():
    vrnn = conditioned(latent=GaussianLatent(3))
    given = inputs(vrnn)
    gradient = torch.autograd.grad(autograd.unroll(vrnn, *given, context(vrnn)).raw.sum(), given[1])[0]
    assert gradient.shape == given[1].shape
    assert gradient.abs().sum() > 0
