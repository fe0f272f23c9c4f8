"""The kernels of a particle filter: as `kernels.run_forward` and `run_backward`, with particles resampled after every step.

The K particles of a trace are K rows of the tape. A step's rows are those of each trace's first particle, then the second, …
What depends on observed points alone is the same for all particles of a trace: it is computed in the first one's row, and
copied. The cell writes the state into columns of its own row; resampling copies it from there to the next step's rows.
"""

# mypy: allow-untyped-defs, no-check-untyped-defs
from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from vrnn.engine.native.density import DistributionSlots, log_point, log_ratio
from vrnn.engine.native.instructions import Table
from vrnn.engine.native.jit import ZERO, entry, inner
from vrnn.engine.native.kernels import Flat
from vrnn.engine.native.program import backward, forward, weight_gradients
from vrnn.engine.native.tape import Rows, Slot, StateSlot, add, copy, load, load_state, move_state, store, store_state


class FilterProgram(NamedTuple):
    """The instructions of a filtered step, and where on the tape the inputs, the state and the results are.

    Attributes:
        shared: Instructions that depend on no particle.
        step: All others.
        copied: (column, width) of what `shared` leaves for `step`.
        width: Numbers per row of the tape.
        features: Input of phi_x.
        noise: The latent's noise and, with a condition, the context.
        raw: The decoder's raw outputs.
        z: The latent variable.
        q: Its posterior.
        p: Its prior.
        state: The recurrence's state.
        after: The state after the step, before resampling; of the parts of `state`.
        outputs: As in `kernels.Program`.
    """

    shared: Table
    step: Table
    copied: Table
    width: int
    features: Slot
    noise: Slot
    raw: Slot
    z: Slot
    q: DistributionSlots
    p: DistributionSlots
    state: StateSlot
    after: StateSlot
    outputs: Table


class FilterChunk(NamedTuple):
    """What one call works on: `particles` particles of the traces first, …, first + batch - 1 of `total`.

    Attributes:
        first: See above.
        batch: See above.
        total: See above.
        steps: Of each trace.
        particles: K.
        block: Steps whose weights' gradients are computed at once.
    """

    first: int
    batch: int
    total: int
    steps: int
    particles: int
    block: int


class FilterInputs(NamedTuple):
    """Flat inputs, or their gradients: features (steps, total, …), noise (steps, K * total, …), memory (K * total, …)."""

    features: Flat
    noise: Flat
    memory: Flat


class Weighed(NamedTuple):
    """By what particles are weighed and resampled, and what came of it; flat.

    Attributes:
        x: (steps, total, x_dim).
        offset: What the decoder's means are relative to, (steps, total, x_dim).
        observed: (steps, total).
        uniform: One number of [0, 1) per resampling, (steps, total).
        log_weights: To be filled: before resampling, (steps, K, total).
        ancestors: To be filled: which particle each one continues, (steps, K, total).
        due: To be filled: where particles were resampled, (steps, total).
        w: Weight of log p(z) - log q(z).
        least_size: Particles are resampled where their effective size is at most this.
    """

    x: Flat
    offset: Flat
    observed: Flat
    uniform: Flat
    log_weights: Flat
    ancestors: Flat
    due: Flat
    w: float
    least_size: float


