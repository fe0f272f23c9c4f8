"""From a VRNN's structure to its program: the columns of the tape and the places of the packed weights.

`layout` takes the weights in the order in which `inspect.inspect_model` lists them. `check_weights` compares their shapes
before any kernel runs, since kernels index without bounds checks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np
from torch import Tensor

from vrnn.engine.native.builder import Builder, Instructions, LatentSpec, Layers, padded_width
from vrnn.engine.native.cells import CellSpec
from vrnn.engine.native.density import DistributionSlots
from vrnn.engine.native.gaps import FillProgram
from vrnn.engine.native.instructions import Bias, Product, Table, encode
from vrnn.engine.native.kernels import Program
from vrnn.engine.native.particles import FilterProgram
from vrnn.engine.native.tape import Slot, StateSlot

P = TypeVar("P", Program, FilterProgram, FillProgram)


class Structure(NamedTuple):
    """All that determines a program.

    Attributes:
        lane: Numbers per vector.
        n_features: Width of phi_x's input.
        c_dim: Width of the context, 0 without a condition.
        a_dim: Width of the summary that the encoder sees, 0 with a filtering posterior.
        h_dim: Width of h.
        n_outputs: Width of the decoder's raw outputs.
        latent: What z consists of.
        cell: The recurrence's cell; None without a recurrence.
        phi_x: Layers of phi_x.
        phi_z: Layers of phi_z; () without z.
        encoder: Hidden layers of the encoder; () without z.
        prior: Hidden layers of the prior; () without z or with the standard prior.
        decoder: Hidden layers of the decoder.
        x_to_h: Whether the recurrence sees phi_x.
        h_to_x: Whether the decoder sees h.
        h_to_q: Whether the encoder sees h.
        residual: Whether the encoder's means are relative to those of a learned prior.
    """

    lane: int
    n_features: int
    c_dim: int
    a_dim: int
    h_dim: int
    n_outputs: int
    latent: LatentSpec
    cell: CellSpec | None
    phi_x: Layers
    phi_z: Layers
    encoder: Layers
    prior: Layers
    decoder: Layers
    x_to_h: bool
    h_to_x: bool
    h_to_q: bool
    residual: bool

    @property
    def given(self) -> tuple[int, int, int]:
        """Widths of what a step is given beside the features: noise, context and summary."""
        return self.latent.n_noise, self.c_dim, self.a_dim


class Layout(NamedTuple, Generic[P]):
    """A program and how the weights are packed for it.

    Attributes:
        program: What the kernels run.
        shapes: The expected shape of each weight, in the order of inspection.
        flat_size: Number of weights, as torch has them.
        packed_size: Number of weights, as the program reads them: transposed, padded, in panels.
        moves: A row per `kernels.Move` from the flat weights to the packed ones.
    """

    program: P
    shapes: tuple[tuple[int, ...], ...]
    flat_size: int
    packed_size: int
    moves: Table


class Parts(NamedTuple):
    """The networks' instructions, and where on the tape their inputs and results are.

    Attributes:
        build: Assigned the columns and took the weights.
        features: Input of phi_x.
        noise: The latent's noise, and behind it the context and the summary, if there are any.
        h: The recurrence's output.
        raw: The decoder's raw outputs.
        z: The latent variable.
        q: Its posterior.
        p: Its prior.
        sample_z: Returns the instructions that draw z from a distribution.
        phi_x: Instructions, as all below.
        phi_z: See above.
        encoder: See above.
        prior: See above.
        decoder: See above.
        residual: With a residual posterior, adds the prior's means to the encoder's.
        cell_inputs: The recurrence's products with phi_x and the context.
        cell: The rest of the recurrence.
        shared: How many of the encoder's first instructions need neither h nor z; likewise `phi_z_shared`.
        phi_z_shared: See above.
    """

    build: Builder
    features: Slot
    noise: Slot
    h: Slot
    raw: Slot
    z: Slot
    q: DistributionSlots
    p: DistributionSlots
    sample_z: Callable[[DistributionSlots], Instructions]
    phi_x: Instructions
    phi_z: Instructions
    encoder: Instructions
    prior: Instructions
    decoder: Instructions
    residual: Instructions
    cell_inputs: Instructions
    cell: Instructions
    shared: int
    phi_z_shared: int

    def draw(self, ahead: int) -> Instructions:
        """Return the instructions that draw z from its posterior, but for the encoder's first `ahead` ones."""
        mean = [*self.prior, *self.encoder[ahead:], *self.residual] if self.residual else self.encoder[ahead:]
        return [*mean, *self.sample_z(self.q), *self.phi_z[self.phi_z_shared :]]

    def outputs(self, learned_prior: bool) -> Table:
        """Return (column, dim) of each result."""
        slots = [self.h, self.raw, self.z, *self.q.results(), *(self.p.results() if learned_prior else [])]
        return np.array(slots, dtype=np.int64)


