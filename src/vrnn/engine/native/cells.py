"""The recurrences for the kernels: a cell is a pair of functions on one row, forward and backward.

They are given the tape (and the gradients `d`, laid out likewise) and where on it the row's gates, its state and the next
state start; n is the width of a part. The gates arrive as sums of the products with the inputs, with h and of the biases; the
state is [h] or [h, c]. Forward turns the gates into what backward wants to find there and writes the next state. Backward
finds the gradient of the next state, writes that of the sums and adds to that of the state.

GRU's gates are [new from the inputs, reset, update, new from h], so that the inputs feed the first three, h the last three.
y - y * y, and not y * (1 - y): a literal 1 would widen a float32 to float64.
"""

# mypy: allow-untyped-defs, no-check-untyped-defs
from __future__ import annotations

from typing import NamedTuple

from vrnn.engine.native.jit import inner
from vrnn.engine.native.vector_math import sigmoid, tanh

ELMAN, GRU, LSTM, MTRNN = range(4)


class Wiring(NamedTuple):
    """How a cell's gates are fed. kind: its number; gates, states: how many n wide parts its sums and its state have.

    blocks: gates in each of torch's weight matrices. Those of the inputs feed gates 0, 1, … in torch's order turned on by
    `turn`; those of h feed gates `skip`, skip + 1, … in torch's order.
    """

    kind: int
    gates: int
    states: int
    blocks: int
    turn: int = 0
    skip: int = 0


WIRINGS = {
    "Elman": Wiring(ELMAN, 1, 1, 1),
    "GRU": Wiring(GRU, 4, 1, 3, turn=2, skip=1),  # torch: reset, update, new
    "LSTM": Wiring(LSTM, 4, 2, 4),  # torch, and here: input, forget, cell, output
    "MTRNN": Wiring(MTRNN, 1, 1, 1),
}


@inner
def elman_forward(tape, weights, gates, state, after, keep, n):
    """h' = tanh(gate)."""
    for j in range(n):
        tape[after + j] = tanh(tape[gates + j])


@inner
def elman_backward(d, tape, weights, d_gates, d_state, d_after, gates, state, after, keep, n):
    """Its gradients."""
    for j in range(n):
        d[d_gates + j] = d[d_after + j] - d[d_after + j] * tape[after + j] * tape[after + j]


@inner
def mtrnn_forward(tape, weights, gates, state, after, keep, n):
    """h' = g + keep (h - g), g = tanh(gate), keep = 1 - 1 / tau."""
    for j in range(n):
        tape[gates + j] = tanh(tape[gates + j])
    for j in range(n):
        tape[after + j] = tape[gates + j] + weights[keep + j] * (tape[state + j] - tape[gates + j])


@inner
def mtrnn_backward(d, tape, weights, d_gates, d_state, d_after, gates, state, after, keep, n):
    """Its gradients."""
    for j in range(n):
        d_tanh = d[d_after + j] - d[d_after + j] * weights[keep + j]
        d[d_gates + j] = d_tanh - d_tanh * tape[gates + j] * tape[gates + j]
    for j in range(n):
        d[d_state + j] += d[d_after + j] * weights[keep + j]


@inner
def gru_forward(tape, weights, gates, state, after, keep, n):
    """h' = new + update (h - new), new = tanh(new from inputs + reset * new from h), as torch.nn.GRUCell."""
    new, reset, update, new_from_h = gates, gates + n, gates + n + n, gates + n + n + n
    for j in range(n + n):
        tape[reset + j] = sigmoid(tape[reset + j])
    for j in range(n):
        tape[new + j] = tanh(tape[new + j] + tape[reset + j] * tape[new_from_h + j])
    for j in range(n):
        tape[after + j] = tape[new + j] + tape[update + j] * (tape[state + j] - tape[new + j])


@inner
def gru_backward(d, tape, weights, d_gates, d_state, d_after, gates, state, after, keep, n):
    """Its gradients."""
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
def lstm_forward(tape, weights, gates, state, after, keep, n):
    """c' = forget c + take new, h' = show tanh(c'), as torch.nn.LSTMCell."""
    take, forget, new, show = gates, gates + n, gates + n + n, gates + n + n + n
    c, h_after, c_after = state + n, after, after + n
    for j in range(n + n):
        tape[take + j] = sigmoid(tape[take + j])
    for j in range(n):
        tape[new + j] = tanh(tape[new + j])
    for j in range(n):
        tape[show + j] = sigmoid(tape[show + j])
    for j in range(n):
        tape[c_after + j] = tape[forget + j] * tape[c + j] + tape[take + j] * tape[new + j]
    for j in range(n):
        tape[h_after + j] = tape[show + j] * tanh(tape[c_after + j])


@inner
def lstm_backward(d, tape, weights, d_gates, d_state, d_after, gates, state, after, keep, n):
    """Its gradients."""
    take, forget, new, show = gates, gates + n, gates + n + n, gates + n + n + n
    d_take, d_forget, d_new, d_show = d_gates, d_gates + n, d_gates + n + n, d_gates + n + n + n
    c, c_after, d_c, d_h_after, d_c_after = state + n, after + n, d_state + n, d_after, d_after + n
    for j in range(n):
        d[d_show + j] = tanh(tape[c_after + j])  # for the moment: it is wanted twice
    for j in range(n):
        slope = tape[show + j] - tape[show + j] * d[d_show + j] * d[d_show + j]
        d[d_c_after + j] += d[d_h_after + j] * slope
    for j in range(n):
        slope = tape[show + j] - tape[show + j] * tape[show + j]
        d[d_show + j] *= d[d_h_after + j] * slope
    for j in range(n):
        slope = tape[take + j] - tape[take + j] * tape[take + j]
        d[d_take + j] = d[d_c_after + j] * tape[new + j] * slope
    for j in range(n):
        slope = tape[take + j] - tape[take + j] * tape[new + j] * tape[new + j]
        d[d_new + j] = d[d_c_after + j] * slope
    for j in range(n):
        slope = tape[forget + j] - tape[forget + j] * tape[forget + j]
        d[d_forget + j] = d[d_c_after + j] * tape[c + j] * slope
    for j in range(n):
        d[d_c + j] += d[d_c_after + j] * tape[forget + j]


@inner
def cell_forward(kind, tape, weights, gates, state, after, keep, n):
    """One row's step by the cell of this kind. keep: the place in the weights of MTRNN's 1 - 1 / tau."""
    if kind == ELMAN:
        elman_forward(tape, weights, gates, state, after, keep, n)
    elif kind == GRU:
        gru_forward(tape, weights, gates, state, after, keep, n)
    elif kind == LSTM:
        lstm_forward(tape, weights, gates, state, after, keep, n)
    else:
        mtrnn_forward(tape, weights, gates, state, after, keep, n)


@inner
def cell_backward(kind, d, tape, weights, d_gates, d_state, d_after, gates, state, after, keep, n):
    """The same step backward."""
    if kind == ELMAN:
        elman_backward(d, tape, weights, d_gates, d_state, d_after, gates, state, after, keep, n)
    elif kind == GRU:
        gru_backward(d, tape, weights, d_gates, d_state, d_after, gates, state, after, keep, n)
    elif kind == LSTM:
        lstm_backward(d, tape, weights, d_gates, d_state, d_after, gates, state, after, keep, n)
    else:
        mtrnn_backward(d, tape, weights, d_gates, d_state, d_after, gates, state, after, keep, n)
