"""An optimiser over all weights as one tensor: a step, clipping and zeroing are one operation each, not one per weight."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import nn
from typing_extensions import override

# They treat a weight by its place in a matrix, or need the loss as a function.
NOT_BY_WEIGHT = ("Adafactor", "LBFGS", "Muon", "SparseAdam")


class FlatWeights(torch.optim.Optimizer):
    """What a flat optimiser has beside those of torch: see `flat_optimizer`.

    Attributes:
        weights: Views of the optimiser's one parameter.
        gradients: Views of its gradient.
    """

    weights: list[nn.Parameter]
    gradients: list[torch.Tensor]

    @override
    def zero_grad(self, set_to_none: bool = False) -> None:
        # In place, and Lightning sets the weights' gradients to None in between: make them views again.
        super().zero_grad(set_to_none=False)
        for weight, gradient in zip(self.weights, self.gradients, strict=True):
            weight.grad = gradient


def flat_optimizer(
    make: Callable[..., torch.optim.Optimizer], weights: Iterable[nn.Parameter], lr: float
) -> FlatWeights:
    """Return an optimiser of one parameter, (n,), of which all weights become views.

    It makes the same steps as one of the weights themselves if it treats each weight by itself, as Adam and SGD do. Move the
    weights to their device and precision first: what replaces them, instead of changing them in place, separates them from
    this parameter.

    Args:
        make: A class of torch.optim or a partial of one; its fused version is used where it has one.
        weights: They become views.
        lr: Learning rate.
    """
    views = list(weights)
    sizes = [weight.numel() for weight in views]
    flat = nn.Parameter(torch.cat([weight.detach().reshape(-1) for weight in views]))
    flat.grad = torch.zeros_like(flat)
    for weight, data in zip(views, flat.detach().split(sizes), strict=True):
        weight.data = data.view(weight.shape)
    kind, options = (make.func, make.keywords) if isinstance(make, functools.partial) else (make, {})
    assert isinstance(kind, type)
    fused = {"fused": True} if "fused" in inspect.signature(kind).parameters else {}
    optimizer: Any = type(f"Flat{kind.__name__}", (FlatWeights, kind), {})([flat], lr=lr, **fused, **options)
    optimizer.weights = views
    optimizer.gradients = [part.view_as(weight) for part, weight in zip(flat.grad.split(sizes), views, strict=True)]
    assert isinstance(optimizer, FlatWeights)
    return optimizer
