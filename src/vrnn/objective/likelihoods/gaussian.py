"""Gaussians whose deviation is the decoder's, given, or one for all; and squared errors that take their place."""

from __future__ import annotations

import math
from typing import Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus
from typing_extensions import override

from vrnn.distributed import sample_noise
from vrnn.objective.distributions import Gaussian, gaussian_log_prob
from vrnn.objective.likelihoods.base import DecoderDeviation, Likelihood
from vrnn.objective.reduction import any_observed, mean_per_step


class AroundMean(Likelihood):
    """p(x) = N(mean, diag(std^2)) as a pair (mean, std), however the two are made."""

    @override
    def log_prob(self, dist: tuple[Tensor, ...], x: Tensor) -> Tensor:
        mean, std = dist
        return gaussian_log_prob(x, mean, std)

    @override
    def sample(self, dist: tuple[Tensor, ...], noise: Tensor, uniform: Tensor) -> Tensor:
        mean, std = dist
        return mean + std * noise

    @override
    def temper(self, dist: tuple[Tensor, ...], temperature: float) -> Gaussian:
        mean, std = dist
        return Gaussian(mean, math.sqrt(temperature) * std)

    @override
    def moments(self, dist: tuple[Tensor, ...]) -> Gaussian:
        return Gaussian(*dist)


class GaussianLikelihood(DecoderDeviation, AroundMean):
    """p(x) = N(mean, diag(std^2)), both from the decoder. The raw outputs, (…, 2 x_dim), hold means, then deviations."""

    @override
    def n_outputs(self, x_dim: int) -> int:
        return 2 * x_dim

    @override
    def from_raw(self, raw: Tensor, mean_offset: Tensor, scale: float) -> Gaussian:
        mean, std = raw.chunk(2, dim=-1)
        return Gaussian(mean_offset + scale * mean, self.deviation(std, scale))


class OneSigma(AroundMean):
    """p(x) = N(mean, sigma^2): the mean from the decoder, (…, x_dim), one sigma for all coordinates, steps and traces."""

    def sigma(self) -> Tensor:
        """Return the present sigma, () in units of x."""
        raise NotImplementedError

    @override
    def n_outputs(self, x_dim: int) -> int:
        return x_dim

    @override
    def from_raw(self, raw: Tensor, mean_offset: Tensor, scale: float) -> Gaussian:
        return Gaussian(mean_offset + scale * raw, self.sigma().expand_as(raw))


class FixedGaussianLikelihood(OneSigma):
    """p(x) = N(mean, sigma^2) with a given sigma.

    Args:
        sigma: In units of x.

    Raises:
        ValueError: A sigma that is not positive.
    """

    given: Tensor

    def __init__(self, sigma: float = 0.02):
        super().__init__()
        check_sigma("sigma", sigma)
        self.register_buffer("given", torch.tensor(float(sigma)))

    @override
    def sigma(self) -> Tensor:
        return self.given


SharedSigma = Literal["learned", "optimal", "running"]


