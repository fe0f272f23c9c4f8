"""A Gaussian z: the latent variable of Chung et al. 2015."""

from __future__ import annotations

import torch
from torch import Tensor

from vrnn.distributed import sample_noise
from vrnn.objective.distributions import Gaussian, gaussian_kl, gaussian_log_prob
from vrnn.objective.latents.base import Latent
from vrnn.objective.likelihoods.base import SQUASHES, Squash, positive


class GaussianLatent(Latent):
    """z = mean + std * noise; a KL group is one dimension (Kingma & Welling 2014, arXiv 1312.6114).

    std, floor: how the standard deviation is made: floor + softplus or sigmoid of the raw output.
    """

    def __init__(self, z_dim: int = 8, std: Squash = "softplus", floor: float = 1e-4):
        if z_dim < 1:
            raise ValueError(f"model.z_dim must be at least 1, but is {z_dim}; a model without z has latent=none.")
        if std not in SQUASHES:
            raise ValueError(f"model.std must be {' or '.join(SQUASHES)}, but is {std!r}.")
        if floor <= 0:
            raise ValueError(f"model.std_floor must be positive, but is {floor}.")
        super().__init__(z_dim, groups=z_dim, n_outputs=2 * z_dim, n_noise=z_dim)
        self.std: Squash = std
        self.floor = floor

    def from_raw(self, raw: Tensor) -> Gaussian:
        """Means first."""
        mean, std = raw.chunk(2, dim=-1)
        return Gaussian(mean, positive(std, self.std, self.floor))

    def standard(self, like: Tensor) -> Gaussian:
        """N(0, 1)."""
        zeros = like.new_zeros(*like.shape[:-1], self.z_dim)
        return Gaussian(zeros, zeros + 1)

    def noise(self, *shape: int, like: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Standard normal."""
        return sample_noise(torch.randn, *shape, self.n_noise, like=like, generator=generator)

    def sample(self, dist: tuple[Tensor, ...], noise: Tensor) -> Tensor:
        """mean + std * noise."""
        mean, std = dist
        return mean + std * noise

    def kl(self, q: tuple[Tensor, ...], p: tuple[Tensor, ...]) -> Tensor:
        """See gaussian_kl."""
        return gaussian_kl(Gaussian(*q), Gaussian(*p))

    def log_prob(self, dist: tuple[Tensor, ...], z: Tensor) -> Tensor:
        """See gaussian_log_prob."""
        return gaussian_log_prob(z, *dist)

    def embedding(self, dist: tuple[Tensor, ...]) -> Tensor:
        """The means."""
        return dist[0]
