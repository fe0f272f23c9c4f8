"""What kind of variable z is: one class a kind.

A latent turns the raw outputs of the prior's and the encoder's last layer into a distribution over z, draws z from it, and
compares two of them. A distribution is a flat tuple of tensors, so that engines can stack, mix and resample it blindly.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

D = TypeVar("D", bound=tuple[Tensor, ...])


class Latent(nn.Module):
    """The interface.

    z_dim: width of z, as phi_z sees it. groups: the KL comes as so many numbers a step. n_outputs: raw numbers that prior and
    encoder give for a step. n_noise: numbers of chance that one z takes.
    """

    def __init__(self, z_dim: int, groups: int, n_outputs: int, n_noise: int):
        super().__init__()
        self.z_dim, self.groups, self.n_outputs, self.n_noise = z_dim, groups, n_outputs, n_noise

    def from_raw(self, raw: Tensor) -> tuple[Tensor, ...]:
        """Turn raw outputs (…, n_outputs) into a distribution."""
        raise NotImplementedError

    def standard(self, like: Tensor) -> tuple[Tensor, ...]:
        """Return the distribution of z before anything is known, for each row of `like` (…, any)."""
        raise NotImplementedError

    def noise(self, *shape: int, like: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Draw the chance that `sample` needs, (*shape, n_noise)."""
        raise NotImplementedError

    def sample(self, dist: tuple[Tensor, ...], noise: Tensor) -> Tensor:
        """Return z (…, z_dim) made from the noise, differentiable in the distribution."""
        raise NotImplementedError

    def kl(self, q: tuple[Tensor, ...], p: tuple[Tensor, ...]) -> Tensor:
        """Return the exact KL(q || p) in nats, (…, groups)."""
        raise NotImplementedError

    def log_prob(self, dist: tuple[Tensor, ...], z: Tensor) -> Tensor:
        """Return log p(z) in nats, (…); z (…, z_dim) drawn by `sample` with an estimator whose draws are exact."""
        raise NotImplementedError

    def embedding(self, dist: tuple[Tensor, ...]) -> Tensor:
        """Return where the distribution lies, (…, z_dim): means, probabilities."""
        raise NotImplementedError

    def usage_penalty(self, q: tuple[Tensor, ...], mask: Tensor | None) -> Tensor:
        """Return what it costs, while w < 1, that q (T, B, …) leaves values of z unused, () in nats: here nothing."""
        return q[0].new_zeros(())

    def stop_gradient_kls(self, q: D, p: D) -> tuple[Tensor, Tensor]:
        """Return KL(sg q || p) and KL(q || sg p), each as `kl`; sg stops the gradient."""
        return self.kl(detached(q), p), self.kl(q, detached(p))


def detached(dist: D) -> D:
    """Return a distribution cut off from the graph that made it."""
    return rebuild(dist, (part.detach() for part in dist))


def where(condition: Tensor, a: D, b: D) -> D:
    """Return distribution a where the condition (…) holds, else b."""
    pairs = zip(a, b, strict=True)
    return rebuild(a, (torch.where(condition[(...,) + (None,) * (x.dim() - condition.dim())], x, y) for x, y in pairs))


def stacked(dists: Sequence[D]) -> D:
    """Return the distributions of successive steps as one, time first."""
    return rebuild(dists[0], (torch.stack(parts) for parts in zip(*dists, strict=True)))


def rebuild(dist: D, parts: Any) -> D:
    """Return the parts as a distribution of the same kind."""
    return type(dist)(*parts)