class SharedGaussianLikelihood(OneSigma):
    """p(x) = N(mean, s^2) with an s that follows the data.

    sigma chooses how:

    - "learned": s = exp(log floor + softplus(log s' - log floor)) with a parameter log s' (Rybkin et al. 2021, sigma-VAE,
      arXiv 2006.13202; its floor is exp(-6)).
    - "optimal": s^2 is the mean squared error of the batch (same source). It needs no gradient, since the likelihood is
      stationary in s there.
    - "running": s^2 becomes min(mse, 0.99 mse + 0.01 the batch's mse) (Asperti & Trentin 2020, arXiv 2002.07514).

    The last two change in training, as part of `distortion`: a distribution made before it has the s of the previous step.
    Evaluation and generation use the last s.

    Args:
        sigma: See above.
        floor: The smallest s, in units of x.
        start: The first s, in units of x.

    Raises:
        ValueError: An unknown choice, a floor that is not positive, or a start that does not exceed it.
    """

    mse: Tensor

    def __init__(self, sigma: SharedSigma = "learned", floor: float = 3e-3, start: float = 0.1):
        super().__init__()
        if sigma not in get_args(SharedSigma):
            choices = ", ".join(get_args(SharedSigma))
            raise ValueError(f"likelihood.sigma must be one of {choices}, but is {sigma!r}.")
        check_sigma("floor", floor)
        if start <= floor:
            raise ValueError(f"likelihood.start must exceed likelihood.floor = {floor}, but is {start}.")
        self.kind, self.floor = sigma, floor
        if sigma == "learned":
            above = math.log(start / floor)
            self.log_sigma = nn.Parameter(torch.tensor(math.log(floor) + above + math.log(-math.expm1(-above))))
        else:
            self.register_buffer("mse", torch.tensor(start**2))

    @property
    def follows_batches(self) -> bool:  # type: ignore[override]
        """Whether s is computed from batches."""
        return self.kind != "learned"

    @override
    def sigma(self) -> Tensor:
        if self.kind == "learned":
            return self.floor * softplus(self.log_sigma - math.log(self.floor)).exp()
        return self.mse.sqrt()

    @override
    def distortion(self, dist: tuple[Tensor, ...], x: Tensor, mask: Tensor | None = None) -> Tensor:
        mean, std = dist
        if self.training and self.kind != "learned":
            # First move s by this batch, then use it.
            self.update_mse((x - mean).detach().square().mean(-1), mask)
            std = self.sigma().expand_as(x)
        return -self.log_prob((mean, std), x)

    def update_mse(self, squares: Tensor, mask: Tensor | None) -> None:
        """Update s^2 by a batch's squared errors, but not below floor^2.

        Args:
            squares: Mean over the coordinates, (T, B).
            mask: (T, B), True at observed steps; None: everywhere.
        """
        if not any_observed(mask):
            return
        batch_mse = mean_per_step(squares, mask)
        if self.kind == "running":
            batch_mse = torch.minimum(self.mse, 0.99 * self.mse + 0.01 * batch_mse)
        self.mse.copy_(batch_mse.clamp(min=self.floor**2))


class SquaredDistance(Likelihood):
    """A distortion D that is a squared error, as a mean over the coordinates, and no log-likelihood.

    To minimise D + w KL is to maximise a Gaussian ELBO with the noise variance w x_dim / 2 (w per step). So at distortion D its
    beta is w x_dim / (2 D), and the implied sigma is sqrt(w x_dim / 2).
    """

    @override
    def nats_per_distortion(self, distortion: Tensor, x_dim: int) -> Tensor:
        return x_dim / (2 * distortion)

    @override
    def rms_sigma(self, dist: tuple[Tensor, ...], distortion: Tensor, mask: Tensor | None = None) -> Tensor:
        return mean_per_step(distortion, mask).sqrt()


class MSELikelihood(SquaredDistance, GaussianLikelihood):
    """The blog's loss: the squared error of a *sampled* point, as a mean over the coordinates, in place of -log p(x).

    Its expectation is mean((x - mean)^2) + mean(std^2), so it reduces std to its floor. `log_prob` is that of the Gaussian
    which is sampled.
    """

    @override
    def distortion(self, dist: tuple[Tensor, ...], x: Tensor, mask: Tensor | None = None) -> Tensor:
        mean, std = dist
        return (x - mean - std * sample_noise(torch.randn, *std.shape, like=std)).square().mean(-1)


class MSEMeanLikelihood(SquaredDistance, SharedGaussianLikelihood):
    """The squared error of the decoder's *mean*, as a mean over the coordinates, in place of -log p(x).

    The loss of deterministic next-point networks. For scores and samples, s^2 is the mean squared error of the last training
    batch.

    Args:
        floor: The smallest s, in units of x.
        start: The first s, in units of x.

    Raises:
        ValueError: A floor that is not positive, or a start that does not exceed it.
    """

    def __init__(self, floor: float = 1e-3, start: float = 0.1):
        super().__init__("optimal", floor, start)

    @override
    def distortion(self, dist: tuple[Tensor, ...], x: Tensor, mask: Tensor | None = None) -> Tensor:
        squares = (x - dist[0]).square().mean(-1)
        if self.training:
            self.update_mse(squares.detach(), mask)
        return squares


def check_sigma(name: str, sigma: object) -> None:
    """Refuse a standard deviation that is not a positive number.

    Raises:
        ValueError: It is not.
    """
    if not isinstance(sigma, int | float) or sigma <= 0:
        raise ValueError(f"likelihood.{name} must be a positive number, but is {sigma!r}.")
