"""No latent variable."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from typing_extensions import override

from vrnn.objective.latents.base import Latent


class Nothing(NamedTuple):
    """The distribution of no variable.

    Attributes:
        empty: (…, 0).
    """

    empty: Tensor


class NoLatent(Latent):
    """No z: the VRNN becomes a recurrent network that predicts the next point. Its KL has no groups, and their sum is 0."""

    def __init__(self) -> None:
        super().__init__(z_dim=0, groups=0, n_outputs=0, n_noise=0)

    @override
    def from_raw(self, raw: Tensor) -> Nothing:
        return Nothing(raw)

    @override
    def standard(self, like: Tensor) -> Nothing:
        return Nothing(like[..., :0])

    @override
    def noise(self, *shape: int, like: Tensor, generator: torch.Generator | None = None) -> Tensor:
        return like.new_zeros(*shape, 0)

    @override
    def sample(self, dist: tuple[Tensor, ...], noise: Tensor) -> Tensor:
        return dist[0]

    @override
    def temper(self, dist: tuple[Tensor, ...], temperature: float) -> Nothing:
        return Nothing(*dist)

    @override
    def kl(self, q: tuple[Tensor, ...], p: tuple[Tensor, ...]) -> Tensor:
        return q[0]

    @override
    def log_prob(self, dist: tuple[Tensor, ...], z: Tensor) -> Tensor:
        return z.sum(-1)

    @override
    def embedding(self, dist: tuple[Tensor, ...]) -> Tensor:
        return dist[0]
