"""Inference along traces with missing points in compiled kernels: as `autograd.unroll`, points drawn on the way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import Tensor

from vrnn.engine.interface import Noise, Unrolled
from vrnn.engine.native import gaps
from vrnn.engine.native.autograd import (
    BLOCK_ROWS,
    as_unrolled,
    backward,
    check_input,
    check_shape,
    flatten,
    flatten_outputs,
    pack,
    prepare,
    side_by_side_on_tape,
)
from vrnn.engine.native.buffers import Scratch
from vrnn.engine.native.emission import EmissionSpec
from vrnn.engine.native.gaps import FillGradients, FillInputs, FillProgram
from vrnn.engine.native.inspect import WITH_ONE_SIGMA, emission_spec, inspect_model, require_supported
from vrnn.engine.native.kernels import Chunk, Flat
from vrnn.engine.native.layout import Layout, fill_layout
from vrnn.networks.six_networks import SixNetworks
from vrnn.networks.state import State
from vrnn.threads import map_in_threads, split_batch


def fill(
    networks: SixNetworks,
    x: Tensor,
    mask: Tensor,
    noise: Noise,
    state: State,
    context: Tensor | None = None,
    summary: Tensor | None = None,
) -> tuple[Unrolled, Tensor]:
    """Run the six networks along points of which some are missing. Twin: vrnn.engine.reference.fill.

    Args:
        networks: The six networks.
        x: (T, B, x_dim), finite everywhere.
        mask: (T, B), False where a point is missing.
        noise: For T generated steps.
        state: Before the first step.
        context: What all six networks see in addition, (T, B, c_dim); None without a condition.
        summary: What the encoder sees of the observed points, (T, B, posterior.dim); None with a filtering posterior.

    Returns:
        What `unroll` returns, and x with its missing points filled in.

    Raises:
        UnsupportedError: The kernels do not support one of the VRNN's parts, its likelihood or its coordinates.
        ValueError: An input has a wrong shape.
        RuntimeError: A weight has a shape that does not fit the others.
    """
    structure, weights = inspect_model(networks)
    spec = emission_spec(networks, sample=True)
    made = fill_layout(structure)
    flat = prepare(made, weights)
    program, (steps, batch), x_dim = made.program, mask.shape, networks.x_dim
    given = side_by_side_on_tape(structure, (steps, batch), noise.z, context, summary, flat)
    for name, part in (("x", x), ("noise.x", noise.x)):
        check_input(name, part, (steps, batch, x_dim), flat)
    check_input("noise.uniform", noise.uniform, (steps, batch), flat)
    check_input("state.memory", state.memory, (batch, program.state.parts * program.state.dim), flat)
    for name, part in (("state.previous", state.previous), ("state.previous2", state.previous2)):
        check_input(name, part, (batch, x_dim), flat)
    check_shape("state.is_start", state.is_start, (batch,))
    soft = structure.latent.draw == "gumbel_softmax"
    require_supported(not (soft and noise.z.requires_grad), "the kernels have no gradient for Gumbel noise")
    last = [part.detach().clone() for part in (state.previous, state.previous2)]  # the kernel moves on in them
    sigma = (
        cast(Any, networks.likelihood).sigma() if isinstance(networks.likelihood, WITH_ONE_SIGMA) else flat.new_empty(0)
    )
    drawn = FillInputs(
        x=flatten(x)[0],
        observed=flatten(mask)[0],
        noise=flatten(given)[0],
        x_noise=flatten(noise.x)[0],
        uniform=flatten(noise.uniform)[0],
        memory=flatten(state.memory)[0],
        previous=flatten(last[0])[0],
        previous2=flatten(last[1])[0],
        is_start=flatten(state.is_start)[0],
    )
    tensors = x, given, state.memory, state.previous, state.previous2, sigma, flat
    *results, filled, after = _Fill.apply(made, torch.is_grad_enabled(), drawn, spec, *tensors)
    return as_unrolled(networks.latent, structure, *results, after), filled


class _Fill(torch.autograd.Function):
    """(x, noise, state but for is_start, sigma, flat weights) -> (h, raw, z, parts of q and learned p, filled x, memory)."""

    @staticmethod
    def forward(
        ctx: Any, made: Layout[FillProgram], keep: bool, drawn: FillInputs, spec: EmissionSpec, *tensors: Tensor
    ) -> tuple[Tensor, ...]:
        x, _, memory, *_, weights = tensors
        program, (steps, batch) = made.program, x.shape[:2]
        outputs = [x.new_empty(steps, batch, dim) for _, dim in program.outputs.tolist()]
        filled, after = x.new_empty(x.shape), memory.new_empty(memory.shape)
        flat_outputs, (flat_filled, flat_after) = flatten_outputs(outputs), flatten(filled, after)
        packed = pack(made, weights)
        spec = spec.in_precision(packed.dtype)

        def run(work: tuple[Chunk, Scratch]) -> None:
            chunk, tape = work
            gaps.run_fill(program, packed, chunk, tape.array, drawn, flat_outputs, flat_filled, flat_after, spec, keep)

        works = []
        for first, size in split_batch(batch):
            block = max(1, BLOCK_ROWS // max(1, size))
            rows = ((steps if keep else 1) + 1) * size
            works.append((Chunk(first, size, batch, steps, block), Scratch(rows * program.width, packed.dtype)))
        map_in_threads(run, works)
        ctx.layout, ctx.packed, ctx.works, ctx.inputs, ctx.drawn, ctx.spec = (
            made,
            packed,
            works,
            tensors[:3],
            drawn,
            spec,
        )
        ctx.last = tensors[3:5]
        ctx.set_materialize_grads(False)
        return *outputs, filled, after

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *d_results: Tensor | None) -> tuple[Tensor | None, ...]:
        made, packed = ctx.layout, ctx.packed
        *d_parts, d_filled, d_after = d_results
        flat_d_filled = packed[:0] if d_filled is None else flatten(d_filled)[0]
        d_last = [torch.zeros_like(part) for part in ctx.last]

        def run(
            work: tuple[Chunk, Scratch], d_outputs: Sequence[Flat], d_inputs: Sequence[Flat], d_packed: Flat
        ) -> None:
            chunk, tape = work
            grads = Scratch((chunk.block + 1) * chunk.batch * made.program.width, packed.dtype)
            gaps.run_fill_backward(
                made.program,
                packed,
                chunk,
                tape.array,
                grads.array,
                ctx.drawn,
                d_outputs,
                flat_d_filled,
                FillGradients(*d_inputs, *flatten(*d_last)),
                d_packed,
                ctx.spec,
            )

        needed = (True, ctx.needs_input_grad[5])  # that of x is where gradients of drawn points meet
        d_x, d_noise, d_memory, d_weights = backward(ctx, needed, (*d_parts, d_after), run)
        assert d_x is not None
        missing = torch.from_numpy(~ctx.drawn.observed).view(*d_x.shape[:2], 1)
        noise = torch.from_numpy(ctx.drawn.x_noise).view_as(d_x)
        # A drawn point is its mean + sigma * noise.
        d_sigma = (d_x * noise * missing).sum() if ctx.needs_input_grad[9] else None
        return None, None, None, None, d_x * ~missing, d_noise, d_memory, *d_last, d_sigma, d_weights
