"""The native engine gives the same numbers as the reference engine: forward, backward and generating."""

import logging
import subprocess
import sys

import pytest
import torch
from torch import nn

from tests.engine.engine_pairs import DEEP, compare, inputs, model, results
from vrnn.engine import dispatch, reference
from vrnn.engine.interface import Noise, Sampling
from vrnn.engine.native import autograd
from vrnn.model import VRNN
from vrnn.model.vrnn import STREAM_STEPS
from vrnn.networks import GRU, LSTM, MTRNN, Coordinates, Elman
from vrnn.networks.state import State
from vrnn.objective import (
    BernoulliLikelihood,
    BivariateLikelihood,
    FixedGaussianLikelihood,
    GaussianLikelihood,
    GaussianMixtureLikelihood,
    MSELikelihood,
    PenLikelihood,
    SharedGaussianLikelihood,
    gaussian_kl,
)
from vrnn.threads import set_threads

RECURRENCES = [Elman, GRU, LSTM, MTRNN]
COORDINATES = [
    Coordinates("position", relative_to="nothing", scale=1.0),
    Coordinates("position_difference", relative_to="last_point", scale=0.3),
    Coordinates("position_difference", relative_to="velocity", scale=0.1),
]


@pytest.fixture(autouse=True)
def _seed_and_threads():
    torch.manual_seed(0)
    yield
    set_threads(1)


@pytest.mark.parametrize("recurrence", RECURRENCES)
@pytest.mark.parametrize("carried", [False, True], ids=["fresh", "carried"])
def test_every_recurrence(recurrence, carried):
    vrnn = model(recurrence)
    compare(vrnn, inputs(vrnn, carried=carried))


@pytest.mark.parametrize("activation", ["relu", "tanh", "elu", "silu"])
@pytest.mark.parametrize("std", ["softplus", "sigmoid"])
def test_every_activation_and_deviation(activation, std):
    vrnn = model(activation=activation, std=std, std_floor=0.05)
    compare(vrnn, inputs(vrnn))


@pytest.mark.parametrize(("steps", "batch"), [(1, 1), (200, 1), (130, 3), (3, 70), (40, 33)])
@pytest.mark.parametrize("recurrence", [GRU, LSTM])
def test_every_length_and_batch(recurrence, steps, batch):
    """Lengths that are and are not multiples of a block of steps, batches that are and are not multiples of a tile."""
    vrnn = model(recurrence)
    compare(vrnn, inputs(vrnn, steps, batch))


@pytest.mark.parametrize("threads", [1, 2])
def test_reused_memory_with_nan_has_no_effect(threads):
    set_threads(threads)
    vrnn = model()
    given = inputs(vrnn, batch=20)
    expected = results(autograd, vrnn, given)
    results(autograd, vrnn, [(part.detach() * torch.nan).requires_grad_() for part in given])
    assert all(map(torch.equal, results(autograd, vrnn, given), expected))


def test_memory_is_not_reused_while_a_graph_needs_it():
    vrnn = model()
    first, second = inputs(vrnn), inputs(vrnn)
    alone = [torch.autograd.grad(autograd.unroll(vrnn, *given).h.sum(), given[0])[0] for given in (first, second)]
    totals = [autograd.unroll(vrnn, *given).h.sum() for given in (first, second)]
    together = [torch.autograd.grad(total, given[0])[0] for total, given in zip(totals, (first, second), strict=True)]
    assert all(map(torch.equal, together, alone))


@pytest.mark.parametrize("widths", [1, 16, 17, 64])
def test_every_width(widths):
    """Widths below, at and just beyond a whole vector."""
    networks = {network: [widths] for network in DEEP}
    vrnn = VRNN(z_dim=widths, h_dim=widths, **networks).double()
    compare(vrnn, inputs(vrnn))


@pytest.mark.parametrize("recurrence", RECURRENCES)
def test_float32(recurrence):
    vrnn = model(recurrence, torch.float32)
    compare(vrnn, inputs(vrnn, steps=60), tolerance=1e-4)


def test_large_raw_deviations():
    """Beyond 20 torch's softplus is the identity. At +-800 softplus and sigmoid must not overflow."""
    vrnn = model()
    with torch.no_grad():
        for network in (vrnn.encoder, vrnn.prior):
            network.head.bias.copy_(torch.tensor([0.0, 1.0, 2.0, -800.0, 19.0, 800.0]))
    compare(vrnn, inputs(vrnn))


@pytest.mark.parametrize("recurrence", RECURRENCES)
def test_gradients_against_differences(recurrence):
    vrnn = VRNN(
        z_dim=2, h_dim=3, **{network: [3] for network in DEEP}, activation="tanh", recurrence=recurrence
    ).double()
    weights = list(vrnn.parameters())

    def outputs(*given):
        run = autograd.unroll(vrnn, *given[:3])
        return run.h, *run.q, *run.p, run.raw, run.z, run.memory

    assert torch.autograd.gradcheck(outputs, (*inputs(vrnn, steps=3, batch=2), *weights))


