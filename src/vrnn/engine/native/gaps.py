"""The kernels of inference along traces with missing points, which are drawn on the way: as `kernels.run_forward` and back.

At a missing point z comes from the prior and x from the decoder, so that a step has three parts: what leads to the posterior,
from z to the decoder, and, when the point is known, the recurrence. phi_x is computed twice, since the encoder sees no point
where the recurrence sees a drawn one. A drawn point passes gradients on to the decoder that it was drawn from.
"""

# mypy: allow-untyped-defs, no-check-untyped-defs
from __future__ import annotations

from typing import NamedTuple

import numpy as np

from vrnn.engine.native.density import DistributionSlots
from vrnn.engine.native.emission import (
    NOTHING,
    VELOCITY,
    sample_point,
    sample_point_backward,
    shift_history,
    write_features,
)
from vrnn.engine.native.gemm import VECTOR_BYTES
from vrnn.engine.native.instructions import Table
from vrnn.engine.native.jit import ZERO, entry, inner
from vrnn.engine.native.kernels import Flat
from vrnn.engine.native.program import backward, forward, weight_gradients
from vrnn.engine.native.tape import Rows, Slot, StateSlot, add, copy, load, load_state, move_state, store, store_state


class FillProgram(NamedTuple):
    """The instructions of a step, and where on the tape the inputs, the state and the results are.

    Attributes:
        see: Prior, phi_x of what is observed, encoder.
        draw: z, phi_z, decoder.
        advance: phi_x of the point, observed or drawn, and the recurrence.
        width: Numbers per row of the tape.
        seen: Input of the first phi_x.
        features: Input of the second phi_x.
        noise: The latent's noise and, with a condition, the context.
        raw: The decoder's raw outputs.
        q: The posterior of z.
        p: Its prior.
        state: The recurrence's state.
        outputs: As in `kernels.Program`.
    """

    see: Table
    draw: Table
    advance: Table
    width: int
    seen: Slot
    features: Slot
    noise: Slot
    raw: Slot
    q: DistributionSlots
    p: DistributionSlots
    state: StateSlot
    outputs: Table


class FillInputs(NamedTuple):
    """Flat inputs.

    Attributes:
        x: The points, 0 where they are missing, (steps, total, x_dim).
        observed: (steps, total).
        noise: The latent's, (steps, total, …).
        x_noise: Standard normal, (steps, total, x_dim).
        uniform: Uniform in [0, 1), (steps, total).
        memory: The recurrence's state, (total, state_dim).
        previous: x_{t-1} before the first step, (total, x_dim); replaced by that before the step after the last.
        previous2: x_{t-2}, likewise.
        is_start: (total,).
    """

    x: Flat
    observed: Flat
    noise: Flat
    x_noise: Flat
    uniform: Flat
    memory: Flat
    previous: Flat
    previous2: Flat
    is_start: Flat


class FillGradients(NamedTuple):
    """Flat gradients.

    Attributes:
        x: Of the points, observed or drawn, (steps, total, x_dim).
        noise: (steps, total, …), or empty.
        memory: (total, state_dim).
        previous: (total, x_dim), zeros at first, likewise `previous2`.
        previous2: See above.
    """

    x: Flat
    noise: Flat
    memory: Flat
    previous: Flat
    previous2: Flat


