"""Points of the plane whose coordinates are correlated, alone or with a pen that may be lifted (Graves 2013)."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from vrnn.objective.distributions import Gaussian, gaussian_log_prob
from vrnn.objective.likelihoods.base import DecoderDeviation, Likelihood, check_x_dim
from vrnn.objective.likelihoods.bernoulli import bernoulli_log_prob, bernoulli_moments, sample_bernoulli
from vrnn.objective.likelihoods.mixture import check_components, choose, mixture_moments

STEEPEST = 0.999  # |rho| stays below: at 1 the density is infinite along a line


class Bivariate(NamedTuple):
    """A mixture of K Gaussians in the plane. log_weights, rho: (…, K); mean, std: (…, K, 2); rho the correlations."""

    log_weights: Tensor
    mean: Tensor
    std: Tensor
    rho: Tensor


class BivariateLikelihood(DecoderDeviation):
    """p(x) = sum_k weight_k N(mean_k, [[s1^2, rho s1 s2], [rho s1 s2, s2^2]]_k), K components, all from the decoder.

    rho = 0.999 tanh(raw). floor, ceiling: of s1 and s2.
    """

    def __init__(self, components: int = 1, floor: float = 1e-3, ceiling: float | None = None):
        super().__init__(floor, ceiling)
        check_components(components)
        self.components = components

    def n_outputs(self, x_dim: int) -> int:
        """A weight, two means, two deviations and a correlation for each component."""
        return 6 * self.components

    def from_raw(self, raw: Tensor, mean_offset: Tensor, scale: float) -> Bivariate:
        """raw: (…, 6 K): weights, means, deviations, correlations."""
        check_x_dim("bivariate", "points of the plane", mean_offset.shape[-1], 2)
        k = self.components
        logits, mean, std, rho = raw.split([k, 2 * k, 2 * k, k], dim=-1)
        mean, std = (part.unflatten(-1, (k, 2)) for part in (mean, std))
        return Bivariate(
            logits.log_softmax(-1),
            mean_offset.unsqueeze(-2) + scale * mean,
            self.deviation(std, scale),
            STEEPEST * torch.tanh(rho),
        )

    def log_prob(self, dist: tuple[Tensor, ...], x: Tensor) -> Tensor:
        """Nats: log p(x1) + log p(x2 | x1) of each component, then logsumexp."""
        log_weights, mean, std, rho = dist
        x = x.unsqueeze(-2).expand_as(mean)
        slope = rho * std[..., 1] / std[..., 0]
        mean_2 = mean[..., 1] + slope * (x[..., 0] - mean[..., 0])
        std_2 = std[..., 1] * (1 - rho.square()).sqrt()
        given = torch.stack([mean[..., 0], mean_2], -1), torch.stack([std[..., 0], std_2], -1)
        return (log_weights + gaussian_log_prob(x, *given)).logsumexp(-1)

    def sample(self, dist: tuple[Tensor, ...], noise: Tensor, uniform: Tensor) -> Tensor:
        """The component by `uniform`, then mean + (s1 n1, s2 (rho n1 + sqrt(1 - rho^2) n2))."""
        log_weights, mean, std, rho = dist
        chosen = choose(log_weights, uniform).unsqueeze(-1)
        pairs = chosen.unsqueeze(-1).expand(*chosen.shape, 2)
        mean, std, rho = mean.gather(-2, pairs).squeeze(-2), std.gather(-2, pairs).squeeze(-2), rho.gather(-1, chosen)
        second = rho * noise[..., :1] + (1 - rho.square()).sqrt() * noise[..., 1:]
        return mean + std * torch.cat([noise[..., :1], second], -1)

    def moments(self, dist: tuple[Tensor, ...]) -> Gaussian:
        """Mean and standard deviation of the whole mixture, a coordinate."""
        log_weights, mean, std, _ = dist
        return mixture_moments(log_weights, mean, std)

    def check(self, x: Tensor) -> None:
        """x_dim must be 2."""
        check_x_dim("bivariate", "points of the plane", x.shape[-1], 2)


class PenMove(NamedTuple):
    """A coin with logits (…, 1), and the parts of a Bivariate."""

    logits: Tensor
    log_weights: Tensor
    mean: Tensor
    std: Tensor
    rho: Tensor


class PenLikelihood(Likelihood):
    """p(pen, dx, dy) = Bernoulli(pen) * a mixture of K correlated Gaussians for (dx, dy) (Graves 2013, equations 18-23)."""

    def __init__(self, components: int = 20, floor: float = 1e-3, ceiling: float | None = None):
        super().__init__()
        self.move = BivariateLikelihood(components, floor, ceiling)

    def n_outputs(self, x_dim: int) -> int:
        """The pen's logit, and what the move takes."""
        return 1 + self.move.n_outputs(2)

    def from_raw(self, raw: Tensor, mean_offset: Tensor, scale: float) -> PenMove:
        """raw: (…, 1 + 6 K), the pen's logit first, which the frame's mean_offset and scale do not touch."""
        check_x_dim("pen", "(pen, dx, dy)", mean_offset.shape[-1], 3)
        return PenMove(raw[..., :1], *self.move.from_raw(raw[..., 1:], mean_offset[..., 1:], scale))

    def log_prob(self, dist: tuple[Tensor, ...], x: Tensor) -> Tensor:
        """Nats, pen and move together."""
        logits, *move = dist
        return bernoulli_log_prob(x[..., :1], logits) + self.move.log_prob(tuple(move), x[..., 1:])

    def sample(self, dist: tuple[Tensor, ...], noise: Tensor, uniform: Tensor) -> Tensor:
        """The pen by its own noise, the move by the rest and `uniform`: all independent."""
        logits, *move = dist
        return torch.cat(
            [sample_bernoulli(logits, noise[..., :1]), self.move.sample(tuple(move), noise[..., 1:], uniform)], -1
        )

    def moments(self, dist: tuple[Tensor, ...]) -> Gaussian:
        """Mean and standard deviation a coordinate; the pen's mean is its probability."""
        logits, *move = dist
        parts = bernoulli_moments(logits), self.move.moments(tuple(move))
        return Gaussian(*(torch.cat(pair, -1) for pair in zip(*parts, strict=True)))

    def check(self, x: Tensor) -> None:
        """x_dim must be 3, and the first channel 0 or 1."""
        check_x_dim("pen", "(pen, dx, dy)", x.shape[-1], 3)
        pen = x[..., 0]
        if ((pen != 0) & (pen != 1) & ~pen.isnan()).any():
            raise ValueError(
                "likelihood=pen is for (pen, dx, dy) whose first channel is 0 or 1 (1: the pen is lifted), but it has "
                f"{sorted(set(pen[~pen.isnan()].flatten().tolist()) - {0.0, 1.0})[:3]} among its values."
            )
