"""How a trace begins: the distribution of its first point, and the recurrence's state before it."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from vrnn.checks import require
from vrnn.networks.condition import Condition, NoCondition
from vrnn.networks.coordinates import Coordinates
from vrnn.networks.posterior import Posterior
from vrnn.objective.distributions import Gaussian, GaussianMixture, gaussian_log_prob
from vrnn.objective.likelihoods import GaussianMixtureLikelihood, Likelihood, PenLikelihood


class Beginning(nn.Module):
    """p(x_0) = sum_k weight_k N(mean_k, diag(std_k^2)) in absolute coordinates, and a learned h_0.

    Without it x_0 comes from the decoder, relative to a pen that rests at 0 (see `Coordinates`), and h_0 = 0. With it z_0 says
    nothing of x_0: it is drawn from q(z_0 | x_0, h_0) in the model, too, so that the first step costs no KL.

    Args:
        components: K.
        x_dim: Numbers per point.
        state_dim: Width of the recurrence's state.
    """

    def __init__(self, components: int, x_dim: int, state_dim: int):
        super().__init__()
        self.mixture = GaussianMixtureLikelihood(components)
        # At first as wide as the data, whose deviations are of the order of 1.
        self.raw = nn.Parameter(torch.randn(self.mixture.n_outputs(x_dim)))
        self.memory = nn.Parameter(torch.zeros(state_dim))
        self.x_dim = x_dim

    def distribution(self) -> GaussianMixture:
        """Return p(x_0), parts (K, …)."""
        return self.mixture.from_raw(self.raw, self.raw.new_zeros(self.x_dim), scale=1.0)

    def log_prob(self, x: Tensor) -> Tensor:
        """Return log p(x_0) in nats, (…), of x_0 (…, x_dim)."""
        return self.mixture.log_prob(self.distribution(), x)

    def sample(self, n: int, generator: torch.Generator | None) -> Tensor:
        """Draw first points, (n, x_dim)."""
        options: dict[str, Any] = {"dtype": self.raw.dtype, "device": self.raw.device, "generator": generator}
        dist = tuple(part.expand(n, *part.shape) for part in self.distribution())
        return self.mixture.sample(dist, torch.randn(n, self.x_dim, **options), torch.rand(n, **options))

    def moments(self, x: Tensor) -> Gaussian:
        """Return mean and deviation of the component that each x_0 (…, x_dim) most probably comes from, (…, x_dim) each."""
        log_weights, mean, std = self.distribution()
        nearest = (log_weights + gaussian_log_prob(x.unsqueeze(-2), mean, std)).argmax(-1)
        chosen = one_hot(nearest, len(log_weights)).to(x)
        return Gaussian(chosen @ mean, chosen @ std)


def check_beginning(
    coordinates: Coordinates, likelihood: Likelihood, condition: Condition, posterior: Posterior
) -> None:
    """Refuse a distribution of first points where it would describe no point, or not all of it.

    With a posterior that looks ahead q(z_0) would tell the model of all later points, and at no KL: the ELBO would be no bound.

    Raises:
        ValueError: Predictive coordinates, a likelihood of something else than real numbers, a condition, or such a posterior.
    """
    fix = "set model.first_points=0"
    require(coordinates.predicts == "this", "frame.predicts with model.first_points", "this", coordinates.predicts, fix)
    real = type(likelihood).distortion is Likelihood.distortion
    real = real and not likelihood.binary and not isinstance(likelihood, PenLikelihood)
    name = type(likelihood).__name__
    require(real, "likelihood with model.first_points", "a density of real numbers", name, fix)
    plain = isinstance(condition, NoCondition)
    require(plain, "condition with model.first_points", "none", type(condition).__name__, fix)
    causal, found = "backward" not in posterior.directions, [*posterior.directions]
    require(causal, "posterior.directions with model.first_points", "without backward", found, fix)
