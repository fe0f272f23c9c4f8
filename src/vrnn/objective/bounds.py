"""Lower bounds on log p(x_1..T) from K particles, computed from their log weights alone.

A particle is one guess of z_1..T. Its increment at step t is a_t = log p(x_t | z_t, h) + log p(z_t | h) - log q(z_t | x_t, h),
and its log weight the sum of these (Burda et al. 2016; Maddison et al. 2017). All in nats.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeVar

import torch
from torch import Tensor

from vrnn.objective.latents import rebuild

S = TypeVar("S", bound=tuple[Tensor, ...])
StepFn = Callable[[int, int, S], tuple[Tensor, S, Any]]


@dataclass(frozen=True)
class Bound:
    """Which bound is computed.

    Attributes:
        particles: K.
        resample_below: After each step particles are resampled by their weights where their effective sample size is at most
            this fraction of K; 0: never.

    Raises:
        ValueError: K below 1, or a fraction outside [0, 1].
    """

    particles: int
    resample_below: float = 0.0

    def __post_init__(self) -> None:
        if self.particles < 1:
            raise ValueError(f"bound.particles must be at least 1, but is {self.particles}.")
        if not 0 <= self.resample_below <= 1:
            raise ValueError(f"bound.resample_below must be in [0, 1], but is {self.resample_below}.")


class ELBO(Bound):
    """The evidence lower bound: one particle, with the KL exact instead of sampled."""

    def __init__(self) -> None:
        super().__init__(particles=1)


class IWAE(Bound):
    """log 1/K sum_k exp(sum_t a_t^k), importance weighting (Burda et al. 2016, arXiv 1509.00519). K = 1 estimates the ELBO."""

    def __init__(self, particles: int = 8):
        super().__init__(particles)


class FIVO(Bound):
    """The filtering bound (Maddison et al. 2017, arXiv 1705.09279): particles are resampled on the way.

    log 1/K sum_k exp(W_k) is added wherever particles are resampled, and at the end. Then their log weights W are 0.
    """

    def __init__(self, particles: int = 8, resample_below: float = 0.5):
        super().__init__(particles, resample_below)


class ParticleResult(NamedTuple, Generic[S]):
    """The result of running K particles of B traces.

    Attributes:
        bound: (B,), nats per sequence, in double precision.
        state: Of the K * B particles at the end, resampled by their weights, so that all of a trace weigh the same.
        ancestors: (windows, K, B): which particle each one continues after a window.
        running: (windows, B): the bound on all points up to the end of each window, without gradient.
        outputs: What `step_fn` returned besides, one per window.
    """

    bound: Tensor
    state: S
    ancestors: Tensor
    running: Tensor
    outputs: list[Any]


def increments(log_x: Tensor, log_p: Tensor, log_q: Tensor, mask: Tensor | None, w: Tensor | float = 1.0) -> Tensor:
    """Return the increments log p(x | z) + w (log p(z) - log q(z)), all of one shape (T, …), and 0 where the mask is False.

    w = 1 gives a bound. Another w tempers it as it weighs the KL in the ELBO: a training objective, but no bound.
    """
    weights = log_x + w * (log_p - log_q)
    return weights if mask is None else torch.where(mask, weights, weights.new_zeros(()))


def log_mean_exp(log_weights: Tensor) -> Tensor:
    """Return log 1/K sum_k exp(W_k): (K, B) -> (B,)."""
    return log_weights.logsumexp(0) - math.log(len(log_weights))


def effective_size(log_weights: Tensor) -> Tensor:
    """Return the effective sample size (sum_k w_k)^2 / sum_k w_k^2, in [1, K]: (K, B) -> (B,)."""
    return (2 * log_weights.logsumexp(0) - (2 * log_weights).logsumexp(0)).exp()


def systematic_resample(log_weights: Tensor, uniform: Tensor) -> Tensor:
    """Draw K ancestors by their weights, (K, B) -> (K, B) in order. Particle k is drawn K w_k times, rounded up or down.

    Systematic resampling (Kitagawa 1996): one uniform number per trace, and K points 1/K apart along the cumulative weights.

    Args:
        log_weights: (K, B).
        uniform: In [0, 1), (B,).
    """
    K = len(log_weights)
    points = (torch.arange(K, device=log_weights.device).unsqueeze(1) + uniform) / K
    ends = log_weights.softmax(0).cumsum(0)
    return torch.searchsorted(ends.T.contiguous(), points.T.contiguous(), right=True).T.clamp(max=K - 1)


class Resampling:
    """K particles' log weights, and who is resampled. It carries no gradient (Maddison et al. 2017, section 3.2).

    Args:
        particles: K.
        resample_below: As in `Bound`.
    """

    def __init__(self, particles: int, resample_below: float):
        self.particles, self.resample_below = particles, resample_below
        self.log_weights = torch.zeros(())

    def step(self, gained: Tensor, uniform: Tensor, last: bool) -> tuple[Tensor, Tensor, Tensor]:
        """Add a step's increments, and resample where the effective size is small; at the last step everywhere.

        Args:
            gained: Without gradient, (K * B,).
            uniform: Of this resampling, (B,).
            last: Whether this is the last step.

        Returns:
            The log weights before resampling, (K, B); which particle each one continues, (K, B); and where particles were
            resampled, (B,).
        """
        K = self.particles
        log_weights = self.log_weights + gained.unflatten(0, (K, -1)).double()
        due = effective_size(log_weights) <= self.resample_below * K
        due = torch.ones_like(due) if last else due
        stay = torch.arange(K, device=due.device).unsqueeze(1).expand(K, len(due))
        self.log_weights = torch.where(due, 0.0, log_weights)
        return log_weights, torch.where(due, systematic_resample(log_weights, uniform), stay), due


def filtered_bound(gained: Tensor, due: Tensor) -> Tensor:
    """Return the bound of particles that were resampled where `due` is True: the sum of log 1/K sum_k exp(W_k) there, (B,).

    Args:
        gained: Increments, (T, K, B).
        due: (T, B), True at the last step.
    """
    segment = due.cumsum(0) - due.long()
    sums = torch.zeros_like(gained, dtype=torch.float64)
    sums = sums.scatter_add(0, segment.unsqueeze(1).expand_as(gained), gained.double())
    exists = torch.arange(len(sums), device=due.device).unsqueeze(1) < due.sum(0)
    return torch.where(exists, sums.logsumexp(1) - math.log(gained.shape[1]), 0.0).sum(0)


def running_bound(log_weights: Tensor, due: Tensor) -> Tensor:
    """Return the bound on all points up to each step, (T, B), without gradient.

    Args:
        log_weights: Before each resampling, (T, K, B), in double precision.
        due: Where particles were resampled, (T, B).
    """
    here = log_weights.logsumexp(1) - math.log(log_weights.shape[1])
    added = torch.where(due, here, 0.0)
    return added.cumsum(0) - added + here


def run_particles(
    step_fn: StepFn[S], state: S, steps: int, bound: Bound, window: int = 1, generator: torch.Generator | None = None
) -> ParticleResult[S]:
    """Run K particles of B traces over time and compute the bound.

    Ancestors carry no gradient (Maddison et al. 2017, section 3.2). Particles are resampled at the end, too, so that bounds of
    successive calls add up to a bound on the whole sequence.

    Args:
        step_fn: step_fn(begin, end, state) returns the increments of these steps, (end - begin, K, B), the state after them,
            and anything else worth keeping.
        state: Tensors whose first dimension is K * B: one particle of each trace, then the next of each.
        steps: T.
        bound: Which bound.
        window: Particles are resampled only after every so many steps.
        generator: For resampling; None: torch's global generator.
    """
    K = bound.particles
    log_weights, total = torch.zeros(()), torch.zeros(())
    ancestors, running, outputs = [], [], []
    for begin in range(0, steps, window):
        end = min(begin + window, steps)
        gained, state, output = step_fn(begin, end, state)
        outputs.append(output)
        log_weights = log_weights + gained.sum(0, dtype=torch.float64)
        running.append(total.detach() + log_mean_exp(log_weights.detach()))
        due = effective_size(log_weights.detach()) <= bound.resample_below * K
        due = torch.ones_like(due) if end == steps else due
        parents = torch.arange(K, device=due.device).unsqueeze(1).expand(K, len(due))
        if due.any():
            total = total + torch.where(due, log_mean_exp(log_weights), 0.0)
            uniform = torch.rand(len(due), dtype=torch.float64, device=due.device, generator=generator)
            parents = torch.where(due, systematic_resample(log_weights.detach(), uniform), parents)
            log_weights = torch.where(due, 0.0, log_weights)
            rows = (parents * len(due) + torch.arange(len(due), device=due.device)).flatten()
            state = rebuild(state, (part[rows] for part in state))
        ancestors.append(parents)
    return ParticleResult(total, state, torch.stack(ancestors), torch.stack(running), outputs)


def trace_ancestors(ancestors: Tensor, chosen: Tensor) -> Tensor:
    """Return which particle a final one was in each window: ancestors (windows, K, B), chosen (B,) -> (windows, B)."""
    line = []
    for parents in ancestors.flip(0):
        chosen = parents.gather(0, chosen.unsqueeze(0)).squeeze(0)
        line.append(chosen)
    return torch.stack(line).flip(0)
