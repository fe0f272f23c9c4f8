"""The kernels that Python calls: the loops over time, forward, backward and generating, and the packing of the weights.

All arrays are flat and of one precision. Arguments are NamedTuples of arrays and integers; their types are the same in every
call, so that numba compiles each kernel once per precision.

A call works on a chunk of the batch, so that several threads can share it. Steps are computed in blocks: what needs no earlier
step's result is computed for many rows at once, while they are in the processor's cache.
"""

# mypy: allow-untyped-defs, no-check-untyped-defs
from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from vrnn.engine.native.emission import sample_point, shift_history, write_features
from vrnn.engine.native.gemm import VECTOR_BYTES, panel_around, panel_width
from vrnn.engine.native.instructions import Table
from vrnn.engine.native.jit import ZERO, entry
from vrnn.engine.native.program import backward, forward, weight_gradients
from vrnn.engine.native.tape import Rows, Slot, StateSlot, load, load_state, move_state, store, store_state

Flat = NDArray[Any]


class Program(NamedTuple):
    """The instructions in their parts, and where on the tape the inputs, the state and the results are.

    Attributes:
        before: Instructions that need no earlier step's result, executed for a block of steps at once.
        step: Instructions of one step, executed in the loop over time.
        after: Instructions whose results no later step needs, executed for a block of steps at once.
        generate_z: First half of a generated step: prior, z, phi_z, decoder.
        advance: Second half of a generated step, after the point is drawn: phi_x, recurrence.
        width: Numbers per row of the tape.
        features: Input of phi_x.
        noise: The latent's noise and, with a condition, the context.
        raw: The decoder's raw outputs.
        state: The recurrence's state.
        outputs: (column, dim) of each result: h, raw, z, the parts of q and, if it is learned, those of p.
    """

    before: Table
    step: Table
    after: Table
    generate_z: Table
    advance: Table
    width: int
    features: Slot
    noise: Slot
    raw: Slot
    state: StateSlot
    outputs: Table


class Chunk(NamedTuple):
    """What one call works on: traces first, …, first + batch - 1 of `total`, over `steps` steps in blocks of `block`."""

    first: int
    batch: int
    total: int
    steps: int
    block: int


class Inputs(NamedTuple):
    """Flat inputs of `run_forward`, or their gradients: features and noise (steps, total, …), memory (total, state_dim)."""

    features: Flat
    noise: Flat
    memory: Flat


class FlatNoise(NamedTuple):
    """vrnn.engine.interface.Noise as flat arrays."""

    z: Flat
    x: Flat
    uniform: Flat


class FlatState(NamedTuple):
    """vrnn.networks.state.State as flat arrays."""

    memory: Flat
    previous: Flat
    previous2: Flat
    is_start: Flat


class Move(NamedTuple):
    """How a part of torch's flat weights moves to the packed weights: `blocks` blocks of `rows` rows of `depth` numbers.

    Attributes:
        flat: Where the matrix begins in the flat weights.
        row_length: Numbers per row of torch's matrix.
        start: First column of torch's matrix to move.
        depth: Number of its columns to move.
        blocks: Number of blocks, such as gates.
        rows: Rows per block.
        padded: Rows per block after padding to whole vectors.
        rotation: Block i is read from torch's block (i + rotation) modulo blocks.
        forward: Place of the transposed matrix, in panels, for the forward pass.
        width: Its columns, blocks * padded.
        backward: Place of the matrix as torch has it, in panels, for the backward pass; -1: not needed.
        padded_depth: Its columns, depth padded to whole vectors.
    """

    flat: int
    row_length: int
    start: int
    depth: int
    blocks: int
    rows: int
    padded: int
    rotation: int
    forward: int
    width: int
    backward: int
    padded_depth: int


