"""The interface of a likelihood, and standard deviations made by the decoder."""

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
    """Return a standard deviation, floor + width * squash(raw), of the shape of `raw`."""
    return floor + width * SQUASHES[squash](raw)


class Likelihood(nn.Module):
    """The distribution of a point x_t given z_t and h_{t-1}: the interface.

    A distribution is a flat tuple of tensors (…, any).

    Attributes:
        follows_batches: Whether `distortion` moves a parameter by all points of a batch at once.
        binary: Whether all coordinates that it generates are 0 or 1.
    """

    follows_batches: bool = False
    binary: bool = False

    def n_outputs(self, x_dim: int) -> int:
        """Return how many raw numbers the decoder must return for a point of x_dim coordinates."""
        raise NotImplementedError

    def from_raw(self, raw: Tensor, mean_offset: Tensor, scale: float) -> tuple[Tensor, ...]:
        """Return the distribution that raw outputs describe.

        Args:
            raw: (…, n_outputs).
            mean_offset: What the means are relative to, (…, x_dim).
            scale: The unit of the raw means and, unless they have a ceiling, of the raw deviations, in units of x.
        """
        raise NotImplementedError

    def log_prob(self, dist: tuple[Tensor, ...], x: Tensor) -> Tensor:
        """Return log p(x) in nats, (…), for x (…, x_dim)."""
        raise NotImplementedError

    def sample(self, dist: tuple[Tensor, ...], noise: Tensor, uniform: Tensor) -> Tensor:
        """Return a sample, (…, x_dim).

        Args:
            dist: Parts (…, any).
            noise: Standard normal, (…, x_dim).
            uniform: Uniform in [0, 1), (…).
        """
        raise NotImplementedError

    def temper(self, dist: tuple[Tensor, ...], temperature: float) -> tuple[Tensor, ...]:
        """Return the distribution at a temperature: below 1 narrower, above 1 wider, at 1 the same.

        Of a single Gaussian or Bernoulli variable it is p(x)^(1/temperature), normalised: standard deviations times
        sqrt(temperature), logits divided by temperature. A mixture has this of its components and of its weights (Ha & Eck
        2017, arXiv 1704.03477, equation 8).

        Raises:
            ValueError: This likelihood defines none.
        """
        raise ValueError(
            f"temperature must be 1 with {type(self).__name__}, which defines no other, but is {temperature}: give the class a "
            "method `temper`."
        )

    def moments(self, dist: tuple[Tensor, ...]) -> Gaussian:
        """Return the mean and the standard deviation of each coordinate, (…, x_dim) each."""
        raise NotImplementedError

    def start_bias(self, x: Tensor) -> Tensor | None:
        """Return the bias that the decoder's last layer has when training begins, (n_outputs,); None: a random one, as here.

        Args:
            x: (n, x_dim), all observed points of the training data.
        """
        return None

    def check(self, x: Tensor) -> None:
        """Refuse data that this likelihood cannot describe; here it describes all.

        Args:
            x: (…, x_dim), NaN where a point is missing.

        Raises:
            ValueError: The data have another x_dim or other values than the likelihood is for.
        """

    def distortion(self, dist: tuple[Tensor, ...], x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return the likelihood's term of the loss at each step, (…): here -log p(x) in nats.

        Args:
            dist: Parts (…, any).
            x: (…, x_dim).
            mask: (…), False where x holds no point; None: it holds one everywhere. For likelihoods that follow batches.
        """
        return -self.log_prob(dist, x)

    def nats_per_distortion(self, distortion: Tensor, x_dim: int) -> Tensor:
        """Return how many nats one unit of distortion is worth, which turns w into the ELBO's beta; 1 for a log-likelihood.

        Args:
            distortion: The mean distortion per step, ().
            x_dim: Coordinates per point.
        """
        return torch.ones_like(distortion)

    def rms_sigma(self, dist: tuple[Tensor, ...], distortion: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return the decoder's standard deviation, () in units of x, as the root of its mean square over coordinates and steps.

        sqrt(beta) times this is the implied sigma: with D = (x - mean)^2 / (2 s^2) + …, D + beta KL has the minimum of
        (x - mean)^2 / (2 beta s^2) + KL, apart from what trains s itself. So w chooses a noise of s sqrt(beta).

        Args:
            dist: Parts (T, B, …).
            distortion: (T, B).
            mask: (T, B), True at observed steps; None: everywhere.
        """
        return mean_per_step(self.moments(dist).std.square().mean(-1), mask).sqrt()


class DecoderDeviation(Likelihood):
    """A likelihood whose standard deviations come from the decoder.

    Args:
        floor: The smallest standard deviation, in units of x. Without one, points without noise would make the density
            infinite.
        ceiling: The largest one, in units of x, approached by a sigmoid; None: unbounded, by a softplus. A decoder that cannot
            be wider than the pen's noise cannot cover two alternatives at once, so z must choose between them.

    Raises:
        ValueError: A floor that is not positive, or a ceiling that does not exceed it.
    """

    def __init__(self, floor: float = 1e-3, ceiling: float | None = None):
        super().__init__()
        if floor <= 0:
            raise ValueError(f"likelihood.floor must be positive, but is {floor}.")
        if ceiling is not None and ceiling <= floor:
            raise ValueError(f"likelihood.ceiling must exceed likelihood.floor = {floor}, but is {ceiling}.")
        self.floor, self.ceiling = floor, ceiling

    def deviation(self, raw: Tensor, scale: float) -> Tensor:
        """Return standard deviations between floor and ceiling, in units of x, of the shape of `raw`."""
        if self.ceiling is None:
            return positive(raw, "softplus", self.floor, scale)
        return positive(raw, "sigmoid", self.floor, self.ceiling - self.floor)


def check_x_dim(name: str, points: str, expected: int, x_dim: int) -> None:
    """Refuse points with another number of coordinates than a likelihood is for.

    Args:
        name: The likelihood's, as in the configuration.
        points: The points that it is for, in words.
        expected: Their number of coordinates.
        x_dim: The data's.

    Raises:
        ValueError: The numbers differ.
    """
    if x_dim != expected:
        raise ValueError(
            f"likelihood={name} needs {points}, x_dim = {expected}, but the data have x_dim = {x_dim}: choose another "
            "likelihood or another dataset."
        )
