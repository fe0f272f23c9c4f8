"""Binary coordinates."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from vrnn.objective.distributions import Gaussian
from vrnn.objective.likelihoods.base import Likelihood


class Bernoulli(NamedTuple):
    """Independent coins. logits: (…, dim), log p / (1 - p)."""

    logits: Tensor


def bernoulli_log_prob(x: Tensor, logits: Tensor) -> Tensor:
    """Return x log p + (1 - x) log(1 - p) summed over the last dimension, in nats: (…, dim) -> (…)."""
    return (x * logsigmoid(logits) + (1 - x) * logsigmoid(-logits)).sum(-1)


def sample_bernoulli(logits: Tensor, noise: Tensor) -> Tensor:
    """Return 0 or 1 from standard normal noise: 1 where its cumulative probability lies below p."""
    return (torch.special.ndtr(noise) < torch.sigmoid(logits)).to(logits)


def bernoulli_moments(logits: Tensor) -> Gaussian:
    """Return p and sqrt(p (1 - p))."""
    p = torch.sigmoid(logits)
    return Gaussian(p, (p * torch.sigmoid(-logits)).sqrt())


class BernoulliLikelihood(Likelihood):
    """p(x) = prod_i p_i^x_i (1 - p_i)^(1 - x_i), logits from the decoder. The frame's mean_offset and scale play no part.

    Data strictly between 0 and 1 (grey pixels) are taken too: then log_prob is a cross-entropy, not a density.
    """

    def n_outputs(self, x_dim: int) -> int:
        """A logit a coordinate."""
        return x_dim

    def from_raw(self, raw: Tensor, mean_offset: Tensor, scale: float) -> Bernoulli:
        """raw: (…, x_dim), the logits."""
        return Bernoulli(raw)

    def log_prob(self, dist: tuple[Tensor, ...], x: Tensor) -> Tensor:
        """Nats, summed over the coordinates."""
        return bernoulli_log_prob(x, *dist)

    def sample(self, dist: tuple[Tensor, ...], noise: Tensor, uniform: Tensor) -> Tensor:
        """A coin a coordinate, each by its own noise."""
        (logits,) = dist
        return sample_bernoulli(logits, noise)

    def moments(self, dist: tuple[Tensor, ...]) -> Gaussian:
        """p and sqrt(p (1 - p))."""
        return bernoulli_moments(*dist)

    def check(self, x: Tensor) -> None:
        """Every coordinate must lie in [0, 1]."""
        if ((x < 0) | (x > 1)).any():
            low, high = (float(part) for part in torch.aminmax(x[~x.isnan()]))
            raise ValueError(
                f"likelihood=bernoulli is for data in [0, 1], but these reach from {low:g} to {high:g}. "
                "Choose likelihood=gaussian, or a data set of 0 and 1."
            )
