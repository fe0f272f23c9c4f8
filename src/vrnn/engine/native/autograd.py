"""The native engine: the whole loop over time in compiled kernels, forward and backward.

The results equal those of `vrnn.engine.reference` up to rounding. All six networks over a window are one
torch.autograd.Function; torch itself computes the likelihood and the KL. `threads.set_threads` divides the batch among threads.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from vrnn.engine.interface import Noise, Sampling, Unrolled
from vrnn.engine.native import kernels
from vrnn.engine.native.buffers import Scratch
from vrnn.engine.native.inspect import emission_spec, inspect_model, require_supported
from vrnn.engine.native.kernels import Chunk, Flat, FlatNoise, FlatState, Inputs, Program
from vrnn.engine.native.layout import Layout, Structure, check_weights, layout, side_by_side
from vrnn.networks.six_networks import SixNetworks
from vrnn.networks.state import State
from vrnn.objective.latents import Latent, rebuild
from vrnn.threads import map_in_threads, split_batch

MAX_OUTPUTS = 9  # h, raw, z, and three parts each of q and p
BLOCK_ROWS = 64  # rows of the tape per block of steps: enough for whole tiles, few enough to stay in the cache


def unroll(
    networks: SixNetworks,
    features: Tensor,
    noise: Tensor,
    memory: Tensor,
    context: Tensor | None = None,
    summary: Tensor | None = None,
) -> Unrolled:
    """Run all six networks over time. Twin: vrnn.engine.reference.unroll.

    Args:
        networks: The six networks.
        features: Input of phi_x, (T, B, n_features).
        noise: The latent's noise, (T, B, n_noise).
        memory: The recurrence's state before the first step, (B, state_dim).
        context: What all six networks see in addition, (T, B, c_dim); None without a condition.
        summary: What the encoder sees of all points, (T, B, posterior.dim); None with a filtering posterior.

    Raises:
        UnsupportedError: The kernels do not support one of the VRNN's parts.
        ValueError: An input has a wrong shape.
        RuntimeError: A weight has a shape that does not fit the others.
    """
    structure, weights = inspect_model(networks)
    made = layout(structure)
    flat = prepare(made, weights)
    program, (steps, batch) = made.program, features.shape[:2]
    check_input("features", features, (steps, batch, program.features.dim), flat)
    given = side_by_side_on_tape(structure, (steps, batch), noise, context, summary, flat)
    check_input("memory", memory, (batch, program.state.parts * program.state.dim), flat)
    soft = structure.latent.draw == "gumbel_softmax"
    require_supported(not (soft and noise.requires_grad), "the kernels have no gradient for Gumbel noise")
    return as_unrolled(networks.latent, structure, *unroll_program(made, features, given, memory, flat))


def unroll_program(
    made: Layout[Program], features: Tensor, given: Tensor, memory: Tensor, flat: Tensor
) -> tuple[Tensor, ...]:
    """Return the program's results and the recurrence's state after the last step; differentiable in all tensors."""
    return _Unroll.apply(made, torch.is_grad_enabled(), features, given, memory, flat)


def generate(
    networks: SixNetworks, noise: Noise, state: State, sampling: Sampling, context: Tensor | None = None
) -> tuple[Tensor, State]:
    """Draw points from the prior. Twin: vrnn.engine.reference.generate.

    Args:
        networks: The six networks.
        noise: For T generated steps.
        state: Before the first step.
        sampling: How x and z are drawn.
        context: As in `unroll`.

    Returns:
        The points, (T, B, x_dim), and the state after them.

    Raises:
        UnsupportedError: The kernels do not support one of the VRNN's parts, likelihood or coordinates, or a temperature.
        ValueError: An input has a wrong shape.
        RuntimeError: A weight has a shape that does not fit the others.
    """
    temperatures = (sampling.temperature, sampling.z_temperature)
    require_supported(temperatures == (1.0, 1.0), "the kernels draw at temperature 1 only")
    structure, weights = inspect_model(networks)
    spec = emission_spec(networks, sampling.sample)
    made = layout(structure)
    flat = prepare(made, weights)
    program, x_dim, (steps, batch) = made.program, networks.x_dim, noise.uniform.shape
    given = side_by_side_on_tape(structure, (steps, batch), noise.z, context, None, flat)
    check_input("noise.x", noise.x, (steps, batch, x_dim), flat)
    check_input("noise.uniform", noise.uniform, (steps, batch), flat)
    check_input("state.memory", state.memory, (batch, program.state.parts * program.state.dim), flat)
    check_input("state.previous", state.previous, (batch, x_dim), flat)
    check_input("state.previous2", state.previous2, (batch, x_dim), flat)
    check_shape("state.is_start", state.is_start, (batch,))
    points = noise.x.new_empty(steps, batch, x_dim)
    memory, previous, previous2 = (
        part.detach().clone(memory_format=torch.contiguous_format)
        for part in (state.memory, state.previous, state.previous2)
    )
    after = State(memory, previous, previous2, torch.zeros_like(state.is_start))
    packed = pack(made, flat)
    spec = spec.in_precision(packed.dtype)
    flat_noise, flat_points = FlatNoise(*flatten(given, noise.x, noise.uniform)), flatten(points)[0]
    flat_state = FlatState(*flatten(memory, previous, previous2, state.is_start))

    def run(traces: tuple[int, int]) -> None:
        first, size = traces
        chunk = Chunk(first, size, batch, steps, block=1)
        tape = np.zeros(2 * size * program.width, packed.dtype)
        kernels.run_generate(program, packed, chunk, tape, flat_noise, flat_state, flat_points, spec)

    map_in_threads(run, split_batch(batch))
    return points, after


def prepare(made: Layout[Any], weights: dict[str, Tensor]) -> Tensor:
    """Return all weights one after another, (n,), after a check of their shapes. torch.cat passes the gradients on."""
    check_weights(made, weights)
    return torch.cat([weight.reshape(-1) for weight in weights.values()])


def side_by_side_on_tape(
    structure: Structure,
    shape: tuple[int, int],
    noise: Tensor,
    context: Tensor | None,
    summary: Tensor | None,
    weights: Tensor,
) -> Tensor:
    """Return the latent's noise, the context and the summary side by side, as the tape has them: padding in between.

    Without a summary there are zeros in its place: generation needs none.

    Raises:
        UnsupportedError: The precision or the device of one of them is not that of the weights.
        ValueError: A shape is wrong.
    """
    check_input("noise", noise, (*shape, structure.latent.n_noise), weights)
    if context is None and summary is None and not structure.c_dim and not structure.a_dim:
        return noise
    context = noise[..., :0] if context is None else context
    check_input("context", context, (*shape, structure.c_dim), weights)
    summary = noise.new_zeros(*shape, structure.a_dim) if summary is None else summary
    check_input("summary", summary, (*shape, structure.a_dim), weights)
    begins, width = side_by_side(structure.given, structure.lane)
    parts = zip((noise, context, summary), begins, (*begins[1:], width), strict=True)
    return torch.cat([pad(part, (0, end - begin - part.shape[-1])) for part, begin, end in parts], dim=-1)


def check_input(name: str, tensor: Tensor, shape: tuple[int, ...], weights: Tensor) -> None:
    """Refuse an input that the kernels would read wrongly.

    Raises:
        UnsupportedError: Its precision or device is not that of the weights.
        ValueError: Its shape is wrong.
    """
    same = tensor.dtype == weights.dtype and tensor.device == weights.device
    require_supported(same, f"the weights are {weights.dtype}, but {name} is {tensor.dtype} on {tensor.device}")
    check_shape(name, tensor, shape)


def check_shape(name: str, tensor: Tensor, shape: tuple[int, ...]) -> None:
    """Refuse a tensor of another shape.

    Raises:
        ValueError: It has another shape.
    """
    if tensor.shape != shape:
        raise ValueError(f"{name} must have shape {shape}, but has {tuple(tensor.shape)}.")


class _Unroll(torch.autograd.Function):
    """(features, noise, memory, flat weights) -> (h, raw, z, parts of q, parts of p if it is learned, memory)."""

    @staticmethod
    def forward(ctx: Any, made: Layout[Program], keep: bool, *tensors: Tensor) -> tuple[Tensor, ...]:
        features, noise, memory, weights = tensors
        program, (steps, batch) = made.program, features.shape[:2]
        outputs = [features.new_empty(steps, batch, dim) for _, dim in program.outputs.tolist()]
        after = features.new_empty(memory.shape)
        inputs, flat_outputs, flat_after = (
            Inputs(*flatten(features, noise, memory)),
            flatten_outputs(outputs),
            flatten(after)[0],
        )
        packed = pack(made, weights)

        def run(work: tuple[Chunk, Scratch]) -> None:
            chunk, tape = work
            kernels.run_forward(program, packed, chunk, tape.array, inputs, flat_outputs, flat_after, keep)

        works = []
        for first, size in split_batch(batch):
            block = max(1, BLOCK_ROWS // max(1, size))
            rows = ((steps if keep else block) + 1) * size
            works.append((Chunk(first, size, batch, steps, block), Scratch(rows * program.width, packed.dtype)))
        map_in_threads(run, works)
        ctx.layout, ctx.packed, ctx.works, ctx.inputs = made, packed, works, tensors[:3]
        ctx.set_materialize_grads(False)
        return *outputs, after

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *d_results: Tensor | None) -> tuple[Tensor | None, ...]:
        made, packed = ctx.layout, ctx.packed

        def run(
            work: tuple[Chunk, Scratch], d_outputs: Sequence[Flat], d_inputs: Sequence[Flat], d_packed: Flat
        ) -> None:
            chunk, tape = work
            grads = Scratch((chunk.block + 1) * chunk.batch * made.program.width, packed.dtype)
            kernels.run_backward(
                made.program, packed, chunk, tape.array, grads.array, d_outputs, Inputs(*d_inputs), d_packed
            )

        return None, None, *backward(ctx, ctx.needs_input_grad[2:4], d_results, run)


def backward(
    ctx: Any,
    needed: Sequence[bool],
    d_results: Sequence[Tensor | None],
    run: Callable[[Any, Sequence[Flat], Sequence[Flat], Flat], None],
) -> tuple[Tensor | None, ...]:
    """Return the gradients of features, noise, memory and flat weights.

    Args:
        ctx: As the forward pass left it.
        needed: Whether those of features and noise are needed.
        d_results: The gradients of all results.
        run: Goes backward along one of `ctx.works`: it is given that, the gradients of the outputs, where to write those of
            features, noise and memory, and where to add those of the packed weights.
    """
    made, packed, (features, noise, memory) = ctx.layout, ctx.packed, ctx.inputs
    empty = torch.from_numpy(packed[:0])
    *d_outputs, d_after = d_results
    d_features, d_noise = (
        torch.empty_like(part, memory_format=torch.contiguous_format) if need else empty
        for part, need in zip((features, noise), needed, strict=True)
    )
    d_memory = features.new_zeros(memory.shape) if d_after is None else d_after.clone()
    d_memory = d_memory.contiguous()
    flat_d_outputs = flatten_outputs([empty if part is None else part for part in d_outputs])
    d_inputs = flatten(d_features, d_noise, d_memory)

    def run_one(work: Any) -> Flat:
        d_packed = np.zeros(made.packed_size, packed.dtype)
        run(work, flat_d_outputs, d_inputs, d_packed)
        return d_packed

    d_packed, *others = map_in_threads(run_one, ctx.works)
    for other in others:
        d_packed += other
    kept = (part if len(part) else None for part in (d_features, d_noise))
    return *kept, d_memory, unpack(made, d_packed)


def as_unrolled(latent: Latent, structure: Structure, h: Tensor, raw: Tensor, z: Tensor, *others: Tensor) -> Unrolled:
    """Return a program's results, in their order: after h, raw and z the parts of q and p, then the state afterwards."""
    *parts, after = others
    n = len(parts) // (2 if structure.prior else 1)
    q, p = (as_distribution(latent, dist, h.detach()) for dist in (parts[:n], parts[n:]))
    return Unrolled(h, q, p, raw, z, after)


