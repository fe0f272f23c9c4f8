"""Points of the plane with correlated coordinates, alone or with a pen that can be lifted (Graves 2013, arXiv 1308.0850)."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor
from typing_extensions import override

from vrnn.objective.distributions import Gaussian, gaussian_log_prob, temper_log_probs
from vrnn.objective.likelihoods.base import DecoderDeviation, Likelihood, check_x_dim
from vrnn.objective.likelihoods.bernoulli import bernoulli_log_prob, bernoulli_moments, sample_bernoulli
from vrnn.objective.likelihoods.mixture import check_components, mixture_moments, sample_component

MAX_CORRELATION = 0.999  # |rho| stays below: at 1 the density is infinite along a line


class Bivariate(NamedTuple):
    """A mixture of K Gaussians in the plane.

    Attributes:
        log_weights: Normalised, (…, K).
        mean: (…, K, 2).
        std: Standard deviations, (…, K, 2).
        rho: Correlations, (…, K).
    """

    log_weights: Tensor
    mean: Tensor
    std: Tensor
    rho: Tensor


class BivariateLikelihood(DecoderDeviation):
    """p(x) = sum_k weight_k N(mean_k, [[s1^2, rho s1 s2], [rho s1 s2, s2^2]]_k), all from the decoder.

    The raw outputs, (…, 6 K), hold weights, means, deviations and correlations, rho = 0.999 tanh(raw).

    Args:
        components: K.
        floor: Of s1 and s2; see `DecoderDeviation`.
        ceiling: Likewise.

    Raises:
        ValueError: No component, or what `DecoderDeviation` refuses.
    """

    def __init__(self, components: int = 1, floor: float = 1e-3, ceiling: float | None = None):
        super().__init__(floor, ceiling)
        check_components(components)
        self.components = components

    @override
    def n_outputs(self, x_dim: int) -> int:
        return 6 * self.components

    @override
    def from_raw(self, raw: Tensor, mean_offset: Tensor, scale: float) -> Bivariate:
        check_plane(mean_offset)
        k = self.components
        logits, mean, std, rho = raw.split([k, 2 * k, 2 * k, k], dim=-1)
        mean, std = (part.unflatten(-1, (k, 2)) for part in (mean, std))
        return Bivariate(
            log_weights=logits.log_softmax(-1),
            mean=mean_offset.unsqueeze(-2) + scale * mean,
            std=self.deviation(std, scale),
            rho=MAX_CORRELATION * torch.tanh(rho),
        )

    @override
    def log_prob(self, dist: tuple[Tensor, ...], x: Tensor) -> Tensor:
        # log p(x1) + log p(x2 | x1) of each component
        log_weights, mean, std, rho = dist
        x = x.unsqueeze(-2).expand_as(mean)
        slope = rho * std[..., 1] / std[..., 0]
        mean_2 = mean[..., 1] + slope * (x[..., 0] - mean[..., 0])
        std_2 = std[..., 1] * (1 - rho.square()).sqrt()
        conditional = torch.stack([mean[..., 0], mean_2], -1), torch.stack([std[..., 0], std_2], -1)
        return (log_weights + gaussian_log_prob(x, *conditional)).logsumexp(-1)

    @override
    def sample(self, dist: tuple[Tensor, ...], noise: Tensor, uniform: Tensor) -> Tensor:
        # mean + (s1 n1, s2 (rho n1 + sqrt(1 - rho^2) n2)) of a sampled component
        log_weights, mean, std, rho = dist
        chosen = sample_component(log_weights, uniform).unsqueeze(-1)
        pairs = chosen.unsqueeze(-1).expand(*chosen.shape, 2)
        mean, std, rho = mean.gather(-2, pairs).squeeze(-2), std.gather(-2, pairs).squeeze(-2), rho.gather(-1, chosen)
        second = rho * noise[..., :1] + (1 - rho.square()).sqrt() * noise[..., 1:]
        return mean + std * torch.cat([noise[..., :1], second], -1)

    @override
    def temper(self, dist: tuple[Tensor, ...], temperature: float) -> Bivariate:
        log_weights, mean, std, rho = dist
        return Bivariate(temper_log_probs(log_weights, temperature), mean, math.sqrt(temperature) * std, rho)

    @override
    def moments(self, dist: tuple[Tensor, ...]) -> Gaussian:
        log_weights, mean, std, _ = dist
        return mixture_moments(log_weights, mean, std)

    @override
    def check(self, x: Tensor) -> None:
        check_plane(x)


class PenMove(NamedTuple):
    """The state of the pen, and a mixture for its move.

    Attributes:
        logits: Of the pen being lifted, (…, 1).
        log_weights: As in `Bivariate`, like all below.
        mean: (…, K, 2).
        std: (…, K, 2).
        rho: (…, K).
    """

    logits: Tensor
    log_weights: Tensor
    mean: Tensor
    std: Tensor
    rho: Tensor


class PenLikelihood(Likelihood):
    """p(pen, dx, dy) = Bernoulli(pen) * a mixture of K correlated Gaussians for (dx, dy) (Graves 2013, equations 18-23).

    The raw outputs, (…, 1 + 6 K), hold the pen's logit, then those of the move. The logit uses no mean offset and no scale.

    Args:
        components: K.
        floor: Of the move's deviations; see `DecoderDeviation`.
        ceiling: Likewise.

    Raises:
        ValueError: No component, or what `DecoderDeviation` refuses.
    """

    def __init__(self, components: int = 20, floor: float = 1e-3, ceiling: float | None = None):
        super().__init__()
        self.move = BivariateLikelihood(components, floor, ceiling)

    @override
    def n_outputs(self, x_dim: int) -> int:
        return 1 + self.move.n_outputs(2)

    @override
    def from_raw(self, raw: Tensor, mean_offset: Tensor, scale: float) -> PenMove:
        check_strokes(mean_offset)
        return PenMove(raw[..., :1], *self.move.from_raw(raw[..., 1:], mean_offset[..., 1:], scale))

    @override
    def log_prob(self, dist: tuple[Tensor, ...], x: Tensor) -> Tensor:
        logits, *move = dist
        return bernoulli_log_prob(x[..., :1], logits) + self.move.log_prob(tuple(move), x[..., 1:])

    @override
    def sample(self, dist: tuple[Tensor, ...], noise: Tensor, uniform: Tensor) -> Tensor:
        logits, *move = dist
        pen = sample_bernoulli(logits, noise[..., :1])
        return torch.cat([pen, self.move.sample(tuple(move), noise[..., 1:], uniform)], -1)

    @override
    def temper(self, dist: tuple[Tensor, ...], temperature: float) -> PenMove:
        logits, *move = dist
        return PenMove(logits / temperature, *self.move.temper(tuple(move), temperature))

    @override
    def moments(self, dist: tuple[Tensor, ...]) -> Gaussian:
        logits, *move = dist
        parts = bernoulli_moments(logits), self.move.moments(tuple(move))
        return Gaussian(*(torch.cat(pair, -1) for pair in zip(*parts, strict=True)))

    @override
    def check(self, x: Tensor) -> None:
        check_strokes(x)
        pen = x[..., 0]
        if ((pen != 0) & (pen != 1) & ~pen.isnan()).any():
            others = sorted(set(pen[~pen.isnan()].flatten().tolist()) - {0.0, 1.0})[:3]
            raise ValueError(
                "likelihood=pen needs (pen, dx, dy) whose first coordinate is 0 or 1 (1: the pen is lifted), but it has values "
                f"such as {others}: choose another likelihood or another dataset."
            )


def check_plane(x: Tensor) -> None:
    """Refuse points (…, x_dim) that are not (x, y)."""
    check_x_dim("bivariate", points="points of the plane", expected=2, x_dim=x.shape[-1])


def check_strokes(x: Tensor) -> None:
    """Refuse points (…, x_dim) that are not (pen, dx, dy)."""
    check_x_dim("pen", points="(pen, dx, dy)", expected=3, x_dim=x.shape[-1])
