"""The state that a batch of traces carries from one time step to the next."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class State(NamedTuple):
    """The state of B traces between two steps.

    Attributes:
        memory: The recurrence's state, (B, state_dim).
        previous: x_{t-1}, (B, x_dim).
        previous2: x_{t-2}, (B, x_dim).
        is_start: Whether the next point is a trace's first, (B,) bool.
    """

    memory: Tensor
    previous: Tensor
    previous2: Tensor
    is_start: Tensor

    @classmethod
    def initial(cls, memory: Tensor, x_dim: int) -> State:
        """Return the state before any point, where the recurrence's is `memory`: the pen is at 0."""
        batch = len(memory)
        previous, previous2 = (memory.new_zeros(batch, x_dim) for _ in range(2))
        return cls(memory, previous, previous2, torch.ones(batch, dtype=torch.bool, device=memory.device))

    def reset(self, where: Tensor, initial: State) -> State:
        """Return the state with the traces at `where`, (B,) bool, back at their beginning, the state `initial`."""
        column = where.unsqueeze(-1)
        pairs = zip(initial[:3], self[:3], strict=True)
        memory, previous, previous2 = (torch.where(column, begin, part) for begin, part in pairs)
        return State(memory, previous, previous2, self.is_start | where)

    def to(self, device: torch.device) -> State:
        """Return the state on another device."""
        return State(*(part.to(device) for part in self))

    def detach(self) -> State:
        """Return the state without the graph that made it."""
        return State(*(part.detach() for part in self))

    def history(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return x_{t-1} and x_{t-2}, each (T, B, x_dim), for every point of x (T, B, x_dim) that follows this state."""
        previous2 = torch.cat([self.previous2.unsqueeze(0), self._before_first(x), x[:-2]])[: len(x)]
        return torch.cat([self.previous.unsqueeze(0), x[:-1]]), previous2

    def after(self, x: Tensor, memory: Tensor) -> State:
        """Return the state after the points x (T, B, x_dim), where the recurrence's state is `memory`."""
        return State(memory, x[-1], torch.cat([self._before_first(x), x[-2:]])[-2], torch.zeros_like(self.is_start))

    def _before_first(self, x: Tensor) -> Tensor:
        """Return the point before x_0 that a velocity is computed from, (1, B, x_dim): x_0 itself at a trace's start."""
        return torch.where(self.is_start.unsqueeze(-1), x[:1], self.previous)