@lru_cache(maxsize=64)
def layout(structure: Structure) -> Layout[Program]:
    """Lay out the tape and write the program of every VRNN of this structure."""
    s, parts = structure, assign(structure)
    # Without a recurrence, nothing needs an earlier step.
    ahead = parts.shared if s.cell else len(parts.encoder)
    before = [*parts.phi_x, *parts.encoder[:ahead], *parts.phi_z[: parts.phi_z_shared], *parts.cell_inputs]
    step = [*parts.draw(ahead), *parts.cell]
    if not s.cell:
        before, step = before + step, []
    program = Program(
        before=encode(before),
        step=encode(step),
        after=encode([*(parts.prior if s.prior and not s.residual else []), *parts.decoder]),
        generate_z=encode([*parts.prior, *parts.sample_z(parts.p), *parts.phi_z, *parts.decoder]),
        advance=encode([*parts.phi_x, *parts.cell_inputs, *parts.cell]),
        width=parts.build.width,
        features=parts.features,
        noise=parts.noise,
        raw=parts.raw,
        state=state_slot(s, parts.h.column),
        outputs=parts.outputs(bool(s.prior)),
    )
    return finish(parts.build, program)


@lru_cache(maxsize=64)
def filter_layout(structure: Structure) -> Layout[FilterProgram]:
    """Lay out the tape and write the program of every VRNN of this structure whose particles are resampled."""
    s, parts = structure, assign(structure)
    copied = [*parts.encoder[: parts.shared], *parts.phi_z[: parts.phi_z_shared], *parts.cell_inputs]
    rest = [*parts.draw(parts.shared), *parts.cell, *([] if s.residual else parts.prior)]
    after = state_slot(s, parts.build.columns(s.h_dim, s.cell.states if s.cell else 0))
    columns = sorted({(written.out, written.width) for written in copied if isinstance(written, Product | Bias)})
    program = FilterProgram(
        shared=encode([*parts.phi_x, *copied]),
        step=encode([*rest, *parts.decoder]),
        copied=np.array(columns, dtype=np.int64).reshape(-1, 2),
        width=parts.build.width,
        features=parts.features,
        noise=parts.noise,
        raw=parts.raw,
        z=parts.z,
        q=parts.q,
        p=parts.p,
        state=state_slot(s, parts.h.column),
        after=after,
        outputs=parts.outputs(bool(s.prior)),
    )
    return finish(parts.build, program)


@lru_cache(maxsize=64)
def fill_layout(structure: Structure) -> Layout[FillProgram]:
    """Lay out the tape and write the program of every VRNN of this structure that fills in missing points."""
    s, parts = structure, assign(structure)
    seen = Slot(parts.build.columns(s.n_features), s.n_features)
    see = parts.build.apart(parts.phi_x, {parts.features.column: seen.column}, then=parts.encoder)
    program = FillProgram(
        see=encode([*parts.prior, *see, *parts.residual]),
        draw=encode([*parts.sample_z(parts.q), *parts.phi_z, *parts.decoder]),
        advance=encode([*parts.phi_x, *parts.cell_inputs, *parts.cell]),
        width=parts.build.width,
        seen=seen,
        features=parts.features,
        noise=parts.noise,
        raw=parts.raw,
        q=parts.q,
        p=parts.p,
        state=state_slot(s, parts.h.column),
        outputs=parts.outputs(bool(s.prior)),
    )
    return finish(parts.build, program)


