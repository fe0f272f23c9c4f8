"""The recurrence's cells: kernels of the instruction Cell, a pair of functions per cell, forward and backward, on one row.

The gates arrive as sums of the products with the inputs, the product with h, and the biases. The state is [h] or [h, c].
Forward replaces the gates' sums by what backward needs and writes the next state. Backward reads the gradient of the next
state, writes that of the gates' sums, and adds to that of the state.

GRU's gates are [new from the inputs, reset, update, new from h], so that the inputs feed the first three and h the last three.
Derivatives are written y - y * y, not y * (1 - y): a literal 1 would widen float32 to float64.
"""

# mypy: allow-untyped-defs, no-check-untyped-defs
from __future__ import annotations

from typing import NamedTuple

import numpy as np

from vrnn.engine.native.jit import inlined, inner
from vrnn.engine.native.vector_math import sigmoid, tanh

ELMAN, GRU, LSTM, MTRNN = range(4)


class CellSpec(NamedTuple):
    """How the gates of a cell are fed by torch's weight matrices.

    Attributes:
        kind: ELMAN, GRU, LSTM or MTRNN.
        gates: Number of gates on the tape, each h_dim wide.
        states: Number of parts of the state, each h_dim wide.
        torch_gates: Number of gates in each of torch's weight matrices.
        rotation: The matrix of the inputs feeds gates 0, 1, … with torch's gates rotation, rotation + 1, …, then 0, 1, …
        first_h_gate: The matrix of h feeds gates first_h_gate, first_h_gate + 1, … with torch's gates 0, 1, …
    """

    kind: int
    gates: int
    states: int
    torch_gates: int
    rotation: int = 0
    first_h_gate: int = 0


ELMAN_CELL = CellSpec(ELMAN, gates=1, states=1, torch_gates=1)
GRU_CELL = CellSpec(GRU, gates=4, states=1, torch_gates=3, rotation=2, first_h_gate=1)  # torch: reset, update, new
LSTM_CELL = CellSpec(LSTM, gates=4, states=2, torch_gates=4)  # torch, and here: input, forget, cell, output
MTRNN_CELL = CellSpec(MTRNN, gates=1, states=1, torch_gates=1)


class CellAt(NamedTuple):
    """Where one row's cell begins in the flat arrays, and the width n of a gate.

    Attributes:
        gates: The gates, in the tape or in the gradients.
        state: The state, likewise.
        after: The next step's state, likewise.
        keep: MTRNN's 1 - 1 / tau, in the packed weights.
        n: Width of a gate and of a part of the state.
    """

    gates: int
    state: int
    after: int
    keep: int
    n: int


@inlined
def cell_at(op, row, ahead):
    """Return where the cell of the row that begins at `row` is; `ahead`: distance to the next step's row."""
    gates, state, after = np.uintp(row + op.gates), np.uintp(row + op.state), np.uintp(row + ahead + op.state)
    return CellAt(gates, state, after, np.uintp(op.keep_place), np.uintp(op.width))


@inlined
def cell_forward(op, tape, weights, rows):
    """Compute the state of the next rows."""
    for row in range(rows.start, rows.start + rows.n * rows.width, rows.width):
        at = cell_at(op, row, rows.ahead)
        if op.kind == ELMAN:
            elman_forward(tape, at)
        elif op.kind == GRU:
            gru_forward(tape, at)
        elif op.kind == LSTM:
            lstm_forward(tape, at)
        else:
            mtrnn_forward(tape, weights, at)


@inlined
def cell_backward(op, tape, grads, weights, rows, d_rows):
    """Compute the gradients of the gates and add to those of the state."""
    for r in range(0, rows.n * rows.width, rows.width):
        at, d_at = cell_at(op, rows.start + r, rows.ahead), cell_at(op, d_rows.start + r, rows.ahead)
        if op.kind == ELMAN:
            elman_backward(grads, tape, d_at, at)
        elif op.kind == GRU:
            gru_backward(grads, tape, d_at, at)
        elif op.kind == LSTM:
            lstm_backward(grads, tape, d_at, at)
        else:
            mtrnn_backward(grads, tape, weights, d_at, at)


@inner
def elman_forward(tape, at):
    """h' = tanh(gate). Twin: torch.nn.RNNCell."""
    gates, after, n = at.gates, at.after, at.n
    for j in range(n):
        tape[after + j] = tanh(tape[gates + j])


@inner
def elman_backward(d, tape, d_at, at):
    """Backward of `elman_forward`."""
    d_gates, d_after, after, n = d_at.gates, d_at.after, at.after, at.n
    for j in range(n):
        d[d_gates + j] = d[d_after + j] - d[d_after + j] * tape[after + j] * tape[after + j]


@inner
def mtrnn_forward(tape, weights, at):
    """h' = g + keep (h - g), g = tanh(gate), keep = 1 - 1 / tau. Twin: vrnn.networks.MTRNN."""
    gates, state, after, keep, n = at.gates, at.state, at.after, at.keep, at.n
    for j in range(n):
        tape[gates + j] = tanh(tape[gates + j])
    for j in range(n):
        tape[after + j] = tape[gates + j] + weights[keep + j] * (tape[state + j] - tape[gates + j])


