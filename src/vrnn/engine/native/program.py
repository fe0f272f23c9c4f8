"""A VRNN's networks as a list of instructions, and the two ways through it: forward and backward.

Every number that belongs to step t of trace b stands in one row of the *tape*: features, layers, gates, state, z, …, each
starting at its own column, its width rounded up to whole vectors (the numbers beyond the true width stay finite and touch
nothing). An instruction is a row of integers; `forward` carries it out on a block of rows, `backward` does the reverse on rows
of gradients with the same columns. The next step's row lies `batch` rows further on.
"""

# mypy: allow-untyped-defs, no-check-untyped-defs
from __future__ import annotations

import numpy as np

from vrnn.engine.native.categorical import draw_classes, gumbel, highest_classes, log_softmax, log_softmax_backward
from vrnn.engine.native.cells import cell_backward, cell_forward
from vrnn.engine.native.gemm import ROWS, VECTOR_BYTES, product, to_panels
from vrnn.engine.native.jit import ONE, ZERO, inner
from vrnn.engine.native.vector_math import exp, sigmoid, softplus, tanh

# An instruction: the code, then what it needs. Columns are of the tape, places are in the packed weights.
(
    BIAS,  # out column, width, place                               out = bias
    PRODUCT,  # out column, width, place, in column, in_dim, place for backward, in width, bias's place or -1
    #                                                               out = bias + in W, or out += in W without a bias
    ACTIVATE,  # column, width, activation, slope's column                        in place
    STD,  # raw column, width, squash, std's column, floor's place                std = squash(raw) + floor
    SAMPLE,  # mean column, width, std's, noise's, z's column                     z = mean + std * noise
    CELL,  # gates' column, width of a gate, kind, state's column, gates, states, keep's place
    LOG_SOFTMAX,  # raw column, width, variables, log_probs' column, probs' column, classes, even's place
    DRAW,  # probs' column, width of z, variables, noise's column, z's column, classes     z = one-hot drawn from probs
    GUMBEL,  # log_probs' column, width, -, noise's column, scores' column, place of slope and tiny
    HIGHEST,  # scores' column, width of z, variables, -, z's column, classes              z = one-hot of the highest score
) = range(10)
LENGTH = 9

RELU, TANH, ELU, SILU = range(4)
SOFTPLUS, SIGMOID = range(2)
FEATURES, NOISE, STATE, RAW = range(4)  # ports: see plan.Plan


@inner
def forward(program, tape, width, first, count, batch, weights):
    """Carry the program out on tape rows first, …, first + count - 1. width: of a tape row; weights: packed."""
    for i in range(len(program)):
        code, column, size, a, b, c, d, e, bias = program[i]
        start = first * width
        if code == PRODUCT:
            y, x = start + column, start + b
            if bias < 0:
                product(tape, y, width, tape, y, width, tape, x, width, ONE, weights, a, count, c, size)
            else:
                product(tape, y, width, weights, bias, ZERO, tape, x, width, ONE, weights, a, count, c, size)
            continue
        n = np.uintp(size)
        for row in range(start, start + count * width, width):
            at = np.uintp(row + column)
            if code == BIAS:
                fill(tape, at, weights, np.uintp(a), n)
            elif code == ACTIVATE:
                activate(a, tape, at, np.uintp(row + b), n)
            elif code == STD:
                squash(a, tape, at, np.uintp(row + b), weights[c], n)
            elif code == SAMPLE:
                sample(tape, at, np.uintp(row + a), np.uintp(row + b), np.uintp(row + c), n)
            elif code == LOG_SOFTMAX:
                log_probs, probs = np.uintp(row + b), np.uintp(row + c)
                log_softmax(tape, at, log_probs, probs, n, np.uintp(a), np.uintp(d), weights[e])
            elif code == DRAW:
                draw_classes(tape, at, np.uintp(row + b), np.uintp(row + c), n, np.uintp(a), np.uintp(d))
            elif code == GUMBEL:
                gumbel(tape, at, np.uintp(row + b), np.uintp(row + c), n, weights[d], weights[d + 1])
            elif code == HIGHEST:
                highest_classes(tape, at, np.uintp(row + c), n, np.uintp(a), np.uintp(d))
            else:
                state, after = np.uintp(row + b), np.uintp(row + batch * width + b)
                cell_forward(a, tape, weights, at, state, after, np.uintp(e), n)


