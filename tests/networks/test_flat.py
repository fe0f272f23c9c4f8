"""All weights as one: the same training, step by step, as with every weight on its own."""

import torch

from vrnn.networks import VRNN, flatten


def train(vrnn, optimizer, steps=5, **zero_grad):
    x = 0.1 * torch.randn(20, 3, 2, generator=torch.Generator().manual_seed(1)).cumsum(0)
    for step in range(steps):
        optimizer.zero_grad(**zero_grad)
        run = vrnn.infer(x, generator=torch.Generator().manual_seed(step))
        vrnn.likelihood.distortion(run.decoder, x).mean().backward()
        optimizer.step()


def test_adam_over_the_flat_parameter_is_adam_over_all():
    """Adam divides by the square root of tiny squares: rounding may grow to 1e-4 of a step of 1e-2."""
    vrnns = []
    for one in (False, True):
        torch.manual_seed(0)
        vrnn = VRNN()
        weights = [flatten(vrnn)] if one else vrnn.parameters()
        train(vrnn, torch.optim.Adam(weights, lr=1e-2, fused=True), **({"set_to_none": False} if one else {}))
        vrnns.append(vrnn)
    for ours, theirs in zip(*(vrnn.parameters() for vrnn in vrnns), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-6)


def test_loaded_weights_and_gradients_reach_the_flat_parameter():
    vrnn, other = VRNN(), VRNN()
    flat = flatten(vrnn)
    vrnn.load_state_dict(other.state_dict())
    torch.testing.assert_close(flat.detach(), torch.cat([weight.detach().reshape(-1) for weight in other.parameters()]))
    run = vrnn.infer(torch.randn(5, 2, 2))
    vrnn.likelihood.distortion(run.decoder, torch.zeros(5, 2, 2)).mean().backward()
    assert torch.equal(flat.grad, torch.cat([weight.grad.reshape(-1) for weight in vrnn.parameters()]))
    assert flat.grad.norm() > 0
