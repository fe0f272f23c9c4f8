"""Adam over all weights as one tensor: a step, clipping and zeroing are one operation each, not one per weight."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import nn
from typing_extensions import override


class FlatAdam(torch.optim.Adam):
    """torch's fused Adam with one parameter, (n,), of which all weights become views.

    Move the weights to their device and precision first: what replaces them, instead of changing them in place, separates them
    from this parameter.

    Args:
        weights: They become views.
        lr: Learning rate.
    """

    def __init__(self, weights: Iterable[nn.Parameter], lr: float):
        self.weights = list(weights)
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