@inner
def backward(program, tape, grads, width, first, first_grad, count, batch, weights):
    """Carry the program out backward: `grads` rows from first_grad on belong to the tape's rows from `first` on."""
    for i in range(len(program) - 1, -1, -1):
        code, column, size, a, b, c, d, e, _ = program[i]
        start, back, ahead = first * width, first_grad * width, batch * width
        if code == PRODUCT:
            y, x = back + b, back + column
            product(grads, y, width, grads, y, width, grads, x, width, ONE, weights, d, count, size, e)
        elif code not in (BIAS, HIGHEST):
            n = np.uintp(size)
            for r in range(0, count * width, width):
                row, d_row = start + r, back + r
                at, d_at = np.uintp(row + column), np.uintp(d_row + column)
                if code == ACTIVATE:
                    activate_backward(a, grads, tape, d_at, at, np.uintp(row + b), n)
                elif code == STD:
                    squash_backward(a, grads, tape, d_at, np.uintp(d_row + b), at, n)
                elif code == SAMPLE:
                    d_std, d_noise, d_z = np.uintp(d_row + a), np.uintp(d_row + b), np.uintp(d_row + c)
                    std, noise = np.uintp(row + a), np.uintp(row + b)
                    sample_backward(grads, tape, d_at, d_std, d_noise, d_z, std, noise, n)
                elif code == LOG_SOFTMAX:
                    d_log_probs, d_probs, probs = np.uintp(d_row + b), np.uintp(d_row + c), np.uintp(row + c)
                    variables, classes = np.uintp(a), np.uintp(d)
                    log_softmax_backward(
                        grads, tape, d_at, d_log_probs, d_probs, probs, n, variables, classes, weights[e]
                    )
                elif code == DRAW:  # as if z were the probabilities
                    add(grads, d_at, grads, np.uintp(d_row + c), np.uintp(a * d))
                elif code == GUMBEL:
                    add_times(grads, d_at, grads, np.uintp(d_row + c), weights[d], n)
                else:
                    d_state, d_after = np.uintp(d_row + b), np.uintp(d_row + ahead + b)
                    state, after = np.uintp(row + b), np.uintp(row + ahead + b)
                    cell_backward(a, grads, tape, weights, d_at, d_state, d_after, at, state, after, np.uintp(e), n)


@inner
def weight_gradients(program, tape, grads, width, first, first_grad, count, d_weights, panels):
    """Add the block's share to the gradients of the packed weights, which are not in panels. panels: room for a column."""
    for i in range(len(program)):
        code, column, size, a, b, c, _, _, bias = program[i]
        start = first_grad * width + column
        if code == PRODUCT:
            rows = (c + ROWS - 1) // ROWS * ROWS  # whole tiles: the packed weights hold that many
            x = first * width + b
            to_panels(grads, start, width, count, size, panels)
            product(d_weights, a, size, d_weights, a, size, tape, x, ONE, width, panels, ZERO, rows, count, size)
        if code == BIAS or (code == PRODUCT and bias >= 0):
            place = np.uintp(a if code == BIAS else bias)
            for row in range(start, start + count * width, width):
                add(d_weights, place, grads, np.uintp(row), np.uintp(size))


@inner
def fill(y, out, x, at, n):
    """y[out …] = x[at …], n numbers."""
    for j in range(n):
        y[out + j] = x[at + j]


@inner
def add(y, out, x, at, n):
    """y[out …] += x[at …], n numbers."""
    for j in range(n):
        y[out + j] += x[at + j]


