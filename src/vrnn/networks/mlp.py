"""Networks without memory: the multilayer perceptron, and networks that return a distribution over z."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn
from typing_extensions import override

from vrnn.objective.latents import Latent

ACTIVATIONS: dict[str, type[nn.Module]] = {"relu": nn.ReLU, "tanh": nn.Tanh, "elu": nn.ELU, "silu": nn.SiLU}


class MLP(nn.Sequential):
    """Linear layers, each followed by the activation: (…, in_dim) -> (…, out_dim).

    Args:
        in_dim: Width of the input.
        hidden: Width of each layer; the last one is out_dim.
        activation: A key of ACTIVATIONS.

    Raises:
        ValueError: An unknown activation, no layer, or a width below 1.
    """

    def __init__(self, in_dim: int, hidden: Sequence[int], activation: str = "relu"):
        if activation not in ACTIVATIONS:
            raise ValueError(f"model.activation must be one of {', '.join(ACTIVATIONS)}, but is {activation!r}.")
        if not hidden or min(hidden) < 1:
            raise ValueError(
                f"A network's widths must be at least one number, each at least 1, but are {[*hidden]}: change model.phi_x, "
                "phi_z, prior, encoder or decoder."
            )
        layers = [(nn.Linear(a, b), ACTIVATIONS[activation]()) for a, b in pairwise([in_dim, *hidden])]
        super().__init__(*(module for pair in layers for module in pair))
        self.out_dim = hidden[-1]


class LatentNetwork(nn.Module):
    """An MLP with a linear head that returns a distribution over z: (…, in_dim) -> parts (…, any).

    Args:
        in_dim: Width of the input.
        hidden: Width of each layer.
        latent: Makes the distribution from the head's outputs.
        activation: A key of ACTIVATIONS.

    Raises:
        ValueError: What `MLP` refuses.
    """

    def __init__(self, in_dim: int, hidden: Sequence[int], latent: Latent, activation: str = "relu"):
        super().__init__()
        self.hidden = MLP(in_dim, hidden, activation)
        self.head = nn.Linear(self.hidden.out_dim, latent.n_outputs)
        self.latent = latent

    @override
    def forward(self, inputs: Tensor) -> tuple[Tensor, ...]:
        return self.latent.from_raw(self.head(self.hidden(inputs)))


class StandardPrior(nn.Module):
    """A prior without parameters: N(0, 1), or all classes alike, whatever the inputs (…, in_dim) are. The prior of VRNN-I.

    Args:
        in_dim: Unused, like `hidden` and `activation`: the arguments are those of LatentNetwork.
        hidden: Unused.
        latent: Makes the distribution.
        activation: Unused.
    """

    def __init__(self, in_dim: int, hidden: Sequence[int], latent: Latent, activation: str = "relu"):
        super().__init__()
        self.latent = latent

    @override
    def forward(self, inputs: Tensor) -> tuple[Tensor, ...]:
        return self.latent.standard(inputs)
