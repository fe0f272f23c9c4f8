"""Linear layers and activations: kernels of the instructions Bias, Product and Activate.

Forward functions fill rows of the tape; backward functions add to gradients in rows of the same columns.
"""

# mypy: allow-untyped-defs, no-check-untyped-defs
from __future__ import annotations

import numpy as np

from vrnn.engine.native.gemm import ROWS, MatrixAt, Size, product, to_panels
from vrnn.engine.native.jit import ONE, ZERO, inlined, inner
from vrnn.engine.native.tape import add, copy
from vrnn.engine.native.vector_math import exp, sigmoid, tanh

RELU, TANH, ELU, SILU = range(4)


@inlined
def bias_forward(op, tape, weights, rows):
    """out = bias. Twin: torch.nn.Linear's bias alone."""
    for row in range(rows.start, rows.start + rows.n * rows.width, rows.width):
        copy(tape, np.uintp(row + op.out), weights, np.uintp(op.bias_place), np.uintp(op.width))


@inlined
def bias_gradient(out, width, bias_place, grads, d_weights, d_rows):
    """Add the gradients of `out`, summed over the rows, to that of the bias."""
    for row in range(d_rows.start, d_rows.start + d_rows.n * d_rows.width, d_rows.width):
        add(d_weights, np.uintp(bias_place), grads, np.uintp(row + out), np.uintp(width))


@inlined
def product_forward(op, tape, weights, rows):
    """out = bias + x W, or out += x W without a bias. Twin: torch.nn.Linear."""
    y_at = MatrixAt(rows.start + op.out, rows.width, ONE)
    x_at = MatrixAt(rows.start + op.x, rows.width, ONE)
    size = Size(rows.n, op.x_dim, op.width)
    if op.bias_place < 0:
        product(tape, y_at, tape, y_at, tape, x_at, weights, op.w_place, size)
    else:
        product(tape, y_at, weights, MatrixAt(op.bias_place, ZERO, ONE), tape, x_at, weights, op.w_place, size)


@inlined
def product_backward(op, grads, weights, d_rows):
    """Add to the gradient of x what comes from that of `out`."""
    y_at = MatrixAt(d_rows.start + op.out, d_rows.width, ONE)
    x_at = MatrixAt(d_rows.start + op.x, d_rows.width, ONE)
    size = Size(d_rows.n, op.width, op.x_width)
    product(grads, x_at, grads, x_at, grads, y_at, weights, op.w_back_place, size)


@inner
def product_gradient(op, tape, grads, d_weights, rows, d_rows, panels):
    """Add to the gradient of W, (x_dim, width) without panels. panels: scratch memory for one column of the tape."""
    whole_tiles = (op.x_dim + ROWS - 1) // ROWS * ROWS
    w_at = MatrixAt(op.w_place, op.width, ONE)
    x_transposed_at = MatrixAt(rows.start + op.x, ONE, rows.width)
    to_panels(grads, d_rows.start + op.out, d_rows.width, d_rows.n, op.width, panels)
    size = Size(whole_tiles, d_rows.n, op.width)
    product(d_weights, w_at, d_weights, w_at, tape, x_transposed_at, panels, ZERO, size)


@inlined
def activate_forward(op, tape, rows):
    """Apply the activation in place. Twin: torch.nn.ReLU, Tanh, ELU, SiLU."""
    for row in range(rows.start, rows.start + rows.n * rows.width, rows.width):
        activate(op.kind, tape, np.uintp(row + op.y), np.uintp(row + op.slope), np.uintp(op.width))


@inlined
def activate_backward(op, tape, grads, rows, d_rows):
    """Turn the gradient of the activation's value into that of its argument, in place."""
    for r in range(0, rows.n * rows.width, rows.width):
        row, d_y = rows.start + r, np.uintp(d_rows.start + r + op.y)
        y, slope = np.uintp(row + op.y), np.uintp(row + op.slope)
        differentiate(op.kind, grads, tape, d_y, y, slope, np.uintp(op.width))


@inner
def activate(kind, tape, y, slope, n):
    """Apply the activation to n numbers. SiLU stores its derivative in `slope`: its value does not determine it."""
    zero, one = tape.dtype.type(0), tape.dtype.type(1)
    if kind == RELU:
        for j in range(n):
            tape[y + j] = zero if tape[y + j] < zero else tape[y + j]
    elif kind == TANH:
        for j in range(n):
            tape[y + j] = tanh(tape[y + j])
    elif kind == ELU:
        for j in range(n):
            tape[y + j] = exp(tape[y + j]) - one if tape[y + j] < zero else tape[y + j]
    else:
        for j in range(n):
            gate = sigmoid(tape[y + j])
            silu = tape[y + j] * gate
            tape[slope + j] = gate + silu - silu * gate
            tape[y + j] = silu


@inner
def differentiate(kind, d, tape, d_y, y, slope, n):
    """Multiply n gradients by the activation's derivative, computed from its value y."""
    zero = tape.dtype.type(0)
    if kind == RELU:
        for j in range(n):
            d[d_y + j] = d[d_y + j] if tape[y + j] > zero else zero
    elif kind == TANH:
        for j in range(n):
            d[d_y + j] -= d[d_y + j] * tape[y + j] * tape[y + j]
    elif kind == ELU:
        for j in range(n):
            d[d_y + j] += d[d_y + j] * tape[y + j] if tape[y + j] < zero else zero
    else:
        for j in range(n):
            d[d_y + j] *= tape[slope + j]