@entry
def run_filter(program, weights, chunk, tape, inputs, outputs, memory_after, weighed, spec, keep):
    """Run K particles of each trace over time. Twin: vrnn.engine.reference.filter_particles.

    Args:
        program: `FilterProgram`.
        weights: The packed weights.
        chunk: `FilterChunk`.
        tape: Flat; ((steps + 1) * K * batch, width) with `keep`, (2 * K * batch, width) without.
        inputs: `FilterInputs`.
        outputs: As in `kernels.run_forward`, (steps, K * total, …) each.
        memory_after: The state after the last resampling, (K * total, state_dim), to be filled.
        weighed: `Weighed`.
        spec: `emission.EmissionSpec`.
        keep: Whether all steps stay on the tape, for `run_filter_backward`.
    """
    first, batch, total, steps, particles, _ = chunk
    width, state = program.width, program.state
    rows, ahead = particles * batch, program.after.column - program.state.column
    for k in range(particles):
        load_state(inputs.memory, k * total + first, state, batch, tape, k * batch * width, width)
    carried, terms = np.zeros(rows), np.empty(max(spec.x_dim, program.z.dim), tape.dtype)
    here = ZERO
    for t in range(steps):
        load_step(program.features, inputs.features, t * total + first, batch, tape, here, width)
        for k in range(particles):
            outside, there = (t * particles + k) * total + first, here + k * batch * width
            load_step(program.noise, inputs.noise, outside, batch, tape, there, width)
        forward(program.shared, tape, weights, Rows(here, batch, width, ahead))
        spread(program.copied, tape, here, particles, batch, width)
        forward(program.step, tape, weights, Rows(here, rows, width, ahead))
        for k in range(particles):
            outside, there = (t * particles + k) * total + first, here + k * batch * width
            for j in range(len(program.outputs)):
                column, dim = program.outputs[j]
                store(tape, there + column, width, dim, batch, outputs[j], outside * dim)
        following = here + rows * width
        for b in range(batch):
            add_increments(program, spec, chunk, weighed, tape, here, t, b, carried, terms)
            resample(chunk, weighed, t, b, carried)
            for k in range(particles):
                parent = weighed.ancestors[(t * particles + k) * total + first + b]
                source = here + (parent * batch + b) * width + program.after.column
                target = following + (k * batch + b) * width + state.column
                copy(tape, np.uintp(target), tape, np.uintp(source), np.uintp(state.parts * state.padded))
        if keep:
            here = following
        else:
            move_state(tape, following, here, state, rows, width)
    for k in range(particles):
        store_state(tape, here + k * batch * width, state, batch, memory_after, k * total + first, width)