@entry
def run_forward(program, weights, chunk, tape, inputs, outputs, memory_after, keep):
    """Run the six networks over time. Twin: vrnn.engine.reference.unroll.

    Args:
        program: `Program`.
        weights: The packed weights.
        chunk: `Chunk`.
        tape: Flat; ((steps + 1) * batch, width) with `keep`, ((block + 1) * batch, width) without.
        inputs: `Inputs`.
        outputs: A flat array per entry of program.outputs, to be filled; the tuple may be longer.
        memory_after: The state after the last step, (total, state_dim), to be filled.
        keep: Whether all steps stay on the tape, for `run_backward`.
    """
    first, batch, total, steps, block = chunk
    before, step, after, results = program.before, program.step, program.after, program.outputs
    width, state = program.width, program.state
    ahead = batch * width
    load_state(inputs.memory, first, state, batch, tape, ZERO, width)
    end = 0
    for start in range(0, steps, block):
        here = start * batch if keep else 0
        if not keep and start:
            move_state(tape, end * width, ZERO, state, batch, width)
        taken = min(block, steps - start)
        end = here + taken * batch
        # A chunk that is the whole batch is contiguous in the inputs and outputs, too: one copy instead of one per step.
        runs, rows = (1, taken * batch) if batch == total else (taken, batch)
        for i in range(runs):
            row, outside = (here + i * batch) * width, (start + i) * total + first
            for slot, source in ((program.features, inputs.features), (program.noise, inputs.noise)):
                load(source, outside * slot.dim, slot.dim, rows, tape, row + slot.column, width)
        block_rows = Rows(here * width, taken * batch, width, ahead)
        forward(before, tape, weights, block_rows)
        for t in range(taken):
            forward(step, tape, weights, Rows((here + t * batch) * width, batch, width, ahead))
        forward(after, tape, weights, block_rows)
        for i in range(runs):
            row, outside = (here + i * batch) * width, (start + i) * total + first
            for j in range(len(results)):
                column, dim = results[j]
                store(tape, row + column, width, dim, rows, outputs[j], outside * dim)
    store_state(tape, end * width, state, batch, memory_after, first, width)


@entry
def run_backward(program, weights, chunk, tape, grads, d_outputs, d_inputs, d_weights):
    """Go back along the tape and compute all gradients. Twin: autograd through vrnn.engine.reference.unroll.

    Args:
        program: `Program`.
        weights: The packed weights.
        chunk: `Chunk`, as in `run_forward`.
        tape: As `run_forward` left it with `keep`.
        grads: Scratch memory for a block's gradients, flat ((block + 1) * batch, width). Its last `batch` rows carry the
            state's gradient from block to block.
        d_outputs: Gradients of the outputs; empty where there are none.
        d_inputs: `Inputs` to be filled; features and noise may be empty. memory holds the gradient of the last state at first.
        d_weights: Gradients of the packed weights, added to; matrices are not in panels.
    """
    first, batch, total, steps, block = chunk
    before, step, after, results = program.before, program.step, program.after, program.outputs
    width, state = program.width, program.state
    ahead = batch * width
    carried = block * batch * width
    panels = np.empty_like(grads)
    load_state(d_inputs.memory, first, state, batch, grads, carried, width)
    last = (steps + block - 1) // block * block - block
    for start in range(last, -1, -block):
        stop = min(start + block, steps)
        here, count = start * batch, (stop - start) * batch
        if stop - start < block:
            move_state(grads, carried, count * width, state, batch, width)
        grads[: count * width] = grads.dtype.type(0)
        runs, rows = (1, count) if batch == total else (stop - start, batch)
        for i in range(runs):
            row, outside = i * batch * width, (start + i) * total + first
            for j in range(len(results)):
                column, dim = results[j]
                if len(d_outputs[j]):
                    load(d_outputs[j], outside * dim, dim, rows, grads, row + column, width)
        block_rows, d_block_rows = Rows(here * width, count, width, ahead), Rows(ZERO, count, width, ahead)
        backward(after, tape, grads, weights, block_rows, d_block_rows)
        for t in range(stop - 1, start - 1, -1):
            step_rows = Rows(t * batch * width, batch, width, ahead)
            d_step_rows = Rows((t - start) * batch * width, batch, width, ahead)
            backward(step, tape, grads, weights, step_rows, d_step_rows)
        backward(before, tape, grads, weights, block_rows, d_block_rows)
        for part in (before, step, after):
            weight_gradients(part, tape, grads, d_weights, block_rows, d_block_rows, panels)
        for i in range(runs):
            row, outside = i * batch * width, (start + i) * total + first
            for slot, target in ((program.features, d_inputs.features), (program.noise, d_inputs.noise)):
                if len(target):
                    store(grads, row + slot.column, width, slot.dim, rows, target, outside * slot.dim)
        move_state(grads, ZERO, carried, state, batch, width)
    store_state(grads, carried, state, batch, d_inputs.memory, first, width)