def as_distribution(latent: Latent, parts: list[Tensor], h: Tensor) -> tuple[Tensor, ...]:
    """Return the kernels' flat parts as a distribution over z; no parts: the standard distribution."""
    if not parts:
        return latent.standard(h)
    examples = latent.standard(h[:0])
    return rebuild(examples, (part.unflatten(-1, like.shape[2:]) for part, like in zip(parts, examples, strict=True)))


def flatten(*tensors: Tensor) -> tuple[Flat, ...]:
    """Return flat arrays, which share their memory with contiguous tensors."""
    return tuple(tensor.detach().reshape(-1).contiguous().numpy() for tensor in tensors)


def flatten_outputs(tensors: Sequence[Tensor]) -> tuple[Flat, ...]:
    """Return MAX_OUTPUTS flat arrays, the last ones empty: numba would compile the kernels anew for another number."""
    empty = tensors[0].new_empty(0)
    return flatten(*tensors, *[empty] * (MAX_OUTPUTS - len(tensors)))


def pack(made: Layout[Any], weights: Tensor) -> Flat:
    """Return the weights as the program reads them."""
    flat = weights.detach().numpy()
    packed = np.zeros(made.packed_size, flat.dtype)
    kernels.pack(flat, made.moves, packed)
    return packed


def unpack(made: Layout[Any], d_packed: Flat) -> Tensor:
    """Return the weights' gradients, (n,), from those of the packed ones."""
    flat = np.empty(made.flat_size, d_packed.dtype)
    kernels.unpack(d_packed, made.moves, flat)
    return torch.from_numpy(flat)