@entry
def run_filter_backward(program, weights, chunk, tape, grads, d_outputs, d_inputs, d_weights, ancestors):
    """Go back along the tape and compute all gradients; ancestors carry none. Twin: autograd through the reference.

    Args:
        program: `FilterProgram`.
        weights: The packed weights.
        chunk: `FilterChunk`, as in `run_filter`.
        tape: As `run_filter` left it with `keep`.
        grads: Scratch memory for a block's gradients, flat ((block + 1) * K * batch, width). Its last rows carry the state's
            gradient from block to block.
        d_outputs: Gradients of the outputs; empty where there are none.
        d_inputs: `FilterInputs` to be filled; features and noise may be empty. memory holds the last state's gradient at first.
        d_weights: Gradients of the packed weights, added to; matrices are not in panels.
        ancestors: As in `Weighed`.
    """
    first, batch, total, steps, particles, block = chunk
    width, state = program.width, program.state
    rows, ahead = particles * batch, program.after.column - program.state.column
    size = rows * width
    carried = block * size
    panels = np.empty_like(grads)
    for k in range(particles):
        load_state(d_inputs.memory, k * total + first, state, batch, grads, carried + k * batch * width, width)
    for start in range((steps + block - 1) // block * block - block, -1, -block):
        stop = min(start + block, steps)
        count = stop - start
        if count < block:
            move_state(grads, carried, count * size, state, rows, width)
        grads[: count * size] = grads.dtype.type(0)
        for i in range(count * particles):
            row, outside = i * batch * width, (start * particles + i) * total + first
            for j in range(len(program.outputs)):
                column, dim = program.outputs[j]
                if len(d_outputs[j]):
                    load(d_outputs[j], outside * dim, dim, batch, grads, row + column, width)
        for t in range(stop - 1, start - 1, -1):
            d_here = (t - start) * size
            collect(program, chunk, ancestors, grads, d_here, t)
            backward(
                program.step,
                tape,
                grads,
                weights,
                Rows(t * size, rows, width, ahead),
                Rows(d_here, rows, width, ahead),
            )
        block_rows, d_block_rows = (
            Rows(start * size, count * rows, width, ahead),
            Rows(ZERO, count * rows, width, ahead),
        )
        weight_gradients(program.step, tape, grads, d_weights, block_rows, d_block_rows, panels)
        for t in range(start, stop):
            d_here = (t - start) * size
            gather(program.copied, grads, d_here, particles, batch, width)
            shared_rows, d_shared_rows = Rows(t * size, batch, width, ahead), Rows(d_here, batch, width, ahead)
            backward(program.shared, tape, grads, weights, shared_rows, d_shared_rows)
            weight_gradients(program.shared, tape, grads, d_weights, shared_rows, d_shared_rows, panels)
            if len(d_inputs.features):
                dim = program.features.dim
                target = (t * total + first) * dim
                store(grads, d_here + program.features.column, width, dim, batch, d_inputs.features, target)
            for k in range(particles):
                if len(d_inputs.noise):
                    dim, outside = program.noise.dim, (t * particles + k) * total + first
                    there = d_here + k * batch * width + program.noise.column
                    store(grads, there, width, dim, batch, d_inputs.noise, outside * dim)
        move_state(grads, ZERO, carried, state, rows, width)
    for k in range(particles):
        store_state(grads, carried + k * batch * width, state, batch, d_inputs.memory, k * total + first, width)


@inner
def load_step(slot, source, outside, batch, tape, here, width):
    """Copy a step's inputs, from row `outside` of the flat source on, to the rows that begin at `here`."""
    load(source, outside * slot.dim, slot.dim, batch, tape, here + slot.column, width)


@inner
def spread(copied, tape, here, particles, batch, width):
    """Copy columns from each trace's first particle to its others."""
    for i in range(len(copied)):
        column, n = copied[i]
        for r in range(batch, particles * batch):
            source = here + r % batch * width + column
            copy(tape, np.uintp(here + r * width + column), tape, np.uintp(source), np.uintp(n))


@inner
def gather(copied, grads, here, particles, batch, width):
    """Add the gradients of columns of each trace's other particles to those of its first. Backward of `spread`."""
    for i in range(len(copied)):
        column, n = copied[i]
        for r in range(batch, particles * batch):
            target = here + r % batch * width + column
            add(grads, np.uintp(target), grads, np.uintp(here + r * width + column), np.uintp(n))


@inner
def collect(program, chunk, ancestors, grads, here, t):
    """Add the gradients of the next step's states to those of the states that they were copied from."""
    first, batch, total, _, particles, _ = chunk
    width, state = program.width, program.state
    following = here + particles * batch * width
    for k in range(particles):
        for b in range(batch):
            parent = ancestors[(t * particles + k) * total + first + b]
            target = here + (parent * batch + b) * width + program.after.column
            source = following + (k * batch + b) * width + state.column
            add(grads, np.uintp(target), grads, np.uintp(source), np.uintp(state.parts * state.padded))


@inner
def add_increments(program, spec, chunk, weighed, tape, here, t, b, carried, terms):
    """Add a step's increments to the log weights of trace b of the chunk. Twin: vrnn.objective.bounds.increments."""
    first, batch, total, _, particles, _ = chunk
    place = t * total + first + b
    begin = place * spec.x_dim
    x, offset = weighed.x[begin : begin + spec.x_dim], weighed.offset[begin : begin + spec.x_dim]
    for k in range(particles):
        r = k * batch + b
        if weighed.observed[place]:
            row = here + r * program.width
            ratio = log_ratio(program.q, program.p, program.z, tape, row, terms)
            carried[r] += log_point(spec, tape, row + program.raw.column, x, offset, terms) + weighed.w * ratio
        weighed.log_weights[(t * particles + k) * total + first + b] = carried[r]


@inner
def resample(chunk, weighed, t, b, carried):
    """Choose each particle's ancestor. Twin: vrnn.objective.bounds.Resampling.

    Particles are resampled at the last step, too. The log weights of those that are become 0.
    """
    first, batch, total, steps, particles, _ = chunk
    highest = carried[b]
    for k in range(1, particles):
        highest = max(highest, carried[k * batch + b])
    linear, square = 0.0, 0.0
    for k in range(particles):
        weight = math.exp(carried[k * batch + b] - highest)
        linear += weight
        square += weight * weight
    place = t * total + first + b
    due = linear * linear / square <= weighed.least_size or t == steps - 1
    weighed.due[place] = due
    parent, end = 0, math.exp(carried[b] - highest) / linear
    for k in range(particles):
        if due:
            point = (k + weighed.uniform[place]) / particles
            while end <= point and parent < particles - 1:
                parent += 1
                end += math.exp(carried[parent * batch + b] - highest) / linear
        weighed.ancestors[(t * particles + k) * total + first + b] = parent if due else k
    if due:
        for k in range(particles):
            carried[k * batch + b] = 0.0
