"""A particle filter in compiled kernels: as `autograd.unroll`, with particles resampled after every step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from vrnn.engine.interface import Filtered, Weighing
from vrnn.engine.native import particles
from vrnn.engine.native.autograd import (
    BLOCK_ROWS,
    as_unrolled,
    backward,
    check_input,
    flatten,
    flatten_outputs,
    pack,
    prepare,
    side_by_side_on_tape,
)
from vrnn.engine.native.buffers import Scratch
from vrnn.engine.native.emission import EmissionSpec
from vrnn.engine.native.inspect import emission_spec, inspect_model, require_supported
from vrnn.engine.native.kernels import Flat
from vrnn.engine.native.layout import Layout, filter_layout
from vrnn.engine.native.particles import FilterChunk, FilterInputs, FilterProgram, Weighed
from vrnn.networks.six_networks import SixNetworks
from vrnn.threads import map_in_threads, split_batch


def filter_particles(
    networks: SixNetworks,
    features: Tensor,
    noise: Tensor,
    memory: Tensor,
    weighing: Weighing,
    context: Tensor | None = None,
    summary: Tensor | None = None,
) -> Filtered:
    """Run K particles of each trace, resampled on the way. Twin: vrnn.engine.reference.filter_particles.

    Args:
        networks: The six networks.
        features: Input of phi_x, (T, B, n_features).
        noise: The latent's noise, (T, K * B, n_noise).
        memory: The recurrence's state before the first step, (K * B, state_dim).
        weighing: By what particles are weighed.
        context: The same for all particles, (T, B, c_dim).
        summary: Likewise, (T, B, posterior.dim).

    Raises:
        UnsupportedError: The kernels do not support one of the VRNN's parts, its likelihood or its coordinates.
        ValueError: An input has a wrong shape.
        RuntimeError: A weight has a shape that does not fit the others.
    """
    structure, weights = inspect_model(networks)
    spec = emission_spec(networks, sample=True)
    made = filter_layout(structure)
    flat = prepare(made, weights)
    program, (steps, batch), K = made.program, features.shape[:2], weighing.particles
    check_input("features", features, (steps, batch, program.features.dim), flat)
    contexts, summaries = (None if part is None else part.repeat(1, K, 1) for part in (context, summary))
    given = side_by_side_on_tape(structure, (steps, K * batch), noise, contexts, summaries, flat)
    check_input("memory", memory, (K * batch, program.state.parts * program.state.dim), flat)
    for name, part in (("x", weighing.x), ("offset", weighing.offset)):
        check_input(name, part, (steps, batch, networks.x_dim), flat)
    require_supported(structure.latent.draw != "gumbel_softmax", "particles need draws of z that are not soft")
    log_weights = torch.empty(steps, K, batch, dtype=torch.float64)
    ancestors, due = torch.empty(steps, K, batch, dtype=torch.int64), torch.empty(steps, batch, dtype=torch.bool)
    observed = torch.ones_like(due) if weighing.mask is None else weighing.mask
    weighed = Weighed(
        x=flatten(weighing.x)[0],
        offset=flatten(weighing.offset)[0],
        observed=flatten(observed)[0],
        uniform=flatten(weighing.uniform)[0],
        log_weights=flatten(log_weights)[0],
        ancestors=flatten(ancestors)[0],
        due=flatten(due)[0],
        w=flatten(flat)[0].dtype.type(weighing.w),
        least_size=weighing.resample_below * K,
    )
    results = _Filter.apply(made, torch.is_grad_enabled(), weighed, spec, K, features, given, memory, flat)
    return Filtered(as_unrolled(networks.latent, structure, *results), log_weights, ancestors, due)


class _Filter(torch.autograd.Function):
    """(features, noise, memory, flat weights) -> (h, raw, z, parts of q, parts of p if it is learned, memory)."""

    @staticmethod
    def forward(
        ctx: Any,
        made: Layout[FilterProgram],
        keep: bool,
        weighed: Weighed,
        spec: EmissionSpec,
        K: int,
        *tensors: Tensor,
    ) -> tuple[Tensor, ...]:
        features, noise, memory, weights = tensors
        program, (steps, batch) = made.program, features.shape[:2]
        outputs = [features.new_empty(steps, K * batch, dim) for _, dim in program.outputs.tolist()]
        after = features.new_empty(memory.shape)
        inputs, flat_outputs = FilterInputs(*flatten(features, noise, memory)), flatten_outputs(outputs)
        packed, flat_after = pack(made, weights), flatten(after)[0]
        spec = spec.in_precision(packed.dtype)

        def run(work: tuple[FilterChunk, Scratch]) -> None:
            chunk, tape = work
            particles.run_filter(
                program, packed, chunk, tape.array, inputs, flat_outputs, flat_after, weighed, spec, keep
            )

        works = []
        for first, size in split_batch(batch):
            block = max(1, BLOCK_ROWS // max(1, K * size))
            rows = ((steps if keep else 1) + 1) * K * size
            chunk = FilterChunk(first, size, batch, steps, K, block)
            works.append((chunk, Scratch(rows * program.width, packed.dtype)))
        map_in_threads(run, works)
        ctx.layout, ctx.packed, ctx.works, ctx.inputs, ctx.weighed = made, packed, works, tensors[:3], weighed
        ctx.set_materialize_grads(False)
        return *outputs, after

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *d_results: Tensor | None) -> tuple[Tensor | None, ...]:
        made, packed = ctx.layout, ctx.packed

        def run(
            work: tuple[FilterChunk, Scratch], d_outputs: Sequence[Flat], d_inputs: Sequence[Flat], d_packed: Flat
        ) -> None:
            chunk, tape = work
            grads = Scratch((chunk.block + 1) * chunk.particles * chunk.batch * made.program.width, packed.dtype)
            particles.run_filter_backward(
                made.program,
                packed,
                chunk,
                tape.array,
                grads.array,
                d_outputs,
                FilterInputs(*d_inputs),
                d_packed,
                ctx.weighed.ancestors,
            )

        return None, None, None, None, None, *backward(ctx, ctx.needs_input_grad[5:7], d_results, run)