@entry
def run_fill(program, weights, chunk, tape, inputs, outputs, filled, memory_after, spec, keep):
    """Run the six networks along points of which some are missing. Twin: vrnn.engine.reference.fill.

    Args:
        program: `FillProgram`.
        weights: The packed weights.
        chunk: `kernels.Chunk`.
        tape: Flat; ((steps + 1) * batch, width) with `keep`, (2 * batch, width) without.
        inputs: `FillInputs`.
        outputs: As in `kernels.run_forward`.
        filled: The points, observed or drawn, (steps, total, x_dim), to be filled.
        memory_after: The state after the last step, (total, state_dim), to be filled.
        spec: `emission.EmissionSpec`.
        keep: Whether all steps stay on the tape, for `run_fill_backward`.
    """
    first, batch, total, steps, _ = chunk
    width, state, noise, x_dim = program.width, program.state, program.noise, spec.x_dim
    ahead, here = batch * width, ZERO
    load_state(inputs.memory, first, state, batch, tape, here, width)
    for t in range(steps):
        rows, outside = Rows(here, batch, width, ahead), t * total + first
        load(inputs.noise, outside * noise.dim, noise.dim, batch, tape, here + noise.column, width)
        for b in range(batch):
            there, trace = (outside + b) * x_dim, (first + b) * x_dim
            x, previous = inputs.x[there : there + x_dim], inputs.previous[trace:]
            write_padded_features(spec, program.seen, tape, here + b * width, x, previous)
        forward(program.see, tape, weights, rows)
        for b in range(batch):
            if not inputs.observed[outside + b]:
                take_prior(program, tape, here + b * width)
        forward(program.draw, tape, weights, rows)
        for b in range(batch):
            row, there, trace = here + b * width, (outside + b) * x_dim, (first + b) * x_dim
            x, previous, previous2 = filled[there : there + x_dim], inputs.previous[trace:], inputs.previous2[trace:]
            if inputs.observed[outside + b]:
                copy(x, np.uintp(0), inputs.x, np.uintp(there), np.uintp(x_dim))
            else:
                x_noise, uniform = inputs.x_noise[there : there + x_dim], inputs.uniform[outside + b]
                sample_point(spec, tape, row + program.raw.column, x, previous, previous2, x_noise, uniform)
            write_padded_features(spec, program.features, tape, row, x, previous)
            shift_history(x, previous, previous2, inputs.is_start[first + b] and t == 0, x_dim)
        forward(program.advance, tape, weights, rows)
        for j in range(len(program.outputs)):
            column, dim = program.outputs[j]
            store(tape, here + column, width, dim, batch, outputs[j], outside * dim)
        if keep:
            here += ahead
        else:
            move_state(tape, ahead, ZERO, state, batch, width)
    store_state(tape, here, state, batch, memory_after, first, width)


