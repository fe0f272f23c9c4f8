"""The recurrences f of a VRNN, h_t = f(phi_x(x_t), phi_z(z_t), h_{t-1}): one class a cell.

A state is one tensor (B, state_dim), so that carrying, detaching, resetting and saving it is the same for all; `output` reads
the part the other networks see, h (B, h_dim).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class Recurrence(nn.Module):
    """The interface. in_dim: width of phi_x and phi_z together; h_dim: width of h; state_dim: width of the whole state."""

    def __init__(self, in_dim: int, h_dim: int, state_dim: int | None = None):
        super().__init__()
        self.in_dim, self.h_dim, self.state_dim = in_dim, h_dim, state_dim or h_dim

    def forward(self, inputs: Tensor, state: Tensor) -> Tensor:
        """One step: inputs (B, in_dim), state (B, state_dim) -> the next state (B, state_dim)."""
        raise NotImplementedError

    def output(self, state: Tensor) -> Tensor:
        """Return h (B, h_dim), the part of the state the networks see."""
        return state[..., : self.h_dim]


class Elman(Recurrence):
    """h = tanh(W [inputs, h] + b) (Elman 1990); the blog's smaller recurrence."""

    def __init__(self, in_dim: int, h_dim: int):
        super().__init__(in_dim, h_dim)
        self.cell = nn.RNNCell(in_dim, h_dim)

    def forward(self, inputs: Tensor, state: Tensor) -> Tensor:
        """See the class."""
        return self.cell(inputs, state)


class GRU(Recurrence):
    """Gated recurrent unit (Cho et al. 2014), as torch.nn.GRUCell.

    chrono: T_max of the chrono initialisation (Tallec & Ollivier 2018): the bias of the gate that keeps the state is
    log(U(1, T_max - 1)), so that memories last 1 to T_max steps from the start. None: torch's own initialisation.
    """

    def __init__(self, in_dim: int, h_dim: int, chrono: float | None = None):
        super().__init__(in_dim, h_dim)
        self.cell = nn.GRUCell(in_dim, h_dim)
        if chrono is not None:
            keep = slice(h_dim, 2 * h_dim)  # torch's order of gates: reset, update (keeps the state), new
            with torch.no_grad():
                self.cell.bias_ih[keep] = chrono_bias(h_dim, chrono)
                self.cell.bias_hh[keep] = 0.0

    def forward(self, inputs: Tensor, state: Tensor) -> Tensor:
        """See the class."""
        return self.cell(inputs, state)


class LSTM(Recurrence):
    """Long short-term memory (Hochreiter & Schmidhuber 1997), as torch.nn.LSTMCell; the state is [h, c].

    chrono: T_max of the chrono initialisation: forget bias log(U(1, T_max - 1)), input bias its negative.
    """

    def __init__(self, in_dim: int, h_dim: int, chrono: float | None = None):
        super().__init__(in_dim, h_dim, state_dim=2 * h_dim)
        self.cell = nn.LSTMCell(in_dim, h_dim)
        if chrono is not None:
            bias = chrono_bias(h_dim, chrono)
            with torch.no_grad():  # torch's order of gates: input, forget, cell, output
                self.cell.bias_ih[: 2 * h_dim] = torch.cat([-bias, bias])
                self.cell.bias_hh[: 2 * h_dim] = 0.0

    def forward(self, inputs: Tensor, state: Tensor) -> Tensor:
        """See the class."""
        return torch.cat(self.cell(inputs, state.split(self.h_dim, dim=-1)), dim=-1)


class MTRNN(Recurrence):
    """Multiple timescales: h = (1 - 1/tau) h + (1/tau) tanh(W [inputs, h] + b), tau a unit's own.

    Yamashita & Tani 2008, in the blog's form. taus: the timescales in steps; shares: how the h_dim units are divided among
    them, in proportion (the blog's groups of 40 units with tau 4 and 8 with tau 80 are the default).
    """

    keep: Tensor

    def __init__(self, in_dim: int, h_dim: int, taus: Sequence[float] = (4.0, 80.0), shares: Sequence[float] = (5, 1)):
        super().__init__(in_dim, h_dim)
        if len(taus) != len(shares) or not taus or min(taus) < 1 or min(shares) <= 0:
            raise ValueError(
                f"recurrence.taus (each >= 1) and recurrence.shares (each > 0) must be equally long, but are {[*taus]} "
                f"and {[*shares]}."
            )
        self.cell = nn.RNNCell(in_dim, h_dim)
        fractions = torch.tensor([0.0, *shares]).cumsum(0) / sum(shares)
        group = torch.bucketize((torch.arange(h_dim) + 0.5) / h_dim, fractions[1:-1])
        self.register_buffer("keep", 1 - 1 / torch.tensor([float(tau) for tau in taus])[group], persistent=False)

    def forward(self, inputs: Tensor, state: Tensor) -> Tensor:
        """See the class."""
        return self.keep * state + (1 - self.keep) * self.cell(inputs, state)


class NoRecurrence(Recurrence):
    """No memory at all, h_dim 0: what is left of a VRNN is a VAE of single points."""

    def forward(self, inputs: Tensor, state: Tensor) -> Tensor:
        """The same empty state (B, 0)."""
        return state


def chrono_bias(h_dim: int, t_max: float) -> Tensor:
    """Return log(U(1, t_max - 1)) for each of h_dim units. Tallec & Ollivier 2018, arXiv 1804.11188, equation 13."""
    if t_max <= 2:
        raise ValueError(f"recurrence.chrono is the longest memory in steps and must exceed 2, but is {t_max}.")
    return torch.empty(h_dim).uniform_(1, t_max - 1).log()
