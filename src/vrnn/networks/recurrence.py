"""Recurrences h_t = f(phi_x(x_t), phi_z(z_t), h_{t-1}): one class per cell.

The state of each is one tensor (B, state_dim), so that all of them are carried, detached, reset and saved alike.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from typing_extensions import override


class Recurrence(nn.Module):
    """The interface of a recurrence.

    Args:
        in_dim: Width of phi_x and phi_z together.
        h_dim: Width of h, the part of the state that the other networks see.
        state_dim: Width of the whole state; None: h_dim.
    """

    def __init__(self, in_dim: int, h_dim: int, state_dim: int | None = None):
        super().__init__()
        self.in_dim, self.h_dim, self.state_dim = in_dim, h_dim, state_dim or h_dim

    @override
    def forward(self, inputs: Tensor, state: Tensor) -> Tensor:
        """Return the next state, (B, state_dim).

        Args:
            inputs: [phi_x(x_t), phi_z(z_t)], (B, in_dim).
            state: (B, state_dim).
        """
        raise NotImplementedError

    def output(self, state: Tensor) -> Tensor:
        """Return h, (…, h_dim), of a state (…, state_dim)."""
        return state[..., : self.h_dim]


class Elman(Recurrence):
    """h = tanh(W [inputs, h] + b) (Elman 1990): the blog's smaller recurrence.

    Args:
        in_dim: See `Recurrence`.
        h_dim: See `Recurrence`.
    """

    def __init__(self, in_dim: int, h_dim: int):
        super().__init__(in_dim, h_dim)
        self.cell = nn.RNNCell(in_dim, h_dim)

    @override
    def forward(self, inputs: Tensor, state: Tensor) -> Tensor:
        return self.cell(inputs, state)


class Markov(Recurrence):
    """h = tanh(W inputs + b): of the past only the last step is left.

    Args:
        in_dim: See `Recurrence`.
        h_dim: See `Recurrence`.
    """

    def __init__(self, in_dim: int, h_dim: int):
        super().__init__(in_dim, h_dim)
        self.layer = nn.Linear(in_dim, h_dim)

    @override
    def forward(self, inputs: Tensor, state: Tensor) -> Tensor:
        return self.layer(inputs).tanh()


class GRU(Recurrence):
    """Gated recurrent unit (Cho et al. 2014, arXiv 1406.1078), as torch.nn.GRUCell.

    Args:
        in_dim: See `Recurrence`.
        h_dim: See `Recurrence`.
        chrono: T_max of the chrono initialisation (Tallec & Ollivier 2018, arXiv 1804.11188): the bias of the gate that keeps
            the state is log(U(1, T_max - 1)), so that before training memories last 1 to T_max steps. None: torch's own
            initialisation.

    Raises:
        ValueError: A T_max of 2 or less.
    """

    def __init__(self, in_dim: int, h_dim: int, chrono: float | None = None):
        super().__init__(in_dim, h_dim)
        self.cell = nn.GRUCell(in_dim, h_dim)
        if chrono is not None:
            keep = slice(h_dim, 2 * h_dim)  # torch's order of gates: reset, update (keeps the state), new
            with torch.no_grad():
                self.cell.bias_ih[keep] = chrono_bias(h_dim, chrono)
                self.cell.bias_hh[keep] = 0.0

    @override
    def forward(self, inputs: Tensor, state: Tensor) -> Tensor:
        return self.cell(inputs, state)


class LSTM(Recurrence):
    """Long short-term memory (Hochreiter & Schmidhuber 1997), as torch.nn.LSTMCell. The state is [h, c].

    Args:
        in_dim: See `Recurrence`.
        h_dim: See `Recurrence`.
        chrono: T_max of the chrono initialisation: the forget gate's bias is log(U(1, T_max - 1)), the input gate's its
            negative. None: torch's own initialisation.

    Raises:
        ValueError: A T_max of 2 or less.
    """

    def __init__(self, in_dim: int, h_dim: int, chrono: float | None = None):
        super().__init__(in_dim, h_dim, state_dim=2 * h_dim)
        self.cell = nn.LSTMCell(in_dim, h_dim)
        if chrono is not None:
            bias = chrono_bias(h_dim, chrono)
            with torch.no_grad():  # torch's order of gates: input, forget, cell, output
                self.cell.bias_ih[: 2 * h_dim] = torch.cat([-bias, bias])
                self.cell.bias_hh[: 2 * h_dim] = 0.0

    @override
    def forward(self, inputs: Tensor, state: Tensor) -> Tensor:
        return torch.cat(self.cell(inputs, state.split(self.h_dim, dim=-1)), dim=-1)


class MTRNN(Recurrence):
    """Multiple timescales: h = (1 - 1/tau) h + (1/tau) tanh(W [inputs, h] + b), with a tau for each unit.

    In the blog's form of Yamashita & Tani 2008. The defaults are the blog's groups: 40 units with tau 4 and 8 with tau 80.

    Args:
        in_dim: See `Recurrence`.
        h_dim: See `Recurrence`.
        taus: The timescale of each group of units, in steps.
        shares: The size of each group, in proportion.

    Raises:
        ValueError: Different numbers of taus and shares, a tau below 1, or a share that is not positive.
    """

    keep: Tensor

    def __init__(self, in_dim: int, h_dim: int, taus: Sequence[float] = (4.0, 80.0), shares: Sequence[float] = (5, 1)):
        super().__init__(in_dim, h_dim)
        if len(taus) != len(shares) or not taus or min(taus) < 1 or min(shares) <= 0:
            raise ValueError(
                f"recurrence.taus (each >= 1) and recurrence.shares (each > 0) must be equally long, but are {[*taus]} and "
                f"{[*shares]}."
            )
        self.cell = nn.RNNCell(in_dim, h_dim)
        fractions = torch.tensor([0.0, *shares]).cumsum(0) / sum(shares)
        group = torch.bucketize((torch.arange(h_dim) + 0.5) / h_dim, fractions[1:-1])
        self.register_buffer("keep", 1 - 1 / torch.tensor([float(tau) for tau in taus])[group], persistent=False)

    @override
    def forward(self, inputs: Tensor, state: Tensor) -> Tensor:
        return self.keep * state + (1 - self.keep) * self.cell(inputs, state)


class NoRecurrence(Recurrence):
    """No memory, h_dim 0: the VRNN becomes a VAE of single points. The state has shape (B, 0).

    Args:
        in_dim: See `Recurrence`.
        h_dim: 0.
    """

    @override
    def forward(self, inputs: Tensor, state: Tensor) -> Tensor:
        return state


def chrono_bias(h_dim: int, t_max: float) -> Tensor:
    """Return log(U(1, t_max - 1)) for each unit, (h_dim,) (Tallec & Ollivier 2018, arXiv 1804.11188, equation 13).

    Args:
        h_dim: Units.
        t_max: The longest memory, in steps.

    Raises:
        ValueError: t_max <= 2.
    """
    if t_max <= 2:
        raise ValueError(f"recurrence.chrono, the longest memory in steps, must exceed 2, but is {t_max}.")
    return torch.empty(h_dim).uniform_(1, t_max - 1).log()