@entry
def run_fill_backward(program, weights, chunk, tape, grads, inputs, d_outputs, d_filled, d_inputs, d_weights, spec):
    """Go back along the tape and compute all gradients. Twin: autograd through vrnn.engine.reference.fill.

    Args:
        program: `FillProgram`.
        weights: The packed weights.
        chunk: `kernels.Chunk`, as in `run_fill`.
        tape: As `run_fill` left it with `keep`.
        grads: Scratch memory for a block's gradients, flat ((block + 1) * batch, width). Its last `batch` rows carry the
            state's gradient from block to block.
        inputs: `FillInputs`; points and states are not read.
        d_outputs: Gradients of the outputs; empty where there are none.
        d_filled: That of the points, observed or drawn; empty where there is none.
        d_inputs: `FillGradients` to be filled; memory holds the gradient of the last state at first.
        d_weights: Gradients of the packed weights, added to; matrices are not in panels.
        spec: `emission.EmissionSpec`.
    """
    first, batch, total, steps, block = chunk
    width, state = program.width, program.state
    ahead, carried = batch * width, block * batch * width
    panels = np.empty_like(grads)
    begin_gradient(d_inputs.x, d_filled, chunk, spec.x_dim)
    load_state(d_inputs.memory, first, state, batch, grads, carried, width)
    for start in range((steps + block - 1) // block * block - block, -1, -block):
        count = min(start + block, steps) - start
        if count < block:
            move_state(grads, carried, count * ahead, state, batch, width)
        grads[: count * ahead] = grads.dtype.type(0)
        for i in range(count):
            for j in range(len(program.outputs)):
                column, dim = program.outputs[j]
                if len(d_outputs[j]):
                    outside = ((start + i) * total + first) * dim
                    load(d_outputs[j], outside, dim, batch, grads, i * ahead + column, width)
        for i in range(count - 1, -1, -1):
            step_backward(program, weights, chunk, tape, grads, inputs, d_inputs, spec, start + i, i * ahead)
        block_rows, d_block_rows = (
            Rows(start * ahead, count * batch, width, ahead),
            Rows(ZERO, count * batch, width, ahead),
        )
        for part in (program.see, program.draw, program.advance):
            weight_gradients(part, tape, grads, d_weights, block_rows, d_block_rows, panels)
        move_state(grads, ZERO, carried, state, batch, width)
    store_state(grads, carried, state, batch, d_inputs.memory, first, width)


@inner
def step_backward(program, weights, chunk, tape, grads, inputs, d_inputs, spec, t, d_here):
    """Go back along one step, whose gradients begin at d_here."""
    first, batch, total, _, _ = chunk
    width, noise = program.width, program.noise
    here, outside = t * batch * width, t * total + first
    rows, d_rows = Rows(here, batch, width, batch * width), Rows(d_here, batch, width, batch * width)
    backward(program.advance, tape, grads, weights, rows, d_rows)
    for b in range(batch):
        row, d_row = here + b * width, d_here + b * width
        features_backward(spec, grads, d_row + program.features.column, d_inputs, chunk, t, b)
        if not inputs.observed[outside + b]:
            raw, d_raw = row + program.raw.column, d_row + program.raw.column
            draw_backward(spec, tape, raw, grads, d_raw, d_inputs, inputs, chunk, t, b)
    backward(program.draw, tape, grads, weights, rows, d_rows)
    for b in range(batch):
        if not inputs.observed[outside + b]:
            take_prior_backward(program, grads, d_here + b * width)
    backward(program.see, tape, grads, weights, rows, d_rows)
    for b in range(batch):
        features_backward(spec, grads, d_here + b * width + program.seen.column, d_inputs, chunk, t, b)
    if len(d_inputs.noise):
        store(grads, d_here + noise.column, width, noise.dim, batch, d_inputs.noise, outside * noise.dim)


@inner
def begin_gradient(d_x, d_filled, chunk, x_dim):
    """Begin with the gradient of the points from outside, or with 0, for the traces of the chunk."""
    for t in range(chunk.steps):
        here = (t * chunk.total + chunk.first) * x_dim
        if len(d_filled):
            copy(d_x, np.uintp(here), d_filled, np.uintp(here), np.uintp(chunk.batch * x_dim))
        else:
            d_x[here : here + chunk.batch * x_dim] = d_x.dtype.type(0)


@inner
def write_padded_features(spec, slot, tape, row, x, previous):
    """Write what the networks see of a point, and zeros into the padding of the slot."""
    column = row + slot.column
    write_features(spec, tape, column, x, previous)
    lane = VECTOR_BYTES // tape.itemsize
    for j in range(slot.dim, (slot.dim + lane - 1) // lane * lane):
        tape[column + j] = tape.dtype.type(0)


@inner
def take_prior(program, tape, row):
    """Make the prior the posterior of one row."""
    for i in range(len(program.q)):
        q, p = program.q[i], program.p[i]
        copy(tape, np.uintp(row + q.column), tape, np.uintp(row + p.column), np.uintp(q.dim))


@inner
def take_prior_backward(program, grads, d_row):
    """Move the posterior's gradient to the prior's. Backward of `take_prior`."""
    for i in range(len(program.q)):
        q, p = program.q[i], program.p[i]
        add(grads, np.uintp(d_row + p.column), grads, np.uintp(d_row + q.column), np.uintp(q.dim))
        for j in range(q.dim):
            grads[d_row + q.column + j] = grads.dtype.type(0)


@inner
def features_backward(spec, grads, d_features, d_inputs, chunk, t, b):
    """Add to the gradients of x_t and x_{t-1} what comes from those of the features. Backward of `write_features`."""
    trace = (chunk.first + b) * spec.x_dim
    before = chunk.total * spec.x_dim
    here = t * before + trace
    for i in range(spec.x_dim):
        d_inputs.x[here + i] += grads[d_features + i]
        if spec.differences:
            d_difference = spec.difference_gain * grads[d_features + spec.x_dim + i]
            d_inputs.x[here + i] += d_difference
            if t > 0:
                d_inputs.x[here - before + i] -= d_difference
            else:
                d_inputs.previous[trace + i] -= d_difference


@inner
def draw_backward(spec, tape, raw, grads, d_raw, d_inputs, inputs, chunk, t, b):
    """Pass the gradient of a drawn point on to the raw outputs and to the points that its mean is relative to."""
    before = chunk.total * spec.x_dim
    here = t * before + (chunk.first + b) * spec.x_dim
    d, noise = d_inputs.x[here : here + spec.x_dim], inputs.x_noise[here : here + spec.x_dim]
    sample_point_backward(spec, tape, raw, grads, d_raw, d, noise, inputs.uniform[t * chunk.total + chunk.first + b])
    if spec.offset == NOTHING:
        return
    # After x_0 the pen is at rest: x_0 stands for the point before it, too.
    rests = t == 1 and inputs.is_start[chunk.first + b]
    d_previous, d_previous2 = last_points(d_inputs, chunk, spec.x_dim, t, b, rests)
    for i in range(spec.binary, spec.x_dim):
        d_previous[i] += d[i]
        if spec.offset == VELOCITY:
            d_previous[i] += d[i]
            d_previous2[i] -= d[i]


@inner
def last_points(d_inputs, chunk, x_dim, t, b, rests):
    """Return where the gradients of x_{t-1} and of x_{t-2} are, or, at rest, of x_{t-1} twice."""
    trace = (chunk.first + b) * x_dim
    before = chunk.total * x_dim
    here = t * before + trace
    previous = d_inputs.x[here - before :] if t > 0 else d_inputs.previous[trace:]
    if rests:
        return previous, previous
    if t > 1:
        return previous, d_inputs.x[here - before - before :]
    return previous, d_inputs.previous[trace:] if t == 1 else d_inputs.previous2[trace:]