@inner
def add_times(y, out, x, at, factor, n):
    """y[out …] += factor * x[at …], n numbers."""
    for j in range(n):
        y[out + j] += factor * x[at + j]


@inner
def activate(kind, tape, y, slope, n):
    """Apply an activation in place. slope: where silu, whose slope cannot be told from its value, leaves it."""
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
            swish = tape[y + j] * gate
            tape[slope + j] = gate + swish - swish * gate
            tape[y + j] = swish


@inner
def activate_backward(kind, d, tape, d_y, y, slope, n):
    """Turn the gradient of an activation's value into that of its argument, in place."""
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


@inner
def squash(kind, tape, raw, std, floor, n):
    """std = softplus or sigmoid of raw, plus floor."""
    if kind == SOFTPLUS:
        for j in range(n):
            tape[std + j] = softplus(tape[raw + j]) + floor
    else:
        for j in range(n):
            tape[std + j] = sigmoid(tape[raw + j]) + floor


@inner
def squash_backward(kind, d, tape, d_raw, d_std, raw, n):
    """Add to the gradient of raw what comes from that of std."""
    if kind == SOFTPLUS:
        for j in range(n):
            d[d_raw + j] += d[d_std + j] * sigmoid(tape[raw + j])
    else:
        for j in range(n):
            s = sigmoid(tape[raw + j])
            d[d_raw + j] += d[d_std + j] * (s - s * s)


@inner
def sample(tape, mean, std, noise, z, n):
    """z = mean + std * noise."""
    for j in range(n):
        tape[z + j] = tape[mean + j] + tape[std + j] * tape[noise + j]


@inner
def sample_backward(d, tape, d_mean, d_std, d_noise, d_z, std, noise, n):
    """Add to the gradients of mean, std and noise what comes from that of z."""
    for j in range(n):
        d[d_mean + j] += d[d_z + j]
    for j in range(n):
        d[d_std + j] += d[d_z + j] * tape[noise + j]
    for j in range(n):
        d[d_noise + j] += d[d_z + j] * tape[std + j]


@inner
def load(source, start, n, rows, tape, column, width):
    """Copy rows of n numbers, one after another, into a column of the tape; the rest of the last vector is 0."""
    lane = VECTOR_BYTES // tape.itemsize
    zero = tape.dtype.type(0)
    for r in range(rows):
        row = np.uintp(column + r * width)
        fill(tape, row, source, np.uintp(start + r * n), np.uintp(n))
        for j in range(np.uintp(n), np.uintp((n + lane - 1) // lane * lane)):
            tape[row + j] = zero


@inner
def store(tape, column, width, n, rows, target, start):
    """The reverse: copy a column out to rows of n numbers, one after another."""
    for r in range(rows):
        fill(target, np.uintp(start + r * n), tape, np.uintp(column + r * width), np.uintp(n))


@inner
def load_state(memory, first, ports, states, n, batch, tape, start, width):
    """Copy memory (…, states * h_dim), from trace `first` on, into the state's columns, each part n wide."""
    column, h_dim = ports[STATE]
    for b in range(batch):
        for s in range(states):
            place = ((first + b) * states + s) * h_dim
            load(memory, place, h_dim, ONE, tape, start + b * width + column + s * n, width)


@inner
def store_state(tape, start, ports, states, n, batch, memory, first, width):
    """The reverse."""
    column, h_dim = ports[STATE]
    for b in range(batch):
        for s in range(states):
            place = ((first + b) * states + s) * h_dim
            store(tape, start + b * width + column + s * n, width, h_dim, ONE, memory, place)


@inner
def move_state(tape, start, target, width, column, size, batch):
    """Copy the state's columns from one step's rows to another's."""
    for b in range(batch):
        here, there = start + b * width + column, target + b * width + column
        fill(tape, np.uintp(there), tape, np.uintp(here), np.uintp(size))


def instruction(*numbers: int) -> np.ndarray:
    """Return the row of integers, filled up with zeros."""
    return np.array([*numbers, *[0] * (LENGTH - len(numbers))], dtype=np.int64)
