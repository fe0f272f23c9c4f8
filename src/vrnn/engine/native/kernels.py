"""What Python calls: the loops over time, forward, backward and generating, and the packing of the weights.

All arrays are flat and of one precision. A call works on traces first, …, first + batch - 1 of `total`, so that several calls
can share the work. Steps are taken in blocks, so that what needs no earlier step's result is computed for many rows at once,
while they are in the cache.
"""

# mypy: allow-untyped-defs, no-check-untyped-defs
from __future__ import annotations

import numpy as np

from vrnn.engine.native.emission import draw_point, move_on, show_point
from vrnn.engine.native.gemm import VECTOR_BYTES, panel, panel_around
from vrnn.engine.native.jit import ZERO, entry
from vrnn.engine.native.program import (
    FEATURES,
    NOISE,
    RAW,
    STATE,
    backward,
    forward,
    load,
    load_state,
    move_state,
    store,
    store_state,
    weight_gradients,
)

OUTPUTS = STATE  # from this port on they are given out: h, raw, z, …; their tuple may have more slots than that


@entry
def run_forward(
    before, step, after, ports, states, n, width, weights, tape, steps, block, first, batch, total,
    inputs, outputs, memory_after, keep,
):  # fmt: skip
    """Fill the outputs from the inputs: features, noise and memory.

    tape: ((steps + 1) * batch, width) with `keep`, for the way back; without, one block is enough: (block + 1) * batch rows.
    """
    features, noise, memory = inputs
    state = ports[STATE, 0]
    load_state(memory, first, ports, states, n, batch, tape, ZERO, width)
    end = 0
    for start in range(0, steps, block):
        here = start * batch if keep else 0
        if not keep and start:
            move_state(tape, end * width, ZERO, width, state, states * n, batch)
        taken = min(block, steps - start)
        end = here + taken * batch
        runs, rows = (1, taken * batch) if batch == total else (taken, batch)  # rows that lie together outside, too
        for i in range(runs):
            row, outside = (here + i * batch) * width, (start + i) * total + first
            for port, source in ((FEATURES, features), (NOISE, noise)):
                column, dim = ports[port]
                load(source, outside * dim, dim, rows, tape, row + column, width)
        forward(before, tape, width, here, taken * batch, batch, weights)
        for t in range(taken):
            forward(step, tape, width, here + t * batch, batch, batch, weights)
        forward(after, tape, width, here, taken * batch, batch, weights)
        for i in range(runs):
            row, outside = (here + i * batch) * width, (start + i) * total + first
            for j in range(len(ports) - OUTPUTS):
                column, dim = ports[OUTPUTS + j]
                store(tape, row + column, width, dim, rows, outputs[j], outside * dim)
    store_state(tape, end * width, ports, states, n, batch, memory_after, first, width)


@entry
def run_backward(
    before, step, after, ports, states, n, width, weights, tape, steps, block, first, batch, total,
    d_outputs, d_inputs, d_weights, grads,
):  # fmt: skip
    """Go back along the tape, adding to the gradients of the packed weights and writing those of the inputs.

    d_outputs: gradients from outside; empty where there are none. d_inputs: to be written; features and noise empty where
    nobody asks, memory holds the last state's gradient at first. grads: ((block + 1) * batch, width) for the gradients of
    a block's rows; the last `batch` of them carry the state's from block to block.
    """
    d_features, d_noise, d_memory = d_inputs
    state = ports[OUTPUTS, 0]
    carried = block * batch * width
    panels = np.empty_like(grads)
    load_state(d_memory, first, ports, states, n, batch, grads, carried, width)
    last = (steps + block - 1) // block * block - block
    for start in range(last, -1, -block):
        stop = min(start + block, steps)
        here, count = start * batch, (stop - start) * batch
        if stop - start < block:
            move_state(grads, carried, count * width, width, state, states * n, batch)
        grads[: count * width] = grads.dtype.type(0)
        runs, rows = (1, count) if batch == total else (stop - start, batch)
        for i in range(runs):
            row, outside = i * batch * width, (start + i) * total + first
            for j in range(len(ports) - OUTPUTS):
                column, dim = ports[OUTPUTS + j]
                if len(d_outputs[j]):
                    load(d_outputs[j], outside * dim, dim, rows, grads, row + column, width)
        backward(after, tape, grads, width, here, ZERO, count, batch, weights)
        for t in range(stop - 1, start - 1, -1):
            backward(step, tape, grads, width, t * batch, (t - start) * batch, batch, batch, weights)
        backward(before, tape, grads, width, here, ZERO, count, batch, weights)
        for program in (before, step, after):
            weight_gradients(program, tape, grads, width, here, ZERO, count, d_weights, panels)
        for i in range(runs):
            row, outside = i * batch * width, (start + i) * total + first
            for port, target in ((FEATURES, d_features), (NOISE, d_noise)):
                column, dim = ports[port]
                if len(target):
                    store(grads, row + column, width, dim, rows, target, outside * dim)
        move_state(grads, ZERO, carried, width, state, states * n, batch)
    store_state(grads, carried, ports, states, n, batch, d_memory, first, width)


