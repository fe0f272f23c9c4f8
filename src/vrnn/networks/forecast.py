"""A forecast of later points from the recurrence's output: an auxiliary loss while a model trains."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from vrnn.networks.mlp import MLP
from vrnn.objective.reduction import any_observed, mean_per_step
from vrnn.threads import map_over_batch


class Forecast(nn.Module):
    """Predicts x_{t+k} from h_{t-1} for several horizons k, and weighs the squared error.

    A choice that depends on the distant past, such as the number of laps drawn, matters at one step in thirty. A forecast one
    lap ahead needs it all lap long, so the recurrence learns to remember it. The head takes no part in generation.

    loss_n = a_n * mean over k of mean over observed (t, b) of `|x_{t+k} - f_k(h_{t-1})|^2 / (2 scale^2)`, where a_n = weight
    for `hold` optimiser steps and then falls linearly to 0 at step `end`.

    Args:
        h_dim: Width of h.
        x_dim: Numbers per point.
        horizons: The k, in steps. Pairs that reach beyond the window's end are left out.
        hidden: Widths of the hidden layers.
        weight: a_n at first.
        scale: The standard deviation of the forecast's error that counts as one, in units of x.
        hold: Optimiser steps during which a_n stays.
        end: The optimiser step at which a_n has become 0.

    Raises:
        ValueError: A number outside its range.
    """

    n: Tensor

    def __init__(
        self,
        h_dim: int,
        x_dim: int,
        horizons: Sequence[int] = (8, 16, 24, 32, 48),
        hidden: Sequence[int] = (64,),
        weight: float = 0.2,
        scale: float = 0.3,
        hold: int = 2000,
        end: int = 4000,
    ):
        super().__init__()
        if h_dim < 1:
            raise ValueError("forecast needs a memory, but recurrence=none has none: choose forecast=none.")
        if not horizons or min(horizons) < 1:
            raise ValueError(f"forecast.horizons must be steps ahead, each at least 1, but is {[*horizons]}.")
        if weight <= 0 or scale <= 0:
            raise ValueError(f"forecast.weight and scale must be positive, but are {weight} and {scale}.")
        if not 0 <= hold <= end:
            raise ValueError(f"forecast.hold and end must satisfy 0 <= hold <= end, but are {hold} and {end}.")
        self.horizons, self.x_dim = tuple(horizons), x_dim
        self.weight, self.scale, self.hold, self.end = weight, scale, hold, end
        hidden_layers = MLP(h_dim, hidden)
        self.network = nn.Sequential(hidden_layers, nn.Linear(hidden_layers.out_dim, len(self.horizons) * x_dim))
        self.register_buffer("n", torch.zeros((), dtype=torch.long))

    def forward(self, h: Tensor, x: Tensor, mask: Tensor | None) -> Tensor:
        """Return the weighted loss of a window, (); in training mode move one step on.

        Args:
            h: h_{t-1}, (T, B, h_dim).
            x: (T, B, x_dim), finite everywhere.
            mask: (T, B), False where x holds no observed point; None: it holds one everywhere.
        """
        weight = self.present_weight()
        if self.training:
            self.n += 1
        # Zero times the parameters: DistributedDataParallel expects all of them in every step's graph.
        nothing = sum(0.0 * part.sum() for part in self.parameters())
        if weight == 0:
            return h.new_zeros(()) + nothing
        forecasts = map_over_batch(self.network, [self.network], h).unflatten(-1, (len(self.horizons), self.x_dim))
        errors = []
        for i, k in enumerate(self.horizons):
            known = None if mask is None else mask[k:]
            if k < len(x) and any_observed(known):
                square = (x[k:] - forecasts[: len(x) - k, :, i]).square().sum(-1)
                errors.append(mean_per_step(square, known))
        if not errors:
            return h.new_zeros(()) + nothing
        return weight * torch.stack(errors).mean() / (2 * self.scale**2)

    def present_weight(self) -> float:
        """Return a_n."""
        n = int(self.n)
        if n < self.hold:
            return self.weight
        return self.weight * max(0.0, (self.end - n) / (self.end - self.hold)) if self.end > self.hold else 0.0


class NoForecast(nn.Module):
    """No forecast: the loss is the bound's alone. Takes the arguments of `Forecast` that a model gives."""

    def __init__(self, h_dim: int, x_dim: int):
        super().__init__()

    def forward(self, h: Tensor, x: Tensor, mask: Tensor | None) -> Tensor:
        """Return 0, ()."""
        return h.new_zeros(())
