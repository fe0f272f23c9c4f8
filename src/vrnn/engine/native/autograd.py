"""The fast engine: the whole walk over time in compiled kernels, with the way back written by pen.

The same results as `reference`, to rounding. Everything a VRNN does with a window, all six networks, is one
torch.autograd.Function; what remains for torch is the likelihood and the KL. `threads.set_threads` lets threads share the
batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vrnn.engine.interface import Noise, Unrolled
from vrnn.engine.native import kernels
from vrnn.engine.native.buffers import Scratch
from vrnn.engine.native.inspect import emission_spec, inspect_model, require_supported
from vrnn.engine.native.layout import Plan, plan
from vrnn.engine.native.threads import divide, each
from vrnn.networks.six_networks import SixNetworks
from vrnn.networks.state import State
from vrnn.objective.latents import Latent, rebuild

Flat = NDArray[Any]

MOST_OUTPUTS = 9  # h, raw, z, and three parts each of q and p
ROWS_AT_ONCE = 64  # of the tape, in a block of steps: enough for whole tiles, few enough to stay in the cache


def unroll(networks: SixNetworks, features: Tensor, noise: Tensor, memory: Tensor) -> Unrolled:
    """Run all six networks over time, as reference.unroll does.

    Raises:
        UnsupportedError: the kernels do not know one of the VRNN's parts.
    """
    structure, weights = inspect_model(networks)
    _check(weights, features, noise, memory)
    require_supported(
        structure.latent.draw != "soft" or not noise.requires_grad, "they have no gradient for Gumbel noise"
    )
    run = _Unroll.apply(plan(structure), torch.is_grad_enabled(), features, noise, memory, _joined(weights))
    h, raw, z, *parts, after = run
    both = len(parts) // (2 if structure.prior else 1)
    q, p = (_distribution(networks.latent, dist, h.detach()) for dist in (parts[:both], parts[both:]))
    return Unrolled(h, q, p, raw, z, after)


def generate(networks: SixNetworks, noise: Noise, state: State, sample: bool) -> tuple[Tensor, State]:
    """Draw points from the prior, as reference.generate does.

    Raises:
        UnsupportedError: the kernels do not know one of the VRNN's parts, its likelihood or its frame.
    """
    structure, weights = inspect_model(networks)
    kinds, sizes = emission_spec(networks, sample)
    _check(weights, *noise, *state[:3])
    program, packed = plan(structure), _pack(plan(structure), _joined(weights))
    steps, batch = noise.uniform.shape
    points = noise.x.new_empty(steps, batch, networks.x_dim)
    moved = [part.detach().clone(memory_format=torch.contiguous_format) for part in state[:3]]
    after = State(moved[0], moved[1], moved[2], torch.zeros_like(state.is_start))
    chance, moving, (fresh, target) = _flat(*noise), _flat(*moved), _flat(state.is_start, points)
    tables = (program.think, program.act, program.ports, program.states, program.state_width, program.width, packed)

    def run(share: tuple[int, int]) -> None:
        tape = np.zeros(2 * share[1] * program.width, packed.dtype)
        where = (tape, steps, *share, batch, chance, moving, fresh, target)
        kernels.run_generate(*tables, *where, np.array(kinds), np.array(sizes, packed.dtype))

    each(run, divide(batch))
    return points, after


def _distribution(latent: Latent, parts: list[Tensor], h: Tensor) -> tuple[Tensor, ...]:
    """What the kernels gave as a distribution over z; what they did not is the standard one."""
    if not parts:
        return latent.standard(h)
    forms = latent.standard(h[:0])
    return rebuild(forms, (part.unflatten(-1, form.shape[2:]) for part, form in zip(parts, forms, strict=True)))


def _check(weights: list[Tensor], *inputs: Tensor) -> None:
    """The inputs must lie where the weights lie, in their precision."""
    for part in inputs:
        fits = part.dtype == weights[0].dtype and part.device == weights[0].device
        require_supported(fits, f"the weights are {weights[0].dtype}, but were given {part.dtype} on {part.device}")


class Share(NamedTuple):
    """What one thread does: traces first, …, first + batch - 1, in blocks of `block` steps, on a tape of its own."""

    first: int
    batch: int
    block: int
    tape: Scratch


class _Unroll(torch.autograd.Function):
    """(features, noise, memory, flat weights) -> (h, raw, z, parts of q, parts of p if it is learned, memory)."""

    @staticmethod
    def forward(ctx: Any, plan: Plan, keep: bool, *tensors: Tensor) -> tuple[Tensor, ...]:
        features, noise, memory, weights = tensors
        steps, batch = features.shape[:2]
        outputs = [features.new_empty(steps, batch, dim) for _, dim in plan.ports[kernels.OUTPUTS :].tolist()]
        after = features.new_empty(memory.shape)
        inputs, targets, last = (_flat(features, noise, memory), _slots(outputs), _flat(after)[0])
        packed = _pack(plan, weights)

        def run(share: Share) -> None:
            where = (steps, share.block, share.first, share.batch, batch)
            kernels.run_forward(*_program(plan), packed, share.tape.array, *where, inputs, targets, last, keep)

        shares = []
        for first, size in divide(batch):
            block = max(1, ROWS_AT_ONCE // max(1, size))
            rows = ((steps if keep else block) + 1) * size
            shares.append(Share(first, size, block, Scratch(rows * plan.width, packed.dtype)))
        each(run, shares)
        ctx.plan, ctx.packed, ctx.shares, ctx.shape, ctx.likes = plan, packed, shares, (steps, batch), tensors[:3]
        ctx.set_materialize_grads(False)
        return *outputs, after

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *d_results: Tensor | None) -> tuple[Tensor | None, ...]:
        plan, packed, (steps, batch) = ctx.plan, ctx.packed, ctx.shape
        nothing = torch.from_numpy(packed[:0])
        features, noise, memory = ctx.likes
        *d_outputs, d_after = d_results
        d_features, d_noise = (
            torch.empty_like(part, memory_format=torch.contiguous_format) if wanted else nothing
            for part, wanted in zip((features, noise), ctx.needs_input_grad[2:4], strict=True)
        )
        d_memory = features.new_zeros(memory.shape) if d_after is None else d_after.clone()
        d_memory = d_memory.contiguous()
        sources = _slots([nothing if part is None else part for part in d_outputs])
        targets = _flat(d_features, d_noise, d_memory)

        def run(share: Share) -> Flat:
            d_packed = np.zeros(plan.packed, packed.dtype)
            grads = Scratch((share.block + 1) * share.batch * plan.width, packed.dtype)
            where = (steps, share.block, share.first, share.batch, batch)
            tape = share.tape.array
            kernels.run_backward(*_program(plan), packed, tape, *where, sources, targets, d_packed, grads.array)
            return d_packed

        d_packed, *others = each(run, ctx.shares)
        for other in others:
            d_packed += other
        d_inputs = (part if len(part) else None for part in (d_features, d_noise))
        return None, None, *d_inputs, d_memory, _unpack(plan, d_packed)


def _program(plan: Plan) -> tuple[Any, ...]:
    return plan.before, plan.step, plan.after, plan.ports, plan.states, plan.state_width, plan.width


def _flat(*tensors: Tensor) -> tuple[Flat, ...]:
    return tuple(tensor.detach().reshape(-1).contiguous().numpy() for tensor in tensors)


def _slots(tensors: Sequence[Tensor]) -> tuple[Flat, ...]:
    """The outputs, always MOST_OUTPUTS of them, the last ones empty: for each number numba would compile kernels of its own."""
    nothing = tensors[0].new_empty(0)
    return _flat(*tensors, *[nothing] * (MOST_OUTPUTS - len(tensors)))


def _joined(weights: list[Tensor]) -> Tensor:
    """All weights one after another, (n,): torch, and not Python, hands their gradients out."""
    return torch.cat([weight.reshape(-1) for weight in weights])


def _pack(plan: Plan, weights: Tensor) -> Flat:
    """Put the weights where the program looks for them."""
    flat = weights.detach().numpy()
    packed = np.zeros(plan.packed, flat.dtype)
    kernels.pack(flat, plan.pieces, packed)
    return packed


def _unpack(plan: Plan, d_packed: Flat) -> Tensor:
    """Return the weights' gradients, (n,), from those of the packed ones."""
    flat = np.empty(plan.flat, d_packed.dtype)
    kernels.unpack(d_packed, plan.pieces, flat)
    return torch.from_numpy(flat)
