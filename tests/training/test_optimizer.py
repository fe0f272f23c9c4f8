"""All weights as one: the same training, step by step, as with every weight on its own."""

from functools import partial

import pytest
import torch

from vrnn.model import VRNN
from vrnn.training.optimizer import flat_optimizer


def loss(vrnn, seed=0):
    x = 0.1 * torch.randn(20, 3, 2, generator=torch.Generator().manual_seed(1)).cumsum(0)
    run = vrnn.infer(x, generator=torch.Generator().manual_seed(seed))
    return vrnn.likelihood.distortion(run.decoder, x).mean()


def concatenate(tensors):
    return torch.cat([tensor.detach().reshape(-1) for tensor in tensors])


@pytest.mark.parametrize(
    "make",
    [
        partial(torch.optim.Adam, betas=(0.8, 0.99)),
        partial(torch.optim.AdamW, weight_decay=0.1),
        partial(torch.optim.SGD, momentum=0.9, nesterov=True),
        torch.optim.RMSprop,
        torch.optim.NAdam,
        torch.optim.Adagrad,
    ],
    ids=lambda make: getattr(make, "func", make).__name__,
)
def test_the_same_steps_as_over_every_weight(make):
    """Gradients are set to None in between, as Lightning does. Five steps move weights by up to 5e-2.

    In double precision: Adam divides a gradient by its own size, and so makes much of the rounding of a small one.
    """
    ends = []
    for flat in (False, True):
        torch.manual_seed(0)
        vrnn = VRNN().double()
        before = concatenate(vrnn.parameters())
        optimizer = flat_optimizer(make, vrnn.parameters(), lr=1e-2) if flat else make(vrnn.parameters(), lr=1e-2)
        for step in range(5):
            vrnn.zero_grad()
            optimizer.zero_grad()
            loss(vrnn, step).backward()
            optimizer.step()
        ends.append(concatenate(vrnn.parameters()))
        assert (ends[-1] - before).abs().max() > 1e-3
    torch.testing.assert_close(*ends, rtol=0, atol=1e-9)


def test_loaded_weights_and_gradients_reach_the_one_parameter():
    vrnn, other = VRNN(), VRNN()
    optimizer = flat_optimizer(torch.optim.Adam, vrnn.parameters(), lr=1e-2)
    (flat,) = optimizer.param_groups[0]["params"]
    vrnn.load_state_dict(other.state_dict())
    assert torch.equal(flat.detach(), concatenate(other.parameters()))
    optimizer.zero_grad()
    loss(vrnn).backward()
    assert torch.equal(flat.grad, concatenate(weight.grad for weight in vrnn.parameters()))
    assert flat.grad.norm() > 0
