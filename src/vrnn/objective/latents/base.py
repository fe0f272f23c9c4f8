"""The interface of a latent variable, and operations on its distributions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

D = TypeVar("D", bound=tuple[Tensor, ...])


class Latent(nn.Module):
    """The kind of variable that z is: the interface.

    A latent makes a distribution over z from the raw outputs of the prior's and the encoder's last layer, samples z from it,
    and compares two distributions. A distribution is a flat tuple of tensors (…, any), so that an engine can stack, select and
    resample it without knowledge of its kind.

    Args:
        z_dim: Width of z, as phi_z sees it.
        groups: Numbers that the KL consists of at each step.
        n_outputs: Raw numbers that prior and encoder return for each step.
        n_noise: Random numbers that one sample of z takes.
    """

    def __init__(self, z_dim: int, groups: int, n_outputs: int, n_noise: int):
        super().__init__()
        self.z_dim, self.groups, self.n_outputs, self.n_noise = z_dim, groups, n_outputs, n_noise

    def from_raw(self, raw: Tensor) -> tuple[Tensor, ...]:
        """Return the distribution that raw outputs (…, n_outputs) describe."""
        raise NotImplementedError

    def standard(self, like: Tensor) -> tuple[Tensor, ...]:
        """Return the fixed prior, which depends on no input: one distribution for each row of `like`, (…, any)."""
        raise NotImplementedError

    def noise(self, *shape: int, like: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Return the random numbers that `sample` needs, (shape…, n_noise).

        Args:
            shape: Leading dimensions.
            like: Gives precision and device.
            generator: None: torch's global generator.
        """
        raise NotImplementedError

    def sample(self, dist: tuple[Tensor, ...], noise: Tensor) -> Tensor:
        """Return z, (…, z_dim), differentiable in the distribution.

        Args:
            dist: Parts (…, any).
            noise: As `noise` returns it, (…, n_noise).
        """
        raise NotImplementedError

    def temper(self, dist: tuple[Tensor, ...], temperature: float) -> tuple[Tensor, ...]:
        """Return p(z)^(1/temperature), normalised: below 1 narrower, above 1 wider, at 1 the same.

        Standard deviations are multiplied by sqrt(temperature), log-probabilities of classes divided by temperature.

        Raises:
            ValueError: This kind of latent defines none.
        """
        raise ValueError(
            f"z_temperature must be 1 with {type(self).__name__}, which defines no other, but is {temperature}: give the class "
            "a method `temper`."
        )

    def kl(self, q: tuple[Tensor, ...], p: tuple[Tensor, ...]) -> Tensor:
        """Return the exact KL(q || p) in nats, (…, groups)."""
        raise NotImplementedError

    def log_prob(self, dist: tuple[Tensor, ...], z: Tensor) -> Tensor:
        """Return log p(z) in nats, (…).

        Args:
            dist: Parts (…, any).
            z: (…, z_dim), as `sample` returns it; not a softened sample.
        """
        raise NotImplementedError

    def embedding(self, dist: tuple[Tensor, ...]) -> Tensor:
        """Return one point that represents the distribution, (…, z_dim): its means or probabilities."""
        raise NotImplementedError

    def usage_penalty(self, dist: tuple[Tensor, ...], mask: Tensor | None) -> Tensor:
        """Return the penalty for values of z that no step uses, () in nats; 0 unless a subclass defines one.

        The loss adds it (1 - w) times.

        Args:
            dist: Posterior or prior, as `WSchedule.balances` says, parts (T, B, …).
            mask: (T, B), True at the steps that count; None: everywhere.
        """
        return dist[0].new_zeros(())

    def stop_gradient_kls(self, q: D, p: D) -> tuple[Tensor, Tensor]:
        """Return KL(sg q || p) and KL(q || sg p), where sg stops the gradient, each like `kl`."""
        return self.kl(detached(q), p), self.kl(q, detached(p))


def detached(dist: D) -> D:
    """Return a distribution without its gradient."""
    return rebuild(dist, (part.detach() for part in dist))


def where(condition: Tensor, a: D, b: D) -> D:
    """Return distribution a where the condition (…) is True, else b."""
    pairs = zip(a, b, strict=True)
    return rebuild(a, (torch.where(condition[(...,) + (None,) * (x.dim() - condition.dim())], x, y) for x, y in pairs))


def stacked(dists: Sequence[D]) -> D:
    """Return the distributions of successive steps as one, time first."""
    return rebuild(dists[0], (torch.stack(parts) for parts in zip(*dists, strict=True)))


def rebuild(dist: D, parts: Any) -> D:
    """Return a distribution of the same kind as `dist`, made of other parts."""
    return type(dist)(*parts)
