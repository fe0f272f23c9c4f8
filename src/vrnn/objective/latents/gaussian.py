"""A Gaussian z: the latent variable of Chung et al. 2015."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from typing_extensions import override

from vrnn.distributed import sample_noise
from vrnn.objective.distributions import Gaussian, gaussian_kl, gaussian_log_prob
from vrnn.objective.latents.base import Latent
from vrnn.objective.likelihoods.base import SQUASHES, Squash, positive


class GaussianLatent(Latent):
    """z = mean + std * noise (Kingma & Welling 2014, arXiv 1312.6114). Each dimension is a group of the KL.

    The raw outputs (…, 2 z_dim) hold the means first; a standard deviation is floor + squash(raw). The noise is standard
    normal, and the fixed prior is N(0, 1).

    Args:
        z_dim: Dimensions.
        std: The squash: "softplus" or "sigmoid".
        floor: The smallest standard deviation.

    Raises:
        ValueError: No dimension, an unknown squash, or a floor that is not positive.
    """

    def __init__(self, z_dim: int = 8, std: Squash = "softplus", floor: float = 1e-4):
        if z_dim < 1:
            raise ValueError(
                f"model.z_dim must be at least 1, but is {z_dim}: for a model without z, choose latent=none."
            )
        if std not in SQUASHES:
            raise ValueError(f"model.std must be {' or '.join(SQUASHES)}, but is {std!r}.")
        if floor <= 0:
            raise ValueError(f"model.std_floor must be positive, but is {floor}.")
        super().__init__(z_dim, groups=z_dim, n_outputs=2 * z_dim, n_noise=z_dim)
        self.std: Squash = std
        self.floor = floor

    @override
    def from_raw(self, raw: Tensor) -> Gaussian:
        mean, std = raw.chunk(2, dim=-1)
        return Gaussian(mean, positive(std, self.std, self.floor))

    @override
    def standard(self, like: Tensor) -> Gaussian:
        zeros = like.new_zeros(*like.shape[:-1], self.z_dim)
        return Gaussian(zeros, zeros + 1)

    @override
    def noise(self, *shape: int, like: Tensor, generator: torch.Generator | None = None) -> Tensor:
        return sample_noise(torch.randn, *shape, self.n_noise, like=like, generator=generator)

    @override
    def sample(self, dist: tuple[Tensor, ...], noise: Tensor) -> Tensor:
        mean, std = dist
        return mean + std * noise

    @override
    def temper(self, dist: tuple[Tensor, ...], temperature: float) -> Gaussian:
        mean, std = dist
        return Gaussian(mean, math.sqrt(temperature) * std)

    @override
    def kl(self, q: tuple[Tensor, ...], p: tuple[Tensor, ...]) -> Tensor:
        return gaussian_kl(Gaussian(*q), Gaussian(*p))

    @override
    def log_prob(self, dist: tuple[Tensor, ...], z: Tensor) -> Tensor:
        return gaussian_log_prob(z, *dist)

    @override
    def embedding(self, dist: tuple[Tensor, ...]) -> Tensor:
        return dist[0]
