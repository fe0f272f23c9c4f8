"""Binary coordinates that depend on each other: the neural autoregressive distribution estimator (NADE)."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn
from typing_extensions import override

from vrnn.objective.distributions import Gaussian
from vrnn.objective.likelihoods.base import Likelihood
from vrnn.objective.likelihoods.bernoulli import bernoulli_log_prob, logits_of_means, sample_bernoulli


class NADE(NamedTuple):
    """Binary variables, each of which depends on those before it.

    Attributes:
        bias: Of the logits, (…, dim).
        hidden: Input of the hidden units before any variable is seen, (…, hidden).
        sharpness: Factor of the logits, (…, 1); 1 except at another temperature.
    """

    bias: Tensor
    hidden: Tensor
    sharpness: Tensor


class NADELikelihood(Likelihood):
    """p(x) = prod_i p(x_i | x_1, …, x_{i-1}), whose logits are bias_i + v_i . sigmoid(hidden + sum_{j<i} w_j x_j).

    The decoder makes both biases, as in the RNN-NADE of Boulanger-Lewandowski et al. 2012 (arXiv 1206.6392); the weights v and
    w are the same at all steps (Larochelle & Murray 2011, "The Neural Autoregressive Distribution Estimator"). So the keys of a
    chord depend on each other even where z and h are given. It uses no mean offset and no scale.

    Args:
        x_dim: Coordinates of a point.
        hidden: Hidden units.

    Raises:
        ValueError: A number below 1.
    """

    binary = True

    def __init__(self, x_dim: int, hidden: int = 64):
        super().__init__()
        for name, value in (("x_dim", x_dim), ("hidden", hidden)):
            if value < 1:
                raise ValueError(f"likelihood.{name} must be at least 1, but is {value}.")
        self.x_dim, self.hidden = x_dim, hidden
        self.w = nn.Parameter(torch.randn(x_dim, hidden) / x_dim**0.5)
        self.v = nn.Parameter(torch.randn(hidden, x_dim) / hidden)

    @override
    def n_outputs(self, x_dim: int) -> int:
        if x_dim != self.x_dim:
            raise ValueError(f"likelihood.x_dim must be that of the data, {x_dim}, but is {self.x_dim}.")
        return self.x_dim + self.hidden

    @override
    def start_bias(self, x: Tensor) -> Tensor | None:
        bias = logits_of_means(x)
        return torch.cat([bias, bias.new_zeros(self.hidden)])

    @override
    def from_raw(self, raw: Tensor, mean_offset: Tensor, scale: float) -> NADE:
        bias, hidden = raw.split([self.x_dim, self.hidden], -1)
        return NADE(bias, hidden, torch.ones_like(bias[..., :1]))

    @override
    def log_prob(self, dist: tuple[Tensor, ...], x: Tensor) -> Tensor:
        bias, hidden, sharpness = dist
        # The hidden units change only after a 1, so few different ones are needed: one for each number of ones seen.
        seen = x.cumsum(-1)
        before = (seen - x).long()
        numbers = torch.arange(int(before.max()) + 1, device=x.device)
        ones = x.unsqueeze(-2) * (seen.unsqueeze(-2) <= numbers.unsqueeze(-1))
        logits = torch.sigmoid(hidden.unsqueeze(-2) + ones @ self.w) @ self.v
        index = before.unsqueeze(-2).expand(*logits.shape[:-2], 1, self.x_dim)
        return bernoulli_log_prob(x, sharpness * (bias + logits.gather(-2, index).squeeze(-2)))

    @override
    def sample(self, dist: tuple[Tensor, ...], noise: Tensor, uniform: Tensor) -> Tensor:
        return self._in_turn(dist, lambda logit, i: sample_bernoulli(logit, noise[..., i]))

    @override
    def temper(self, dist: tuple[Tensor, ...], temperature: float) -> NADE:
        """Return the distribution each of whose factors p(x_i | x_1, …, x_{i-1}) has the temperature."""
        bias, hidden, sharpness = dist
        return NADE(bias, hidden, sharpness / temperature)

    @override
    def moments(self, dist: tuple[Tensor, ...]) -> Gaussian:
        """Return the mean and the standard deviation of each coordinate, (…, x_dim) each.

        By a mean field: probabilities take the place of the coordinates before.
        """
        p = self._in_turn(dist, lambda logit, i: torch.sigmoid(logit))
        return Gaussian(p, (p * (1 - p)).sqrt())

    def _in_turn(self, dist: tuple[Tensor, ...], value: Callable[[Tensor, int], Tensor]) -> Tensor:
        """Return all coordinates, (…, x_dim), each by `value` of its logit (…) and its number; the next ones see it."""
        bias, hidden, sharpness = dist
        values: list[Tensor] = []
        for i in range(self.x_dim):
            logit = bias[..., i] + torch.sigmoid(hidden) @ self.v[:, i]
            values.append(value(sharpness.squeeze(-1) * logit, i))
            hidden = hidden + values[-1].unsqueeze(-1) * self.w[i]
        return torch.stack(values, -1)

    @override
    def check(self, x: Tensor) -> None:
        values = x[~x.isnan()]
        if ((values != 0) & (values != 1)).any():
            low, high = (float(part) for part in torch.aminmax(values))
            raise ValueError(
                f"likelihood=nade needs data of 0 and 1, but these have others, between {low:g} and {high:g}: choose "
                "likelihood=bernoulli, which takes all in [0, 1], or likelihood=gaussian."
            )