@inner
def mtrnn_backward(d, tape, weights, d_at, at):
    """Backward of `mtrnn_forward`."""
    gates, keep, n = at.gates, at.keep, at.n
    d_gates, d_state, d_after = d_at.gates, d_at.state, d_at.after
    for j in range(n):
        d_tanh = d[d_after + j] - d[d_after + j] * weights[keep + j]
        d[d_gates + j] = d_tanh - d_tanh * tape[gates + j] * tape[gates + j]
    for j in range(n):
        d[d_state + j] += d[d_after + j] * weights[keep + j]


@inner
def gru_forward(tape, at):
    """h' = new + update (h - new), new = tanh(new from inputs + reset * new from h). Twin: torch.nn.GRUCell."""
    gates, state, after, n = at.gates, at.state, at.after, at.n
    new, reset, update, new_from_h = gates, gates + n, gates + n + n, gates + n + n + n
    for j in range(n + n):
        tape[reset + j] = sigmoid(tape[reset + j])
    for j in range(n):
        tape[new + j] = tanh(tape[new + j] + tape[reset + j] * tape[new_from_h + j])
    for j in range(n):
        tape[after + j] = tape[new + j] + tape[update + j] * (tape[state + j] - tape[new + j])


@inner
def gru_backward(d, tape, d_at, at):
    """Backward of `gru_forward`."""
    gates, state, n = at.gates, at.state, at.n
    d_gates, d_state, d_after = d_at.gates, d_at.state, d_at.after
    new, reset, update, new_from_h = gates, gates + n, gates + n + n, gates + n + n + n
    d_new, d_reset, d_update, d_new_from_h = d_gates, d_gates + n, d_gates + n + n, d_gates + n + n + n
    for j in range(n):
        d_tanh = d[d_after + j] - d[d_after + j] * tape[update + j]
        d[d_new + j] = d_tanh - d_tanh * tape[new + j] * tape[new + j]
    for j in range(n):
        slope = tape[update + j] - tape[update + j] * tape[update + j]
        d[d_update + j] = d[d_after + j] * (tape[state + j] - tape[new + j]) * slope
    for j in range(n):
        slope = tape[reset + j] - tape[reset + j] * tape[reset + j]
        d[d_reset + j] = d[d_new + j] * tape[new_from_h + j] * slope
    for j in range(n):
        d[d_new_from_h + j] = d[d_new + j] * tape[reset + j]
    for j in range(n):
        d[d_state + j] += d[d_after + j] * tape[update + j]


@inner
def lstm_forward(tape, at):
    """c' = forget c + input cell, h' = output tanh(c'). Twin: torch.nn.LSTMCell."""
    gates, state, after, n = at.gates, at.state, at.after, at.n
    input_, forget, cell, output = gates, gates + n, gates + n + n, gates + n + n + n
    c, h_after, c_after = state + n, after, after + n
    for j in range(n + n):
        tape[input_ + j] = sigmoid(tape[input_ + j])
    for j in range(n):
        tape[cell + j] = tanh(tape[cell + j])
    for j in range(n):
        tape[output + j] = sigmoid(tape[output + j])
    for j in range(n):
        tape[c_after + j] = tape[forget + j] * tape[c + j] + tape[input_ + j] * tape[cell + j]
    for j in range(n):
        tape[h_after + j] = tape[output + j] * tanh(tape[c_after + j])


@inner
def lstm_backward(d, tape, d_at, at):
    """Backward of `lstm_forward`."""
    gates, state, after, n = at.gates, at.state, at.after, at.n
    d_gates, d_state, d_after = d_at.gates, d_at.state, d_at.after
    input_, forget, cell, output = gates, gates + n, gates + n + n, gates + n + n + n
    d_input, d_forget, d_cell, d_output = d_gates, d_gates + n, d_gates + n + n, d_gates + n + n + n
    c, c_after, d_c, d_h_after, d_c_after = state + n, after + n, d_state + n, d_after, d_after + n
    for j in range(n):
        d[d_output + j] = tanh(tape[c_after + j])  # stored here for the next two loops
    for j in range(n):
        slope = tape[output + j] - tape[output + j] * d[d_output + j] * d[d_output + j]
        d[d_c_after + j] += d[d_h_after + j] * slope
    for j in range(n):
        slope = tape[output + j] - tape[output + j] * tape[output + j]
        d[d_output + j] *= d[d_h_after + j] * slope
    for j in range(n):
        slope = tape[input_ + j] - tape[input_ + j] * tape[input_ + j]
        d[d_input + j] = d[d_c_after + j] * tape[cell + j] * slope
    for j in range(n):
        slope = tape[input_ + j] - tape[input_ + j] * tape[cell + j] * tape[cell + j]
        d[d_cell + j] = d[d_c_after + j] * slope
    for j in range(n):
        slope = tape[forget + j] - tape[forget + j] * tape[forget + j]
        d[d_forget + j] = d[d_c_after + j] * tape[c + j] * slope
    for j in range(n):
        d[d_c + j] += d[d_c_after + j] * tape[forget + j]