def assign(structure: Structure) -> Parts:
    """Assign the columns of the tape and the places of the weights, in the order of `inspect.inspect_model`."""
    s, build = structure, Builder(structure.lane)
    # Context and summary lie behind the noise: the kernels load all three as one, since a step is given all.
    begins, given_width = side_by_side(s.given, s.lane)
    features, noise = (Slot(build.columns(n), n) for n in (s.n_features, given_width))
    context, summary = (Slot(noise.column + begins[i], s.given[i]) for i in (1, 2))
    h = Slot(build.columns(s.h_dim, s.cell.states if s.cell else 0), s.h_dim)

    # An MLP of no layers takes no weights and returns its input.
    phi_x, run_phi_x = build.mlp(s.phi_x, [context, features])
    z, sample_z = build.sample(s.latent, noise)
    phi_z, run_phi_z = build.mlp(s.phi_z, [context, z]) if s.phi_z else (z, [])
    seen = [context, summary, phi_x, *([h] if s.h_to_q else [])]
    q, run_encoder = build.distribution(s.encoder, seen, s.latent) if s.encoder else build.standard(s.latent)
    p, run_prior = build.distribution(s.prior, [context, h], s.latent) if s.prior else build.standard(s.latent)
    n = s.latent.gaussian
    run_residual = build.products(q.mean.column, n, [p.mean], build.take(n, n)) if s.residual else []
    hidden, run_decoder = build.mlp(s.decoder, [context, phi_z, *([h] if s.h_to_x else [])])
    (raw,), run_outputs = build.linear([hidden], (s.n_outputs, 1))
    early = [context, *([phi_x] if s.x_to_h else [])]
    cell_inputs, run_cell = build.recurrence(s.cell, h, early, [phi_z]) if s.cell else ([], [])
    # Products with phi_x, with the context and with the summary need neither h nor z.
    c_ahead, a_ahead = (1 if dim else 0 for dim in (s.c_dim, s.a_dim))
    return Parts(
        build=build,
        features=features,
        noise=noise,
        h=h,
        raw=raw,
        z=z,
        q=q,
        p=p,
        sample_z=sample_z,
        phi_x=run_phi_x,
        phi_z=run_phi_z,
        encoder=run_encoder,
        prior=run_prior,
        decoder=run_decoder + run_outputs,
        residual=run_residual,
        cell_inputs=cell_inputs,
        cell=run_cell,
        shared=c_ahead + a_ahead + 1,
        phi_z_shared=c_ahead,
    )


@lru_cache(maxsize=64)
def scan_layout(cell: CellSpec, in_dim: int, h_dim: int, lane: int) -> Layout[Program]:
    """Lay out the tape and write the program of a recurrence alone; its inputs are the features."""
    build = Builder(lane)
    features, nothing = Slot(build.columns(in_dim), in_dim), Slot(0, 0)
    h = Slot(build.columns(h_dim, cell.states), h_dim)
    early, rest = build.recurrence(cell, h, [features], [])
    empty = encode([])
    program = Program(
        before=encode(early),
        step=encode(rest),
        after=empty,
        generate_z=empty,
        advance=empty,
        width=build.width,
        features=features,
        noise=nothing,
        raw=nothing,
        state=StateSlot(h.column, h_dim, cell.states, padded_width(h_dim, lane)),
        outputs=np.array([h], dtype=np.int64),
    )
    return finish(build, program)


def finish(build: Builder, program: P) -> Layout[P]:
    """Return a program with the places of its weights."""
    moves = np.array(build.moves, dtype=np.int64)
    return Layout(program, tuple(build.shapes), build.flat_size, build.packed_size, moves)


def state_slot(structure: Structure, column: int) -> StateSlot:
    """Return where the recurrence's state is, from a column on."""
    states = structure.cell.states if structure.cell else 0
    return StateSlot(column, structure.h_dim, states, padded_width(structure.h_dim, structure.lane))


def side_by_side(widths: Sequence[int], lane: int) -> tuple[list[int], int]:
    """Return where parts begin that lie side by side, and their width together: each but the last one is padded."""
    begins, end, width = [], 0, 0
    for n in widths:
        begins.append(end)
        width = end + n if n else width
        end += padded_width(n, lane)
    return [min(begin, width) for begin in begins], width


def check_weights(expected: Layout[Any], weights: dict[str, Tensor]) -> None:
    """Compare the weights' shapes with those that the layout was made for.

    Args:
        expected: The layout of the weights' model.
        weights: The weights by name, in the order of inspection.

    Raises:
        RuntimeError: A weight has another shape, or there are more or fewer weights.
    """
    if len(weights) != len(expected.shapes):
        raise RuntimeError(
            f"The native engine's layout expects {len(expected.shapes)} weights, but inspection found {len(weights)}. "
            "Choose engine='reference', and report this as an error of the engine."
        )
    for (name, weight), shape in zip(weights.items(), expected.shapes, strict=True):
        if weight.shape != shape:
            raise RuntimeError(
                f"{name} must have shape {shape} to fit the sizes of the other weights, but has {tuple(weight.shape)}: "
                "undo the change of this weight. If nothing changed it, choose engine='reference', and report this as an "
                "error of the native engine."
            )
