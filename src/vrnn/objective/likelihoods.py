"""How likely a point is under the decoder: one class a likelihood.

A likelihood turns the decoder's raw outputs into a distribution over the next point. The outputs are read in the frame's
units: a raw mean of 1 lies `scale` away from the frame's origin, and deviations without a ceiling
are in units of `scale` too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from vrnn.objective.distributions import Gaussian, GaussianMixture, gaussian_log_prob
from vrnn.processes import draw

Squash = Literal["softplus", "sigmoid"]
SQUASHES: dict[Squash, Callable[[Tensor], Tensor]] = {"softplus": softplus, "sigmoid": torch.sigmoid}


def positive(raw: Tensor, squash: Squash, floor: float, width: float = 1.0) -> Tensor:
    """Return a standard deviation: floor + width * squash(raw)."""
    return floor + width * SQUASHES[squash](raw)


class Likelihood(nn.Module):
    """The interface: `n_outputs`, `read`, `log_prob`, `sample`, `moments`, and the `distortion` training minimises.

    floor: the smallest standard deviation, in units of x. Without one a noiseless stretch makes the density infinite.
    ceiling: the largest one, approached by a sigmoid; None: unbounded, by a softplus. A decoder that cannot be wider than
        the hand's noise cannot cover two ways to go on at once, so the choice between them is left to z.
    """

    def __init__(self, floor: float = 1e-3, ceiling: float | None = None):
        super().__init__()
        if floor <= 0:
            raise ValueError(f"likelihood.floor must be positive, but is {floor}.")
        if ceiling is not None and ceiling <= floor:
            raise ValueError(f"likelihood.ceiling must exceed likelihood.floor = {floor}, but is {ceiling}.")
        self.floor, self.ceiling = floor, ceiling

    def deviation(self, raw: Tensor, scale: float) -> Tensor:
        """Return a standard deviation between floor and ceiling, in units of x."""
        if self.ceiling is None:
            return positive(raw, "softplus", self.floor, scale)
        return positive(raw, "sigmoid", self.floor, self.ceiling - self.floor)

    def n_outputs(self, x_dim: int) -> int:
        """How many raw numbers the decoder must give for a point of x_dim coordinates."""
        raise NotImplementedError

    def read(self, raw: Tensor, origin: Tensor, scale: float) -> tuple[Tensor, ...]:
        """Turn raw outputs (…, n_outputs) around an origin (…, x_dim) into the likelihood's distribution."""
        raise NotImplementedError

    def log_prob(self, dist: tuple[Tensor, ...], x: Tensor) -> Tensor:
        """Return log p(x) in nats: (…, x_dim) -> (…)."""
        raise NotImplementedError

    def sample(self, dist: tuple[Tensor, ...], noise: Tensor, uniform: Tensor) -> Tensor:
        """Return a point (…, x_dim) made from standard normal noise (…, x_dim) and uniform numbers (…)."""
        raise NotImplementedError

    def moments(self, dist: tuple[Tensor, ...]) -> Gaussian:
        """Return the mean and standard deviation of each coordinate: (…, x_dim)."""
        raise NotImplementedError

    def distortion(self, dist: tuple[Tensor, ...], x: Tensor) -> Tensor:
        """Return what the loss adds to w * KL, (…): here -log p(x) in nats."""
        return -self.log_prob(dist, x)

    def nats_per_distortion(self, distortion: Tensor, x_dim: int) -> Tensor:
        """How many nats a unit of distortion is worth: what turns w into the ELBO's beta. 1 for a log-likelihood."""
        return torch.ones_like(distortion)