@entry
def run_generate(program, weights, chunk, tape, noise, state, points, spec):
    """Draw points from the prior. Twin: vrnn.engine.reference.generate.

    Args:
        program: `Program`.
        weights: The packed weights.
        chunk: `Chunk`; its blocks are not used.
        tape: Flat (2 * batch, width).
        noise: `FlatNoise`.
        state: `FlatState`, replaced by the state after the last step.
        points: (steps, total, x_dim), to be filled.
        spec: `emission.EmissionSpec`.
    """
    first, batch, total, steps, _ = chunk
    generate_z, advance = program.generate_z, program.advance
    width, x_dim, z_noise = program.width, spec.x_dim, program.noise
    rows = Rows(ZERO, batch, width, batch * width)
    load_state(state.memory, first, program.state, batch, tape, ZERO, width)
    for t in range(steps):
        load(noise.z, (t * total + first) * z_noise.dim, z_noise.dim, batch, tape, z_noise.column, width)
        forward(generate_z, tape, weights, rows)
        for b in range(batch):
            row, trace = b * width, first + b
            here, there = trace * x_dim, (t * total + trace) * x_dim
            x, x_noise = points[there : there + x_dim], noise.x[there : there + x_dim]
            previous, previous2 = state.previous[here:], state.previous2[here:]
            uniform = noise.uniform[t * total + trace]
            sample_point(spec, tape, row + program.raw.column, x, previous, previous2, x_noise, uniform)
            write_features(spec, tape, row + program.features.column, x, previous)
            shift_history(x, previous, previous2, state.is_start[trace] and t == 0, x_dim)
        forward(advance, tape, weights, rows)
        move_state(tape, batch * width, ZERO, program.state, batch, width)
    store_state(tape, ZERO, program.state, batch, state.memory, first, width)


@entry
def pack(flat, moves, packed):
    """Add the flat weights to the packed ones: transposed for the forward pass, as they are for the backward pass.

    Args:
        flat: All weights one after another, as torch has them.
        moves: A row per `Move`.
        packed: Zeros, to be filled: matrices in panels (see `gemm`), padded.
    """
    lane = VECTOR_BYTES // packed.itemsize
    for i in range(len(moves)):
        place, row_length, start, depth, blocks, rows, padded, rotation, ahead, width, back, padded_depth = moves[i]
        for block in range(blocks):
            for r in range(rows):
                row = flat[place + ((block + rotation) % blocks * rows + r) * row_length + start :]
                out = block * padded + r
                c, size = panel_around(out, width, lane)
                for k in range(depth):
                    packed[ahead + c * depth + k * size + out - c] += row[k]
                c = 0
                while back >= 0 and c < padded_depth:
                    size = panel_width(c, padded_depth, lane)
                    for k in range(c, min(c + size, depth)):
                        packed[back + c * width + out * size + k - c] = row[k]
                    c += size


@entry
def unpack(d_packed, moves, d_flat):
    """Read the flat weights' gradients from those of the packed ones, whose matrices are not in panels.

    Args:
        d_packed: Gradients of the packed weights, as `run_backward` left them.
        moves: A row per `Move`.
        d_flat: To be filled.
    """
    for i in range(len(moves)):
        place, row_length, start, depth, blocks, rows, padded, rotation, ahead, width, _, _ = moves[i]
        for block in range(blocks):
            for r in range(rows):
                row = d_flat[place + ((block + rotation) % blocks * rows + r) * row_length + start :]
                out = block * padded + r
                for k in range(depth):
                    row[k] = d_packed[ahead + k * width + out]
