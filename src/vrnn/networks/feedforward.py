"""Networks without memory: the multilayer perceptron, and one that ends in a Gaussian."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn

from vrnn.objective.distributions import Gaussian
from vrnn.objective.likelihoods import Squash, positive

ACTIVATIONS: dict[str, type[nn.Module]] = {"relu": nn.ReLU, "tanh": nn.Tanh, "elu": nn.ELU, "silu": nn.SiLU}


class MLP(nn.Sequential):
    """Linear layers, each followed by the activation: (…, in_dim) -> (…, out_dim)."""

    def __init__(self, in_dim: int, hidden: Sequence[int], activation: str = "relu"):
        if activation not in ACTIVATIONS:
            raise ValueError(f"model.activation must be one of {sorted(ACTIVATIONS)}, but is {activation!r}.")
        if not hidden or min(hidden) < 1:
            raise ValueError(
                f"A network needs at least one layer and every width >= 1, but its widths are {[*hidden]}."
            )
        layers = [(nn.Linear(a, b), ACTIVATIONS[activation]()) for a, b in pairwise([in_dim, *hidden])]
        super().__init__(*(module for pair in layers for module in pair))
        self.out_dim = hidden[-1]


class GaussianNetwork(nn.Module):
    """An MLP with a linear head for the mean and one for the standard deviation: (…, in_dim) -> Gaussian (…, out_dim).

    The mean head is linear so that it reaches both signs; std = softplus or sigmoid of a linear head, plus `floor`.
    """

    def __init__(
        self,
        in_dim: int,
        hidden: Sequence[int],
        out_dim: int,
        activation: str = "relu",
        std: Squash = "softplus",
        floor: float = 1e-4,
    ):
        super().__init__()
        self.hidden = MLP(in_dim, hidden, activation)
        self.head = nn.Linear(self.hidden.out_dim, 2 * out_dim)
        self.std: Squash = std
        self.floor = floor

    def forward(self, inputs: Tensor) -> Gaussian:
        """Run it on any leading shape."""
        mean, raw_std = self.head(self.hidden(inputs)).chunk(2, dim=-1)
        return Gaussian(mean, positive(raw_std, self.std, self.floor))
