"""All weights as one: the same training, step by step, as with every weight on its own."""

import torch

from vrnn.model import VRNN
from vrnn.training.optimizer import flat_optimizer


def loss(vrnn, seed=0):
    x = 0.1 * torch.randn(20, 3, 2, generator=torch.Generator().manual_seed(1)).cumsum(0)
    run = vrnn.infer(x, generator=torch.Generator().manual_seed(seed))
    return vrnn.likelihood.distortion(run.decoder, x).mean()


def concatenate(tensors):
    return torch.cat([tensor.detach().reshape(-1) for tensor in tensors])


def test_the_same_steps_as_adam_over_every_weight():
    """Gradients are set to None in between, as Lightning does. Five steps move weights by up to 5e-2; rounding by 1e-6."""
    ends = []
    for flat in (False, True):
        torch.manual_seed(0)
        vrnn = VRNN()
        before = concatenate(vrnn.parameters())
        optimizer = (
            flat_optimizer(torch.optim.Adam, vrnn.parameters(), lr=1e-2)
            if flat
            else torch.optim.Adam(vrnn.parameters(), lr=1e-2, fused=True)
        )
        for step in range(5):
            vrnn.zero_grad()
            optimizer.zero_grad()
            loss(vrnn, step).backward()
            optimizer.step()
        ends.append(concatenate(vrnn.parameters()))
        assert (ends[-1] - before).abs().max() > 1e-2
    torch.testing.assert_close(*ends, rtol=0, atol=1e-6)


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
