"""What a likelihood is, and the deviations a decoder can give."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from vrnn.objective.distributions import Gaussian
from vrnn.objective.reduction import mean_per_step

Squash = Literal["softplus", "sigmoid"]
SQUASHES: dict[Squash, Callable[[Tensor], Tensor]] = {"softplus": softplus, "sigmoid": torch.sigmoid}


def positive(raw: Tensor, squash: Squash, floor: float, width: float = 1.0) -> Tensor:
    """Return a standard deviation: floor + width * squash(raw)."""
    return floor + width * SQUASHES[squash](raw)


class Likelihood(nn.Module):
    """The interface: `n_outputs`, `read`, `log_prob`, `sample`, `moments`, and the `distortion` training minimises."""

    def n_outputs(self, x_dim: int) -> int:
        """How many raw numbers the decoder must give for a point of x_dim coordinates."""
        raise NotImplementedError

    def from_raw(self, raw: Tensor, mean_offset: Tensor, scale: float) -> tuple[Tensor, ...]:
        """Turn raw outputs (…, n_outputs) around an mean_offset (…, x_dim) into the likelihood's distribution."""
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

    follows_batches: bool = False  # whether `distortion` learns something from all points of a batch at once

    def check(self, x: Tensor) -> None:
        """Raise ValueError if data x (…, x_dim) cannot be this likelihood's; a NaN stands for a point that is missing."""

    def distortion(self, dist: tuple[Tensor, ...], x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return what the loss adds to w * KL, (…): here -log p(x) in nats.

        mask (…): False where x holds nothing: for likelihoods that learn something from all points at once.
        """
        return -self.log_prob(dist, x)

    def nats_per_distortion(self, distortion: Tensor, x_dim: int) -> Tensor:
        """How many nats a unit of distortion is worth: what turns w into the ELBO's beta. 1 for a log-likelihood."""
        return torch.ones_like(distortion)

    def rms_sigma(self, dist: tuple[Tensor, ...], distortion: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return the decoder's own sigma, rms over coordinates and steps, (): times sqrt(beta) it is the implied sigma.

        D + beta KL with D = (x - mean)^2 / (2 s^2) + … has its minimum where (x - mean)^2 / (2 beta s^2) + KL has, up to what
        trains s itself: w chooses a noise of s sqrt(beta). distortion, mask: (T, B).
        """
        return mean_per_step(self.moments(dist).std.square().mean(-1), mask).sqrt()


class DecoderDeviation(Likelihood):
    """A likelihood whose standard deviations come from the decoder.

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


def check_x_dim(name: str, meant: str, found: int, expected: int) -> None:
    """Refuse points with another number of coordinates than the likelihood is for."""
    if found != expected:
        raise ValueError(f"likelihood={name} is for {meant}, x_dim = {expected}, but the data have x_dim = {found}.")
