"""Dropout and input noise against what they must leave alone, and against their probabilities."""

import math

import pytest
import torch
from torch import nn

from vrnn import VRNN
from vrnn.errors import ConfigError
from vrnn.networks import MLP, Regularisation
from vrnn.objective import FIVO
from vrnn.objective.latents import NoLatent
from vrnn.runs.config import run_settings
from vrnn.runs.parts import check_parts


def generator():
    return torch.Generator().manual_seed(3)


def test_dropout_hides_its_share_and_keeps_the_mean():
    torch.manual_seed(0)
    mlp = nn.Sequential(MLP(1, [200]))
    mlp[0][0].weight.data.fill_(0.0)
    mlp[0][0].bias.data.fill_(1.0)
    with Regularisation(dropout=0.2).applied(mlp):
        units = mlp(torch.zeros(50, 40, 1))
    n = units.numel()
    assert set(units.unique().tolist()) == {0.0, 1.25}
    # Six standard errors: fails by chance once in 5e8.
    assert abs(float((units == 0).double().mean()) - 0.2) < 6 * math.sqrt(0.2 * 0.8 / n)
    per_step = (units == 0).double().mean(-1)  # a mask of its own for each step of each trace
    assert per_step.unique().numel() > 10
    assert torch.equal(mlp(torch.zeros(3, 1)), torch.ones(3, 200))


def test_dropout_is_in_every_layer_of_the_five_networks():
    vrnn, x = VRNN(phi_x=[8, 8], prior=[4, 4, 4]), torch.randn(5, 3, 2, generator=generator())
    calls = []
    activations = [m for m in vrnn.modules() if isinstance(m, nn.ReLU)]
    before = vrnn.infer(x, generator=generator())
    with Regularisation(dropout=0.5).applied(vrnn):
        for activation in activations:  # called after the hooks that were there before
            activation.register_forward_hook(lambda module, _, out: calls.append((module, float((out == 0).sum()))))
        vrnn.infer(x, generator=generator())
    assert {id(module) for module, _ in calls} == {id(activation) for activation in activations}
    assert len(activations) == 2 + 1 + 3 + 1 + 1
    for activation in activations:
        activation._forward_hooks.clear()
    after = vrnn.infer(x, generator=generator())
    assert all(torch.equal(a, b) for a, b in zip(before.q, after.q, strict=True))


@pytest.mark.parametrize("engine", ["reference", "auto"])
def test_dropout_reaches_particles_that_are_resampled(engine):
    """Each particle drops units of its own, so that particles with the same noise differ."""
    torch.manual_seed(1)
    vrnn = VRNN(engine=engine, latent=NoLatent())
    x = torch.randn(5, 3, 2, generator=generator())

    def run(dropout):
        torch.manual_seed(2)
        with torch.no_grad(), Regularisation(dropout).applied(vrnn):
            inference, _ = vrnn.filter(x, FIVO(4), vrnn.initial_state(12), generator=generator())
        return vrnn.log_prob(inference).unflatten(1, (4, 3))

    assert torch.equal(run(0.5), run(0.5))
    assert torch.equal(run(0.0), run(0.0)[:, :1].expand(5, 4, 3))
    assert all(log_x.unique().numel() == 4 for log_x in run(0.5)[0].unbind(1))


@pytest.mark.parametrize("engine", ["reference", "native"])
def test_noisy_points_reach_phi_x_alone(engine):
    torch.manual_seed(1)
    vrnn = VRNN(engine=engine)
    x, seen = torch.randn(2, 7, 3, 2, generator=generator())
    run = vrnn.infer(x, generator=generator(), seen=seen)
    elsewhere = vrnn.infer(seen, generator=generator())
    plain = vrnn.infer(x, generator=generator())
    assert torch.equal(run.x, x)
    assert torch.equal(run.mean_offset, plain.mean_offset)
    assert torch.equal(run.state.previous, plain.state.previous)
    assert torch.equal(run.h, elsewhere.h)
    for ours, theirs in zip((*run.q, *run.p), (*elsewhere.q, *elsewhere.p), strict=True):
        assert torch.equal(ours, theirs)
    # The decoder's mean is the offset of x, and what the network adds to the offset of the noisy points.
    moved = vrnn.likelihood.moments(elsewhere.decoder).mean - elsewhere.mean_offset + run.mean_offset
    assert torch.allclose(vrnn.likelihood.moments(run.decoder).mean, moved, atol=1e-5)


def test_input_noise_has_its_variance_and_stays_out_of_padding():
    torch.manual_seed(0)
    x = torch.zeros(100, 100, 2)
    noise = Regularisation(input_noise=0.3).noisy(x).double()
    # Six standard errors: fails by chance once in 5e8.
    assert abs(float(noise.var()) - 0.09) < 6 * 0.09 * math.sqrt(2 / noise.numel())
    assert Regularisation().noisy(x) is None
    vrnn, mask = VRNN(), torch.ones(100, 100, dtype=torch.bool)
    mask[50:, 0], x[50:, 0] = False, math.nan
    run = vrnn.infer(x, mask=mask, seen=Regularisation(input_noise=0.3).noisy(x))
    assert torch.isfinite(vrnn.distortion(run)).all()


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            ["regularisation=dropout", "regularisation.dropout=1"],
            r"regularisation.dropout must be in \[0, 1\), but is 1",
        ),
        (["regularisation.input_noise=-1"], "regularisation.input_noise must be at least 0, but is -1"),
        (
            ["regularisation=dropout", "engine=native"],
            "with regularisation.dropout=0.1, but is native: use engine=auto",
        ),
        (["regularisation=input_noise", "bound=iwae"], "regularisation.input_noise must be 0 with bound=iwae"),
        (["regularisation=input_noise", "data.gaps.share=0.1"], "must be 0 with traces with missing points"),
    ],
)
def test_noise_that_cannot_be_is_refused(composed, overrides, message):
    with pytest.raises(ConfigError, match=message):
        check_parts(run_settings(composed(*overrides))[0], None)
