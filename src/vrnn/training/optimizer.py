"""Adam over all weights as one tensor: a step, clipping and zeroing are one operation each, not one per weight."""

from __future__ import annotations

import torch
from torch import nn
from typing_extensions import override


class FlatAdam(torch.optim.Adam):
    """torch's fused Adam with one parameter, (n,), of which all weights of a module become views.

    Move the module to its device and precision first: what replaces its weights, instead of changing them in place, separates
    them from this parameter.

    Args:
        module: Its parameters become views.
        lr: Learning rate.
    """

    def __init__(self, module: nn.Module, lr: float):
        self.weights = list(module.parameters())
        sizes = [weight.numel() for weight in self.weights]
        flat = nn.Parameter(torch.cat([weight.detach().reshape(-1) for weight in self.weights]))
        flat.grad = torch.zeros_like(flat)
        for weight, data in zip(self.weights, flat.detach().split(sizes), strict=True):
            weight.data = data.view(weight.shape)
        self.gradients = [part.view_as(w) for part, w in zip(flat.grad.split(sizes), self.weights, strict=True)]
        super().__init__([flat], lr=lr, fused=True)

    @override
    def zero_grad(self, set_to_none: bool = False) -> None:
        # In place, and Lightning sets the weights' gradients to None in between: make them views again.
        super().zero_grad(set_to_none=False)
        for weight, gradient in zip(self.weights, self.gradients, strict=True):
            weight.grad = gradient
