"""All weights of a network in one tensor, so that what goes over all of them is one operation instead of one a weight."""

from __future__ import annotations

import torch
from torch import nn


def flatten(module: nn.Module) -> nn.Parameter:
    """Return one parameter (n,) that holds all weights of a module and, as its grad, all their gradients (zeros at first).

    The module's weights and gradients become views of it: an optimiser of this one parameter moves them all. Whatever
    replaces weights or gradients instead of changing them parts them from it: move the module to its device and precision
    before, and zero gradients by `optimizer.zero_grad(set_to_none=False)`.
    """
    weights = list(module.parameters())
    sizes = [weight.numel() for weight in weights]
    flat = nn.Parameter(torch.cat([weight.detach().reshape(-1) for weight in weights]))
    flat.grad = torch.zeros_like(flat)
    for weight, data, grad in zip(weights, flat.detach().split(sizes), flat.grad.split(sizes), strict=True):
        weight.data, weight.grad = data.view(weight.shape), grad.view(weight.shape)
    return flat
