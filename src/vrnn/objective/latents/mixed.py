"""A z with a Gaussian and a categorical part."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from typing_extensions import override

from vrnn.objective.latents.base import Latent
from vrnn.objective.latents.categorical import CategoricalLatent
from vrnn.objective.latents.gaussian import GaussianLatent


class GaussianCategorical(NamedTuple):
    """Independent Gaussians and one-hot variables.

    Attributes:
        mean: (…, dim).
        std: Standard deviations, (…, dim).
        log_probs: Normalised, (…, variables, classes).
    """

    mean: Tensor
    std: Tensor
    log_probs: Tensor


class GaussianCategoricalLatent(Latent):
    """z = [Gaussian part, one-hot part], independent given h. Raw outputs, noise and KL groups have the same order.

    Args:
        gaussian: The Gaussian part.
        categorical: The one-hot part.

    Raises:
        ValueError: The categorical part has the estimator "exact", which sums over classes alone.
    """

    def __init__(self, gaussian: GaussianLatent, categorical: CategoricalLatent):
        if categorical.estimator == "exact":
            raise ValueError(
                "latent.categorical.estimator must be straight_through or gumbel_softmax beside a Gaussian, but is exact, "
                "which sums over classes alone."
            )
        parts: Sequence[Latent] = (gaussian, categorical)
        sums = {
            name: sum(getattr(part, name) for part in parts) for name in ("z_dim", "groups", "n_outputs", "n_noise")
        }
        super().__init__(**sums)
        self.gaussian, self.categorical = gaussian, categorical

    @override
    def from_raw(self, raw: Tensor) -> GaussianCategorical:
        a, b = raw.split([self.gaussian.n_outputs, self.categorical.n_outputs], dim=-1)
        return GaussianCategorical(*self.gaussian.from_raw(a), *self.categorical.from_raw(b))

    @override
    def standard(self, like: Tensor) -> GaussianCategorical:
        return GaussianCategorical(*self.gaussian.standard(like), *self.categorical.standard(like))

    @override
    def noise(self, *shape: int, like: Tensor, generator: torch.Generator | None = None) -> Tensor:
        parts = (self.gaussian, self.categorical)
        return torch.cat([part.noise(*shape, like=like, generator=generator) for part in parts], dim=-1)

    @override
    def sample(self, dist: tuple[Tensor, ...], noise: Tensor) -> Tensor:
        a, b = noise.split([self.gaussian.n_noise, self.categorical.n_noise], dim=-1)
        return torch.cat([self.gaussian.sample(dist[:2], a), self.categorical.sample(dist[2:], b)], dim=-1)

    @override
    def temper(self, dist: tuple[Tensor, ...], temperature: float) -> GaussianCategorical:
        parts = self.gaussian.temper(dist[:2], temperature), self.categorical.temper(dist[2:], temperature)
        return GaussianCategorical(*parts[0], *parts[1])

    @override
    def kl(self, q: tuple[Tensor, ...], p: tuple[Tensor, ...]) -> Tensor:
        return torch.cat([self.gaussian.kl(q[:2], p[:2]), self.categorical.kl(q[2:], p[2:])], dim=-1)

    @override
    def log_prob(self, dist: tuple[Tensor, ...], z: Tensor) -> Tensor:
        a, b = z.split([self.gaussian.z_dim, self.categorical.z_dim], dim=-1)
        return self.gaussian.log_prob(dist[:2], a) + self.categorical.log_prob(dist[2:], b)

    @override
    def usage_penalty(self, dist: tuple[Tensor, ...], mask: Tensor | None) -> Tensor:
        return self.categorical.usage_penalty(dist[2:], mask)

    @override
    def embedding(self, dist: tuple[Tensor, ...]) -> Tensor:
        return torch.cat([self.gaussian.embedding(dist[:2]), self.categorical.embedding(dist[2:])], dim=-1)
