"""What passes between a VRNN and the engine that runs it over time."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

from vrnn.objective.latents import Latent


class UnsupportedError(ValueError):
    """An engine cannot run this VRNN; the message says why."""


class State(NamedTuple):
    """Where a batch of B traces stands between two steps.

    memory: (B, state_dim), the recurrence's state. last, before_last: (B, x_dim), the pen's last two points.
    fresh: (B,) bool, True before a trace's first point.
    """

    memory: Tensor
    last: Tensor
    before_last: Tensor
    fresh: Tensor

    @classmethod
    def initial(cls, batch: int, state_dim: int, x_dim: int, like: Tensor) -> State:
        """The state before any point: everything zero."""
        memory, last, before_last = (like.new_zeros(batch, dim) for dim in (state_dim, x_dim, x_dim))
        return cls(memory, last, before_last, torch.ones(batch, dtype=torch.bool, device=like.device))

    def reset(self, where: Tensor) -> State:
        """Return the state with the traces at `where` (B,) bool back at their beginning."""
        column = where.unsqueeze(-1)
        memory, last, before_last = (part.masked_fill(column, 0.0) for part in self[:3])
        return State(memory, last, before_last, self.fresh | where)

    def to(self, device: torch.device) -> State:
        """Return the state on a device: checkpoints come back on the CPU."""
        return State(*(part.to(device) for part in self))

    def detach(self) -> State:
        """Return the state cut off from the graph that made it."""
        return State(*(part.detach() for part in self))

    def history(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return x_{t-1} and x_{t-2}, each (T, B, x_dim), for every point of x (T, B, x_dim) drawn from this state on."""
        before_last = torch.cat([self.before_last.unsqueeze(0), self._rest(x), x[:-2]])[: len(x)]
        return torch.cat([self.last.unsqueeze(0), x[:-1]]), before_last

    def after(self, x: Tensor, memory: Tensor) -> State:
        """Return the state once x (T, B, x_dim) is drawn and the recurrence has come to `memory`."""
        return State(memory, x[-1], torch.cat([self._rest(x), x])[-2], torch.zeros_like(self.fresh))

    def _rest(self, x: Tensor) -> Tensor:
        """The point before x_0 as a velocity sees it, (1, B, x_dim): a fresh pen rests at x_0 itself."""
        return torch.where(self.fresh.unsqueeze(-1), x[:1], self.last)


class Unrolled(NamedTuple):
    """The six networks run over T steps of observed points.

    h: (T, B, h_dim), h_{t-1}: what step t sees. q, p: posterior and prior of z_t, parts (T, B, …); z: the posterior's sample,
    (T, B, z_dim).
    raw: (T, B, n_outputs), the decoder's raw outputs. memory: (B, state_dim) after the last step.
    """

    h: Tensor
    q: tuple[Tensor, ...]
    p: tuple[Tensor, ...]
    raw: Tensor
    z: Tensor
    memory: Tensor


class Noise(NamedTuple):
    """All the chance that T generated steps need, drawn beforehand so that every engine draws the same trace.

    z: (T, B, n_noise), the latent's; x: (T, B, x_dim) standard normal, uniform: (T, B).
    """

    z: Tensor
    x: Tensor
    uniform: Tensor

    @classmethod
    def draw(cls, steps: int, batch: int, latent: Latent, x_dim: int, like: Tensor, generator: Any = None) -> Noise:
        """Draw it from a torch.Generator, or from torch's global one."""
        make = {"dtype": like.dtype, "device": like.device, "generator": generator}
        return cls(
            latent.noise(steps, batch, like=like, generator=generator),
            torch.randn(steps, batch, x_dim, **make),
            torch.rand(steps, batch, **make),
        )
