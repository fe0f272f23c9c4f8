"""No latent variable: a recurrent network that predicts the next point remains."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from vrnn.objective.latents.base import Latent


class Nothing(NamedTuple):
    """The distribution of no variable at all. empty: (…, 0)."""

    empty: Tensor


class NoLatent(Latent):
    """No z: what is left of a VRNN is a recurrent network that predicts the next point. Its KL has no groups and sums to 0."""

    def __init__(self) -> None:
        super().__init__(z_dim=0, groups=0, n_outputs=0, n_noise=0)

    def from_raw(self, raw: Tensor) -> Nothing:
        """Nothing to read."""
        return Nothing(raw)

    def standard(self, like: Tensor) -> Nothing:
        """Nothing."""
        return Nothing(like[..., :0])

    def noise(self, *shape: int, like: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """No chance is needed."""
        return like.new_zeros(*shape, 0)

    def sample(self, dist: tuple[Tensor, ...], noise: Tensor) -> Tensor:
        """(…, 0)."""
        return dist[0]

    def kl(self, q: tuple[Tensor, ...], p: tuple[Tensor, ...]) -> Tensor:
        """(…, 0)."""
        return q[0]

    def log_prob(self, dist: tuple[Tensor, ...], z: Tensor) -> Tensor:
        """0 everywhere."""
        return z.sum(-1)

    def embedding(self, dist: tuple[Tensor, ...]) -> Tensor:
        """(…, 0)."""
        return dist[0]
