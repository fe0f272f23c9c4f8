"""Binary coordinates."""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid
from typing_extensions import override

from vrnn.checks import check_choice
from vrnn.objective.distributions import Gaussian
from vrnn.objective.likelihoods.base import Likelihood


class Bernoulli(NamedTuple):
    """Independent binary variables.

    Attributes:
        logits: log p / (1 - p), (…, dim).
    """

    logits: Tensor


def bernoulli_log_prob(x: Tensor, logits: Tensor) -> Tensor:
    """Return x log p + (1 - x) log(1 - p) in nats, summed over the last dimension: (…, dim) -> (…)."""
    # Of binary x one of the two terms is 0: half the work, and the same bits.
    if not x.requires_grad and bool((x * x == x).all()):
        return logsigmoid((2 * x).sub_(1) * logits).sum(-1)
    return (x * logsigmoid(logits) + (1 - x) * logsigmoid(-logits)).sum(-1)


def sample_bernoulli(logits: Tensor, noise: Tensor) -> Tensor:
    """Return 1 where the cumulative probability of standard normal noise is below p, else 0, of the shape of `logits`."""
    return (torch.special.ndtr(noise) < torch.sigmoid(logits)).to(logits)


def bernoulli_moments(logits: Tensor) -> Gaussian:
    """Return p and sqrt(p (1 - p)), each of the shape of `logits`."""
    p = torch.sigmoid(logits)
    return Gaussian(p, (p * torch.sigmoid(-logits)).sqrt())


def logits_of_means(x: Tensor) -> Tensor:
    """Return the logit of how often each coordinate of binary points (n, dim) is 1, (dim,), in float64.

    By Laplace's rule, (count + 1) / (n + 2): never the logit of 0 or 1.
    """
    return ((x.double().sum(0) + 1) / (len(x) + 2)).logit()


class BernoulliLikelihood(Likelihood):
    """p(x) = prod_i p_i^x_i (1 - p_i)^(1 - x_i), logits (…, x_dim) from the decoder. It uses no mean offset and no scale.

    Data between 0 and 1 (grey pixels) are accepted, too: then `log_prob` is a cross-entropy, not a density.

    Args:
        bias: What the bias of the decoder's last layer is when training begins. "random", as all weights are; "means", the
            logit of each coordinate's mean over the training data, so that the decoder starts at how often each coordinate is
            1 instead of near 1/2: where most are 0, as in piano rolls, learning this takes many steps.

    Raises:
        ValueError: An unknown bias.
    """

    binary = True

    def __init__(self, bias: Literal["random", "means"] = "random"):
        super().__init__()
        check_choice("likelihood.bias", bias, ("random", "means"))
        self.bias = bias

    @override
    def start_bias(self, x: Tensor) -> Tensor | None:
        return None if self.bias == "random" else logits_of_means(x)

    @override
    def n_outputs(self, x_dim: int) -> int:
        return x_dim

    @override
    def from_raw(self, raw: Tensor, mean_offset: Tensor, scale: float) -> Bernoulli:
        return Bernoulli(raw)

    @override
    def log_prob(self, dist: tuple[Tensor, ...], x: Tensor) -> Tensor:
        return bernoulli_log_prob(x, *dist)

    @override
    def sample(self, dist: tuple[Tensor, ...], noise: Tensor, uniform: Tensor) -> Tensor:
        (logits,) = dist
        return sample_bernoulli(logits, noise)

    @override
    def temper(self, dist: tuple[Tensor, ...], temperature: float) -> Bernoulli:
        return Bernoulli(dist[0] / temperature)

    @override
    def moments(self, dist: tuple[Tensor, ...]) -> Gaussian:
        return bernoulli_moments(*dist)

    @override
    def check(self, x: Tensor) -> None:
        if ((x < 0) | (x > 1)).any():
            low, high = (float(part) for part in torch.aminmax(x[~x.isnan()]))
            raise ValueError(
                f"likelihood=bernoulli needs data in [0, 1], but these reach from {low:g} to {high:g}: choose "
                "likelihood=gaussian, or a dataset of 0 and 1."
            )