class GaussianLikelihood(Likelihood):
    """p(x) = N(mean, diag(std^2)), both from the decoder."""

    def n_outputs(self, x_dim: int) -> int:
        """Mean and deviation a coordinate."""
        return 2 * x_dim

    def read(self, raw: Tensor, origin: Tensor, scale: float) -> Gaussian:
        """raw: (…, 2 x_dim), means first."""
        mean, std = raw.chunk(2, dim=-1)
        return Gaussian(origin + scale * mean, self.deviation(std, scale))

    def log_prob(self, dist: tuple[Tensor, ...], x: Tensor) -> Tensor:
        """Nats, summed over the coordinates."""
        mean, std = dist
        return gaussian_log_prob(x, mean, std)

    def sample(self, dist: tuple[Tensor, ...], noise: Tensor, uniform: Tensor) -> Tensor:
        """mean + std * noise."""
        mean, std = dist
        return mean + std * noise

    def moments(self, dist: tuple[Tensor, ...]) -> Gaussian:
        """The parameters themselves."""
        return Gaussian(*dist)


class MSELikelihood(GaussianLikelihood):
    """The blog's loss: the squared error of a *sampled* point, mean over the coordinates, instead of -log p(x).

    E[distortion] = mean((x - mean)^2) + mean(std^2), so it pulls std to 0; log_prob still tells how likely the truth is under
    the Gaussian it draws from. Minimising D + w KL is a Gaussian ELBO with noise variance w x_dim / 2 (w per step), so at
    noise = D its beta is w x_dim / (2 D).
    """

    def distortion(self, dist: tuple[Tensor, ...], x: Tensor) -> Tensor:
        """Return ((x - x_hat)^2).mean(-1) with x_hat drawn from torch's global generator."""
        mean, std = dist
        return (x - mean - std * draw(torch.randn, *std.shape, like=std)).square().mean(-1)

    def nats_per_distortion(self, distortion: Tensor, x_dim: int) -> Tensor:
        """Return x_dim / (2 D)."""
        return x_dim / (2 * distortion)


class GaussianMixtureLikelihood(Likelihood):
    """p(x) = sum_k weight_k N(mean_k, diag(std_k^2)), K components, all from the decoder."""

    def __init__(self, components: int = 4, floor: float = 1e-3, ceiling: float | None = None):
        super().__init__(floor, ceiling)
        if components < 1:
            raise ValueError(f"likelihood.components must be at least 1, but is {components}.")
        self.components = components

    def n_outputs(self, x_dim: int) -> int:
        """A weight, and mean and deviation a coordinate, for each component."""
        return self.components * (1 + 2 * x_dim)

    def read(self, raw: Tensor, origin: Tensor, scale: float) -> GaussianMixture:
        """raw: (…, K (1 + 2 x_dim)): weights, then means, then deviations."""
        x_dim = origin.shape[-1]
        logits, mean, std = raw.split([self.components, *[self.components * x_dim] * 2], dim=-1)
        mean, std = (part.unflatten(-1, (self.components, x_dim)) for part in (mean, std))
        return GaussianMixture(
            logits.log_softmax(-1),
            origin.unsqueeze(-2) + scale * mean,
            self.deviation(std, scale),
        )

    def log_prob(self, dist: tuple[Tensor, ...], x: Tensor) -> Tensor:
        """Nats, exact, by logsumexp over the components."""
        log_weights, mean, std = dist
        return (log_weights + gaussian_log_prob(x.unsqueeze(-2), mean, std)).logsumexp(-1)

    def sample(self, dist: tuple[Tensor, ...], noise: Tensor, uniform: Tensor) -> Tensor:
        """The component by inverting the weights' cumulative sum at `uniform`, then mean + std * noise."""
        log_weights, mean, std = dist
        below = log_weights.exp().cumsum(-1)[..., :-1] < uniform.unsqueeze(-1)
        chosen = below.sum(-1)[..., None, None].expand(*uniform.shape, 1, noise.shape[-1])
        return (mean.gather(-2, chosen) + std.gather(-2, chosen) * noise.unsqueeze(-2)).squeeze(-2)

    def moments(self, dist: tuple[Tensor, ...]) -> Gaussian:
        """Mean and standard deviation of the whole mixture."""
        log_weights, mean, std = dist
        weights = log_weights.exp().unsqueeze(-1)
        overall = (weights * mean).sum(-2)
        variance = (weights * (std.square() + (mean - overall.unsqueeze(-2)).square())).sum(-2)
        return Gaussian(overall, variance.sqrt())