def test_only_some_outputs_are_used():
    """torch passes None, not zeros, as the gradient of an unused output."""
    vrnn = model()
    given = inputs(vrnn)
    for pick in (lambda run: run.raw, lambda run: run.memory, lambda run: run.h, lambda run: run.p.std):
        ours, theirs = (
            torch.autograd.grad(
                pick(engine.unroll(vrnn, *given)).sum(), given, allow_unused=True, materialize_grads=True
            )
            for engine in (autograd, reference)
        )
        for a, b in zip(ours, theirs, strict=True):
            torch.testing.assert_close(a, b, rtol=0, atol=1e-10)


def test_backward_twice_and_over_changed_weights():
    """retain_graph gives the same gradient again, also if the weights changed after the forward pass."""
    vrnn = model()
    loss = autograd.unroll(vrnn, *inputs(vrnn)).raw.square().sum()
    first = torch.autograd.grad(loss, list(vrnn.parameters()), retain_graph=True, allow_unused=True)
    with torch.no_grad():
        for weight in vrnn.parameters():
            weight.add_(1.0)
    second = torch.autograd.grad(loss, list(vrnn.parameters()), allow_unused=True)
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True) if a is not None)


def test_a_short_tape_gives_the_same_bits():
    vrnn = model(LSTM)
    given = inputs(vrnn, steps=300, batch=3)
    with torch.no_grad():
        short = autograd.unroll(vrnn, *given)
    whole = autograd.unroll(vrnn, *given)
    for a, b in zip(
        [short.h, *short.q, short.raw, short.memory], [whole.h, *whole.q, whole.raw, whole.memory], strict=True
    ):
        assert torch.equal(a, b)


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_threads_give_the_same_bits_every_time(threads):
    vrnn = model()
    given = inputs(vrnn, batch=37)
    one = results(reference, vrnn, given)
    set_threads(threads)
    first, second = results(autograd, vrnn, given), results(autograd, vrnn, given)
    for a, b, c in zip(first, second, one, strict=True):
        assert torch.equal(a, b)
        torch.testing.assert_close(a, c, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("engine", ["reference", "native"])
def test_odd_inputs(engine):
    """No traces, a trace that is not contiguous, a trace that needs a gradient: right results. No steps: a clear error."""
    vrnn = model(h_dim=1, engine=engine)
    empty = vrnn.infer(torch.zeros(4, 0, 2).double())
    assert empty.z.shape == (4, 0, 3)
    (gradient,) = torch.autograd.grad(empty.z.sum(), vrnn.encoder.head.weight)
    assert not gradient.any()
    with pytest.raises(ValueError, match="T >= 1"):
        vrnn.infer(torch.zeros(0, 2, 2).double())
    x = torch.randn(5, 4, 2).double()
    transposed = x.transpose(0, 1).contiguous().transpose(0, 1).requires_grad_()
    contiguous = x.clone().requires_grad_()
    gradients = []
    for points in (transposed, contiguous):
        run = vrnn.infer(points, generator=torch.Generator().manual_seed(3))
        loss = vrnn.likelihood.distortion(run.decoder, points).sum() + gaussian_kl(run.q, run.p).sum()
        gradients.append(torch.autograd.grad(loss, points)[0])
    torch.testing.assert_close(*gradients)


@pytest.mark.parametrize(
    "mask", [None, torch.arange(6).unsqueeze(1) < torch.tensor([6, 3, 1])], ids=["whole", "masked"]
)
def test_infer_is_the_same_by_both(mask):
    runs = []
    for engine in ("reference", "native"):
        torch.manual_seed(0)
        vrnn = model(engine=engine)
        x = torch.randn(6, 3, 2).double()
        run = vrnn.infer(x, mask=mask, generator=torch.Generator().manual_seed(1))
        loss = vrnn.likelihood.distortion(run.decoder, x)
        loss = (loss if mask is None else torch.where(mask, loss, 0.0)).sum() + gaussian_kl(run.q, run.p).sum()
        runs.append([*run.decoder, *run.state[:3], *torch.autograd.grad(loss, list(vrnn.parameters()))])
    for ours, theirs in zip(*runs, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-10)


LIKELIHOODS = {
    "gaussian": GaussianLikelihood(),
    "ceiling": GaussianLikelihood(ceiling=0.04),
    "mixture": GaussianMixtureLikelihood(3),
    "mse": MSELikelihood(),
    "fixed": FixedGaussianLikelihood(0.1),
    "shared": SharedGaussianLikelihood("learned"),
    "bernoulli": BernoulliLikelihood(),
    "bivariate": BivariateLikelihood(3),
    "pen": PenLikelihood(2, ceiling=0.5),
}


@pytest.mark.parametrize("sample", [True, False], ids=["sampled", "mean"])
@pytest.mark.parametrize("coordinates", COORDINATES, ids=lambda coordinates: coordinates.relative_to)
@pytest.mark.parametrize("likelihood", LIKELIHOODS.values(), ids=LIKELIHOODS)
def test_generation(likelihood, coordinates, sample):
    """From the start, and from the end of a first piece. Rounding changes a drawn component about once in 1e13 runs."""
    x_dim = 3 if isinstance(likelihood, PenLikelihood) else 2
    vrnn = model(LSTM, x_dim=x_dim, likelihood=likelihood, coordinates=coordinates)
    ends = []
    for engine in (reference, autograd):
        state, generator = vrnn.initial_state(5), torch.Generator().manual_seed(2)
        pieces = []
        for steps in (20, 10):
            noise = Noise.draw(steps, 5, vrnn.latent, x_dim, like=state.memory, generator=generator)
            with torch.no_grad():
                points, state = engine.generate(vrnn, noise, state, Sampling(sample))
            pieces.append(points)
        ends.append([*pieces, *state])
    for ours, theirs in zip(*ends, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("recurrence", RECURRENCES)
@pytest.mark.parametrize("n", [1, 40])
def test_generation_by_every_recurrence(recurrence, n):
    drawn = []
    set_threads(2)
    for engine in ("reference", "native"):
        torch.manual_seed(0)
        vrnn = model(recurrence, engine=engine)
        drawn.append(vrnn.generate(n, 25, prefix=torch.randn(4, 2), generator=torch.Generator().manual_seed(3)))
    torch.testing.assert_close(*drawn, rtol=1e-8, atol=1e-8)


def test_streaming():
    """Pieces have the same bits as the whole, and at most STREAM_STEPS steps, so that memory does not grow."""
    vrnn, steps = model(dtype=torch.float32), 2 * STREAM_STEPS + 7
    whole = vrnn.generate(2, steps, generator=torch.Generator().manual_seed(1))
    pieces = list(vrnn.stream(2, steps, generator=torch.Generator().manual_seed(1)))
    assert [len(piece) for piece in pieces] == [STREAM_STEPS, STREAM_STEPS, 7]
    assert torch.equal(torch.cat(pieces), whole)
    assert not whole.requires_grad


def test_state_given_is_not_changed():
    vrnn = model()
    state = State(*(torch.randn(2, dim).double() for dim in (11, 2, 2)), torch.zeros(2, dtype=torch.bool))
    before = [part.clone() for part in state]
    autograd.generate(vrnn, Noise.draw(3, 2, vrnn.latent, 2, like=state.memory), state, Sampling())
    assert all(torch.equal(a, b) for a, b in zip(state, before, strict=True))


class DoubledGRU(GRU):
    """A user's own recurrence: a subclass of GRU that computes something else."""

    def forward(self, inputs, state):
        return 2 * super().forward(inputs, state)


class Shifted(GaussianLikelihood):
    """A user's own likelihood."""

    def sample(self, dist, noise, uniform):
        return super().sample(dist, noise, uniform) + 1


def with_hook() -> VRNN:
    vrnn = model()
    vrnn.encoder.hidden[0].register_forward_hook(lambda *_: None)
    return vrnn


def with_sigmoid() -> VRNN:
    vrnn = model()
    vrnn.prior.hidden[1] = nn.Sigmoid()
    return vrnn


def in_bfloat16() -> VRNN:
    return model().bfloat16()


UNSUPPORTED = {
    "recurrence": lambda: model(DoubledGRU),
    "hook": with_hook,
    "activation": with_sigmoid,
    "precision": in_bfloat16,
}


@pytest.mark.parametrize("make", UNSUPPORTED.values(), ids=UNSUPPORTED)
def test_unsupported_models_use_the_reference_engine(make, caplog):
    vrnn = make()
    dispatch.log_once.cache_clear()
    x = torch.randn(3, 2, 2).to(vrnn.prior.head.weight)
    with caplog.at_level(logging.INFO, logger="vrnn.engine"):
        for _ in range(2):
            auto = vrnn.infer(x, generator=torch.Generator().manual_seed(0))
    assert [record.levelname for record in caplog.records] == ["INFO"]  # logged once
    assert "reference engine" in caplog.text
    vrnn.engine = "reference"
    assert torch.equal(auto.z, vrnn.infer(x, generator=torch.Generator().manual_seed(0)).z)
    vrnn.engine = "native"
    with pytest.raises(ValueError, match="engine='native' cannot run this model"):
        vrnn.infer(x)


def test_a_users_likelihood_generates_by_reference():
    vrnn = model(likelihood=Shifted(), engine="native")
    vrnn.infer(torch.randn(3, 2, 2).double())
    with pytest.raises(ValueError, match=r"likelihood .*Shifted is not among the supported ones"):
        vrnn.generate(1, 3)
    runs = []
    for engine in ("auto", "reference"):
        vrnn.engine = engine
        runs.append(vrnn.generate(2, 3, generator=torch.Generator().manual_seed(0)))
    assert torch.equal(*runs)


def test_no_threads():
    with pytest.raises(ValueError, match="at least 1"):
        set_threads(0)


def test_unknown_engine():
    with pytest.raises(ValueError, match=r"^engine must be one of"):
        VRNN(engine="fast")


def test_importing_the_networks_does_not_import_numba():
    code = "import sys, vrnn.networks; sys.exit('numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
