"""A linear-Gaussian model, evidence and posterior known: z_t = a z_{t-1} + N(0, s^2), x_t = z_t + N(0, r^2), z_0 = 0."""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.distributions import MultivariateNormal, Normal


class Walkers(NamedTuple):
    """Where particles are: z (K * B,), step by step."""

    z: Tensor


class LinearGaussian:
    """Particles over x (T, B), in double precision.

    The joint of z is Gaussian with precision matrix L: proposals are its exact posterior, taken backwards in time from all of x
    (`exact`), or the prior made wider by `wide`, which sees nothing.
    """

    def __init__(self, x: Tensor, K: int, a: float = 0.8, s: float = 0.5, r: float = 0.3):
        self.x, self.K, self.a, self.s, self.r = x.double(), K, a, s, r
        self.steps, self.batch = x.shape

    def evidence(self) -> Tensor:
        """log p(x) of each trace by a Kalman filter, (B,)."""
        mean, variance, total = torch.zeros(self.batch, dtype=torch.float64), 0.0, 0.0
        for x in self.x:
            mean, variance = self.a * mean, self.a**2 * variance + self.s**2
            total = total + Normal(mean, (variance + self.r**2) ** 0.5).log_prob(x)
            gain = variance / (variance + self.r**2)
            mean, variance = mean + gain * (x - mean), (1 - gain) * variance
        return total

    def joint(self) -> MultivariateNormal:
        """p(x_1..T) as one Gaussian of T dimensions: what the Kalman filter is checked against."""
        mix = self.a ** (torch.arange(self.steps)[:, None] - torch.arange(self.steps)).double()
        lower = torch.tril(mix) * self.s
        return MultivariateNormal(torch.zeros(self.steps).double(), lower @ lower.T + self.r**2 * torch.eye(self.steps))

    def start(self) -> Walkers:
        """All at 0."""
        return Walkers(torch.zeros(self.K * self.batch, dtype=torch.float64))

    def increment(self, z: Tensor, before: Tensor, t: int, proposal: Normal) -> Tensor:
        """The increment of step t, (K, B)."""
        log_x = Normal(z, self.r).log_prob(self.x[t].repeat(self.K))
        return (log_x + Normal(self.a * before, self.s).log_prob(z) - proposal.log_prob(z)).view(self.K, -1)

    def exact(self, begin: int, end: int, state: Walkers) -> tuple[Tensor, Walkers, None]:
        """z_t from p(z_t | z_{t-1}, x_t..T): backward messages exp(-c z^2 / 2 + d z) tell what comes later."""
        gained, (z,) = [], state
        for t in range(begin, end):
            c, d = self.messages()[t]
            before = z
            precision = 1 / self.s**2 + c
            proposal = Normal((self.a * before / self.s**2 + d.repeat(self.K)) / precision, precision**-0.5)
            z = proposal.sample()
            gained.append(self.increment(z, before, t, proposal))
        return torch.stack(gained), Walkers(z), None

    def messages(self) -> list[tuple[float, Tensor]]:
        """log p(x_t..T | z_t) = -c z^2 / 2 + d z + const, for each t."""
        c, d, found = 0.0, torch.zeros(self.batch, dtype=torch.float64), []
        for x in self.x.flip(0):
            c, d = c + 1 / self.r**2, d + x / self.r**2
            found.append((c, d))
            shrink = 1 / (1 + self.s**2 * c)
            c, d = self.a**2 * c * shrink, self.a * d * shrink
        return found[::-1]

    def blind(self, begin: int, end: int, state: Walkers) -> tuple[Tensor, Walkers, None]:
        """z_t from the prior made 1.5 times as wide, whatever x is: a bad proposal."""
        gained, (z,) = [], state
        for t in range(begin, end):
            before = z
            proposal = Normal(self.a * before, 1.5 * self.s)
            z = proposal.sample()
            gained.append(self.increment(z, before, t, proposal))
        return torch.stack(gained), Walkers(z), None
