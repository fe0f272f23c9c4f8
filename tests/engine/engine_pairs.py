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


def results(engine, vrnn, given):
    """Return all outputs, and the gradients of a random linear combination of them for the inputs and all weights."""
    found = outputs(engine.unroll(vrnn, *given))
    generator = torch.Generator().manual_seed(1)
    weighted = [(part * torch.randn(part.shape, generator=generator).to(part)).sum() for part in found]
    sources = [part for part in [*given, *vrnn.parameters()] if part.requires_grad]
    return found + list(torch.autograd.grad(sum(weighted), sources, allow_unused=True, materialize_grads=True))


def compare(vrnn, given, tolerance=1e-10):
    for ours, theirs in zip(results(autograd, vrnn, given), results(reference, vrnn, given), strict=True):
        scale = max(1.0, float(theirs.detach().abs().max())) if theirs.numel() else 1.0
        torch.testing.assert_close(ours, theirs, rtol=0, atol=tolerance * scale)
