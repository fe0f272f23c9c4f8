"""The data that a model and the engine that runs it over time exchange."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

from vrnn.objective.latents import Latent


class UnsupportedError(ValueError):
    """An engine cannot run these networks. The message says why."""


class Unrolled(NamedTuple):
    """The result of running the six networks along T observed points of B traces.

    Attributes:
        h: h_{t-1}, the recurrence's output at the beginning of step t, (T, B, h_dim).
        q: Posterior of z_t, a distribution of parts (T, B, …).
        p: Prior of z_t, likewise.
        raw: The decoder's raw outputs, (T, B, n_outputs).
        z: The sample of q, (T, B, z_dim).
        memory: The recurrence's state after the last step, (B, state_dim).
    """

    h: Tensor
    q: tuple[Tensor, ...]
    p: tuple[Tensor, ...]
    raw: Tensor
    z: Tensor
    memory: Tensor


class Weighing(NamedTuple):
    """By what K particles of B traces are weighed, and where they are resampled: see `vrnn.objective.bounds`.

    Attributes:
        x: The points, the same for all particles, (T, B, x_dim).
        offset: What the decoder's means are relative to, (T, B, x_dim).
        mask: (T, B), False where a point adds nothing to the weights; None: nowhere.
        uniform: The random number of each resampling, in [0, 1), (T, B), in double precision.
        particles: K.
        resample_below: As in `vrnn.objective.Bound`.
        w: Weight of log p(z) - log q(z).
    """

    x: Tensor
    offset: Tensor
    mask: Tensor | None
    uniform: Tensor
    particles: int
    resample_below: float
    w: float = 1.0


class Filtered(NamedTuple):
    """The result of running K particles of B traces, resampled after every step and at the end.

    Attributes:
        run: Of the K * B particles: all first ones, then all second ones, …
        log_weights: Before each resampling, (T, K, B), in double precision, without gradient.
        ancestors: Which particle each one continues after a step, (T, K, B).
        due: Where particles were resampled, (T, B).
    """

    run: Unrolled
    log_weights: Tensor
    ancestors: Tensor
    due: Tensor


class Sampling(NamedTuple):
    """How points are drawn.

    Attributes:
        sample: Whether x is drawn from the decoder. False takes its mean; z is drawn from the prior all the same.
        temperature: Of the decoder, see `Likelihood.temper`.
        z_temperature: Of the prior, see `Latent.temper`.
    """

    sample: bool = True
    temperature: float = 1.0
    z_temperature: float = 1.0


class Noise(NamedTuple):
    """Random numbers for T generated steps of B traces, drawn beforehand so that all engines draw the same points.

    Attributes:
        z: The latent's noise, (T, B, n_noise).
        x: Standard normal, (T, B, x_dim).
        uniform: Uniform in [0, 1), (T, B).
    """

    z: Tensor
    x: Tensor
    uniform: Tensor

    @classmethod
    def draw(cls, steps: int, batch: int, latent: Latent, x_dim: int, like: Tensor, generator: Any = None) -> Noise:
        """Draw the numbers.

        Args:
            steps: T.
            batch: B.
            latent: The latent that uses `z`.
            x_dim: Numbers per point.
            like: A tensor of the precision and device of the result.
            generator: A torch.Generator; None: torch's global one.
        """
        options = {"dtype": like.dtype, "device": like.device, "generator": generator}
        return cls(
            z=latent.noise(steps, batch, like=like, generator=generator),
            x=torch.randn(steps, batch, x_dim, **options),
            uniform=torch.rand(steps, batch, **options),
        )
