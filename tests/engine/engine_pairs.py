"""Small VRNNs and random inputs, run by the native and by the reference engine."""

import torch

from vrnn.engine import reference
from vrnn.engine.native import autograd
from vrnn.model import VRNN
from vrnn.networks import GRU
from vrnn.objective import GaussianLatent

DEEP = {"phi_x": [6, 4], "phi_z": [5, 7], "prior": [9], "encoder": [8, 6, 5], "decoder": [10, 3]}


def model(recurrence=GRU, dtype=torch.float64, h_dim=11, **options) -> VRNN:
    return VRNN(**{"z_dim": 3, "h_dim": h_dim, **DEEP, **options}, recurrence=recurrence).to(dtype)


def inputs(vrnn, steps=7, batch=5, carried=True):
    like, make = next(vrnn.parameters()), torch.randn if carried else torch.zeros
    memory = make(batch, vrnn.recurrence.state_dim).to(like)
    features, noise = torch.randn(steps, batch, 4).to(like), vrnn.latent.noise(steps, batch, like=like)
    noise.requires_grad_(isinstance(vrnn.latent, GaussianLatent))
    return [features.requires_grad_(), noise, memory.requires_grad_()]


def outputs(run):
    return [run.h, *run.q, *run.p, run.raw, run.z, run.memory]


def gradients(parts, sources):
    """Return the gradients of a random linear combination of all parts, for the sources that require one."""
    generator = torch.Generator().manual_seed(1)
    weighted = [(part * torch.randn(part.shape, generator=generator).to(part)).sum() for part in parts]
    sources = [part for part in sources if part is not None and part.requires_grad]
    return list(torch.autograd.grad(sum(weighted), sources, allow_unused=True, materialize_grads=True))


def assert_close(ours, theirs, tolerance=1e-10):
    """Each part within `tolerance` of the other engine's largest value there, or of 1."""
    for a, b in zip(ours, theirs, strict=True):
        scale = max(1.0, float(b.detach().double().abs().max())) if b.numel() else 1.0
        torch.testing.assert_close(a, b, rtol=0, atol=tolerance * scale)


def results(engine, vrnn, given):
    """Return all outputs, and the gradients for the inputs and all weights."""
    found = outputs(engine.unroll(vrnn, *given))
    return found + gradients(found, [*given, *vrnn.parameters()])


def compare(vrnn, given, tolerance=1e-10):
    assert_close(results(autograd, vrnn, given), results(reference, vrnn, given), tolerance)