@entry
def run_generate(
    think, act, ports, states, n, width, weights, tape, steps, first, batch, total,
    noise, state, fresh, points, manner, sizes,
):  # fmt: skip
    """Draw `steps` points of each trace. tape: (2 * batch, width).

    noise: z, x and uniform; state: memory, last and previous2, moved on to where the traces end; fresh: (total,);
    points: (steps, total, x_dim); manner: drawing.Manner; sizes: see structure.manner.
    """
    noise_z, noise_x, uniform = noise
    memory, last, previous2 = state
    x_dim = manner[0]
    load_state(memory, first, ports, states, n, batch, tape, ZERO, width)
    for t in range(steps):
        column, dim = ports[NOISE]
        load(noise_z, (t * total + first) * dim, dim, batch, tape, column, width)
        forward(think, tape, width, ZERO, batch, batch, weights)
        for b in range(batch):
            row, trace = b * width, first + b
            here, there = trace * x_dim, (t * total + trace) * x_dim
            x, eps = points[there : there + x_dim], noise_x[there : there + x_dim]
            chance = uniform[t * total + trace]
            draw_point(tape, row + ports[RAW, 0], x, last[here:], previous2[here:], eps, chance, manner, sizes)
            show_point(tape, row + ports[FEATURES, 0], x, last[here:], manner, sizes[3])
            move_on(x, last[here:], previous2[here:], fresh[trace] and t == 0, x_dim)
        forward(act, tape, width, ZERO, batch, batch, weights)
        move_state(tape, batch * width, ZERO, width, ports[STATE, 0], states * n, batch)
    store_state(tape, ZERO, ports, states, n, batch, memory, first, width)


@entry
def pack(flat, pieces, packed):
    """Add the flat weights to the packed ones: transposed for the way forward, as they are for the way back.

    Both in panels (see tiles), padded.
    """
    lane = VECTOR_BYTES // packed.itemsize
    for i in range(len(pieces)):
        place, total, start, depth, blocks, n, padded, turn, ahead, width, back, deep = pieces[i]
        for block in range(blocks):
            for r in range(n):
                row = flat[place + ((block + turn) % blocks * n + r) * total + start :]
                out = block * padded + r
                c, size = panel_around(out, width, lane)
                for k in range(depth):
                    packed[ahead + c * depth + k * size + out - c] += row[k]
                c = 0
                while back >= 0 and c < deep:
                    size = panel(c, deep, lane)
                    for k in range(c, min(c + size, depth)):
                        packed[back + c * width + out * size + k - c] = row[k]
                    c += size


@entry
def unpack(d_packed, pieces, d_flat):
    """Read the flat weights' gradients from those of the packed ones, which are not in panels."""
    for i in range(len(pieces)):
        place, total, start, depth, blocks, n, padded, turn, ahead, width, _, _ = pieces[i]
        for block in range(blocks):
            for r in range(n):
                row = d_flat[place + ((block + turn) % blocks * n + r) * total + start :]
                out = block * padded + r
                for k in range(depth):
                    row[k] = d_packed[ahead + k * width + out]
