"""Mixtures of K diagonal Gaussians."""

from __future__ import annotations

import math

from torch import Tensor
from typing_extensions import override

from vrnn.objective.distributions import Gaussian, GaussianMixture, gaussian_log_prob, temper_log_probs
from vrnn.objective.likelihoods.base import DecoderDeviation


def sample_component(log_weights: Tensor, uniform: Tensor) -> Tensor:
    """Return the index of a component, sampled by the inverse of the weights' cumulative sum: (…, K), (…) -> (…)."""
    below = log_weights.exp().cumsum(-1)[..., :-1] < uniform.unsqueeze(-1)
    return below.sum(-1)


def mixture_moments(log_weights: Tensor, mean: Tensor, std: Tensor) -> Gaussian:
    """Return the mean and the standard deviation of a whole mixture, (…, dim) each.

    Args:
        log_weights: (…, K).
        mean: (…, K, dim).
        std: (…, K, dim).
    """
    weights = log_weights.exp().unsqueeze(-1)
    overall = (weights * mean).sum(-2)
    variance = (weights * (std.square() + (mean - overall.unsqueeze(-2)).square())).sum(-2)
    return Gaussian(overall, variance.sqrt())


def check_components(components: int) -> None:
    """Refuse a mixture without a component.

    Raises:
        ValueError: components < 1.
    """
    if components < 1:
        raise ValueError(f"likelihood.components must be at least 1, but is {components}.")


class GaussianMixtureLikelihood(DecoderDeviation):
    """p(x) = sum_k weight_k N(mean_k, diag(std_k^2)), all from the decoder.

    The raw outputs, (…, K (1 + 2 x_dim)), hold weights, then means, then deviations.

    Args:
        components: K.
        floor: See `DecoderDeviation`.
        ceiling: See `DecoderDeviation`.

    Raises:
        ValueError: No component, or what `DecoderDeviation` refuses.
    """

    def __init__(self, components: int = 4, floor: float = 1e-3, ceiling: float | None = None):
        super().__init__(floor, ceiling)
        check_components(components)
        self.components = components

    @override
    def n_outputs(self, x_dim: int) -> int:
        return self.components * (1 + 2 * x_dim)

    @override
    def from_raw(self, raw: Tensor, mean_offset: Tensor, scale: float) -> GaussianMixture:
        x_dim = mean_offset.shape[-1]
        logits, mean, std = raw.split([self.components, *[self.components * x_dim] * 2], dim=-1)
        mean, std = (part.unflatten(-1, (self.components, x_dim)) for part in (mean, std))
        return GaussianMixture(
            log_weights=logits.log_softmax(-1),
            mean=mean_offset.unsqueeze(-2) + scale * mean,
            std=self.deviation(std, scale),
        )

    @override
    def log_prob(self, dist: tuple[Tensor, ...], x: Tensor) -> Tensor:
        log_weights, mean, std = dist
        return (log_weights + gaussian_log_prob(x.unsqueeze(-2), mean, std)).logsumexp(-1)

    @override
    def sample(self, dist: tuple[Tensor, ...], noise: Tensor, uniform: Tensor) -> Tensor:
        log_weights, mean, std = dist
        chosen = sample_component(log_weights, uniform)[..., None, None].expand(*uniform.shape, 1, noise.shape[-1])
        return (mean.gather(-2, chosen) + std.gather(-2, chosen) * noise.unsqueeze(-2)).squeeze(-2)

    @override
    def temper(self, dist: tuple[Tensor, ...], temperature: float) -> GaussianMixture:
        log_weights, mean, std = dist
        return GaussianMixture(temper_log_probs(log_weights, temperature), mean, math.sqrt(temperature) * std)

    @override
    def moments(self, dist: tuple[Tensor, ...]) -> Gaussian:
        return mixture_moments(*dist)
