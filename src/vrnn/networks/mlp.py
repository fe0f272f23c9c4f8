"""Networks without memory: the multilayer perceptron, and what ends in a distribution over z."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn

from vrnn.objective.latents import Latent

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


class LatentNetwork(nn.Module):
    """An MLP with a linear head whose outputs are read as a distribution over z: (…, in_dim) -> a distribution of rows (…)."""

    def __init__(self, in_dim: int, hidden: Sequence[int], latent: Latent, activation: str = "relu"):
        super().__init__()
        self.hidden = MLP(in_dim, hidden, activation)
        self.head = nn.Linear(self.hidden.out_dim, latent.n_outputs)
        self.latent = latent

    def forward(self, inputs: Tensor) -> tuple[Tensor, ...]:
        """Run it on any leading shape."""
        return self.latent.from_raw(self.head(self.hidden(inputs)))


class StandardPrior(nn.Module):
    """The latent's standard distribution whatever came before, N(0, 1) or all classes alike: the prior of VRNN-I.

    Takes what LatentNetwork takes, and learns nothing.
    """

    def __init__(self, in_dim: int, hidden: Sequence[int], latent: Latent, activation: str = "relu"):
        super().__init__()
        self.latent = latent

    def forward(self, inputs: Tensor) -> tuple[Tensor, ...]:
        """One for each row of the inputs (…, in_dim)."""
        return self.latent.standard(inputs)
