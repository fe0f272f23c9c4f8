"""Gaussians: their deviation from the decoder, given, or one for all; and squared errors that stand in for them."""

from __future__ import annotations

import math
from typing import Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from vrnn.distributed import sample_noise
from vrnn.objective.distributions import Gaussian, gaussian_log_prob
from vrnn.objective.likelihoods.base import DecoderDeviation, Likelihood
from vrnn.objective.reduction import any_observed, mean_per_step


class AroundMean(Likelihood):
    """p(x) = N(mean, diag(std^2)) as a pair (mean, std), wherever the two come from."""

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


class GaussianLikelihood(DecoderDeviation, AroundMean):
    """p(x) = N(mean, diag(std^2)), both from the decoder."""

    def n_outputs(self, x_dim: int) -> int:
        """Mean and deviation a coordinate."""
        return 2 * x_dim

    def from_raw(self, raw: Tensor, mean_offset: Tensor, scale: float) -> Gaussian:
        """raw: (…, 2 x_dim), means first."""
        mean, std = raw.chunk(2, dim=-1)
        return Gaussian(mean_offset + scale * mean, self.deviation(std, scale))


class OneSigma(AroundMean):
    """p(x) = N(mean, sigma^2): the mean from the decoder, one sigma for all coordinates, steps and traces."""

    def sigma(self) -> Tensor:
        """The present sigma, ()."""
        raise NotImplementedError

    def n_outputs(self, x_dim: int) -> int:
        """Means alone."""
        return x_dim

    def from_raw(self, raw: Tensor, mean_offset: Tensor, scale: float) -> Gaussian:
        """raw: (…, x_dim)."""
        return Gaussian(mean_offset + scale * raw, self.sigma().expand_as(raw))


class FixedGaussianLikelihood(OneSigma):
    """p(x) = N(mean, sigma^2) with a given sigma, in units of x."""

    given: Tensor

    def __init__(self, sigma: float = 0.02):
        super().__init__()
        check_sigma("sigma", sigma)
        self.register_buffer("given", torch.tensor(float(sigma)))

    def sigma(self) -> Tensor:
        """As given."""
        return self.given


SharedSigma = Literal["learned", "optimal", "running"]


class SharedGaussianLikelihood(OneSigma):
    """p(x) = N(mean, s^2) with an s that follows the data.

    sigma: how. "learned": exp(log floor + softplus(log s - log floor)), log s a parameter (Rybkin et al. 2021, sigma-VAE;
    its floor is exp(-6)). "optimal": s^2 is the mean squared error of the batch (the same authors); it needs no gradient, for
    where s is optimal the likelihood does not change with it. "running": s^2 is min(mse, 0.99 mse + 0.01 the batch's)
    (Asperti & Trentin 2020). The last two move in training, as part of `distortion`: a distribution that was read before has
    the s of the step before, evaluation and generation have the last one.
    floor: the least s. start: the first. Both in units of x.
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
        """Unless s is a parameter."""
        return self.kind != "learned"

    def sigma(self) -> Tensor:
        """s, ()."""
        if self.kind == "learned":
            return self.floor * softplus(self.log_sigma - math.log(self.floor)).exp()
        return self.mse.sqrt()

    def distortion(self, dist: tuple[Tensor, ...], x: Tensor, mask: Tensor | None = None) -> Tensor:
        """-log p(x) in nats; in training under the s that this batch makes."""
        mean, std = dist
        if self.training and self.kind != "learned":
            self.follow((x - mean).detach().square().mean(-1), mask)
            std = self.sigma().expand_as(x)
        return -self.log_prob((mean, std), x)

    def follow(self, squares: Tensor, mask: Tensor | None) -> None:
        """Move s^2 by a batch's squared errors (T, B), but not below floor^2."""
        if not any_observed(mask):
            return
        batch_mse = mean_per_step(squares, mask)
        if self.kind == "running":
            batch_mse = torch.minimum(self.mse, 0.99 * self.mse + 0.01 * batch_mse)
        self.mse.copy_(batch_mse.clamp(min=self.floor**2))


class SquaredDistance(Likelihood):
    """A distortion D that is a squared error, mean over the coordinates, and not a log-likelihood.

    Minimising D + w KL is a Gaussian ELBO with noise variance w x_dim / 2 (w per step), so at noise D its beta is
    w x_dim / (2 D).
    """

    def nats_per_distortion(self, distortion: Tensor, x_dim: int) -> Tensor:
        """Return x_dim / (2 D)."""
        return x_dim / (2 * distortion)

    def rms_sigma(self, dist: tuple[Tensor, ...], distortion: Tensor, mask: Tensor | None = None) -> Tensor:
        """sqrt(D), so that the implied sigma is sqrt(w x_dim / 2)."""
        return mean_per_step(distortion, mask).sqrt()


class MSELikelihood(SquaredDistance, GaussianLikelihood):
    """The blog's loss: the squared error of a *sampled* point, mean over the coordinates, instead of -log p(x).

    E[distortion] = mean((x - mean)^2) + mean(std^2), so it pulls std to 0; log_prob still tells how likely the truth is under
    the Gaussian it draws from.
    """

    def distortion(self, dist: tuple[Tensor, ...], x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return ((x - x_hat)^2).mean(-1) with x_hat drawn from torch's global generator."""
        mean, std = dist
        return (x - mean - std * sample_noise(torch.randn, *std.shape, like=std)).square().mean(-1)


class MSEMeanLikelihood(SquaredDistance, SharedGaussianLikelihood):
    """The squared error of the decoder's *mean*, mean over the coordinates, instead of -log p(x).

    What deterministic next-point networks are trained with. So that it can be scored and sampled all the same, log_prob and
    sample take one s for all: s^2 is the mean squared error of the last training batch.
    """

    def __init__(self, floor: float = 1e-3, start: float = 0.1):
        super().__init__("optimal", floor, start)

    def distortion(self, dist: tuple[Tensor, ...], x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return ((x - mean)^2).mean(-1)."""
        squares = (x - dist[0]).square().mean(-1)
        if self.training:
            self.follow(squares.detach(), mask)
        return squares


def check_sigma(name: str, sigma: object) -> None:
    """Refuse what is not a positive number."""
    if not isinstance(sigma, int | float) or sigma <= 0:
        raise ValueError(f"likelihood.{name} must be a positive number, but is {sigma!r}.")
