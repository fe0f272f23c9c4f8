"""A Gaussian and a categorical part side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from vrnn.objective.latents.base import Latent
from vrnn.objective.latents.categorical import CategoricalLatent
from vrnn.objective.latents.gaussian import GaussianLatent


class GaussianCategorical(NamedTuple):
    """Independent Gaussians and, beside them, one-hot variables. mean, std: (…, dim); log_probs: (…, variables, classes)."""

    mean: Tensor
    std: Tensor
    log_probs: Tensor


class GaussianCategoricalLatent(Latent):
    """Both side by side: z = [Gaussian part, one-hot part], independent given h. The KL's groups are those of both."""

    def __init__(self, gaussian: GaussianLatent, categorical: CategoricalLatent):
        if categorical.estimator == "exact":
            raise ValueError(
                "latent.categorical.estimator=exact sums over classes alone; beside a Gaussian use straight_through."
            )
        parts: Sequence[Latent] = (gaussian, categorical)
        sums = {
            name: sum(getattr(part, name) for part in parts) for name in ("z_dim", "groups", "n_outputs", "n_noise")
        }
        super().__init__(**sums)
        self.gaussian, self.categorical = gaussian, categorical

    def from_raw(self, raw: Tensor) -> GaussianCategorical:
        """The Gaussian's raw outputs first."""
        a, b = raw.split([self.gaussian.n_outputs, self.categorical.n_outputs], dim=-1)
        return GaussianCategorical(*self.gaussian.from_raw(a), *self.categorical.from_raw(b))

    def standard(self, like: Tensor) -> GaussianCategorical:
        """N(0, 1), and all classes alike."""
        return GaussianCategorical(*self.gaussian.standard(like), *self.categorical.standard(like))

    def noise(self, *shape: int, like: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Standard normal, then uniform."""
        parts = (self.gaussian, self.categorical)
        return torch.cat([part.noise(*shape, like=like, generator=generator) for part in parts], dim=-1)

    def sample(self, dist: tuple[Tensor, ...], noise: Tensor) -> Tensor:
        """Each its own way."""
        a, b = noise.split([self.gaussian.n_noise, self.categorical.n_noise], dim=-1)
        return torch.cat([self.gaussian.sample(dist[:2], a), self.categorical.sample(dist[2:], b)], dim=-1)

    def kl(self, q: tuple[Tensor, ...], p: tuple[Tensor, ...]) -> Tensor:
        """The Gaussian's dimensions, then the variables."""
        return torch.cat([self.gaussian.kl(q[:2], p[:2]), self.categorical.kl(q[2:], p[2:])], dim=-1)

    def log_prob(self, dist: tuple[Tensor, ...], z: Tensor) -> Tensor:
        """The sum of both."""
        a, b = z.split([self.gaussian.z_dim, self.categorical.z_dim], dim=-1)
        return self.gaussian.log_prob(dist[:2], a) + self.categorical.log_prob(dist[2:], b)

    def usage_penalty(self, q: tuple[Tensor, ...], mask: Tensor | None) -> Tensor:
        """Of the classes; a Gaussian has none."""
        return self.categorical.usage_penalty(q[2:], mask)

    def embedding(self, dist: tuple[Tensor, ...]) -> Tensor:
        """Means, then probabilities."""
        return torch.cat([self.gaussian.embedding(dist[:2]), self.categorical.embedding(dist[2:])], dim=-1)
