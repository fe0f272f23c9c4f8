"""From a VRNN's structure to its program: the columns of the tape and the places of the packed weights.

`layout` takes the weights in the order in which `inspect.inspect_model` lists them. `check_weights` compares their shapes
before any kernel runs, since kernels index without bounds checks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from math import prod
from typing import Any, Generic, Literal, NamedTuple, TypeVar

import numpy as np
from torch import Tensor

from vrnn.engine.native.cells import CellSpec
from vrnn.engine.native.density import EMPTY, DistributionSlots
from vrnn.engine.native.gemm import ROWS
from vrnn.engine.native.instructions import (
    Activate,
    Argmax,
    Bias,
    Cell,
    GumbelScore,
    Instruction,
    LogSoftmax,
    Product,
    SampleClass,
    SampleGaussian,
    Std,
    Table,
    encode,
)
from vrnn.engine.native.kernels import Move, Program
from vrnn.engine.native.layers import SILU
from vrnn.engine.native.particles import FilterProgram
from vrnn.engine.native.tape import Slot, StateSlot

Layers = tuple[tuple[int, int], ...]  # width and activation of each layer of an MLP
P = TypeVar("P", Program, FilterProgram)
ClassDraw = Literal["inverse_cdf", "gumbel_softmax", "gumbel_max"]


class LatentSpec(NamedTuple):
    """What z consists of: Gaussian dimensions, then one-hot variables. Either may be 0.

    Attributes:
        gaussian: Number of Gaussian dimensions.
        squash: SOFTPLUS or SIGMOID of `gaussian`, for the standard deviations.
        variables: Number of one-hot variables.
        classes: Classes per variable.
        draw: How a class is drawn: by the inverse cumulative distribution, as the softmax of Gumbel scores (training with
            estimator gumbel_softmax), or as the highest Gumbel score (evaluation with it).
    """

    gaussian: int = 0
    squash: int = 0
    variables: int = 0
    classes: int = 0
    draw: ClassDraw = "inverse_cdf"

    @property
    def one_hot_dim(self) -> int:
        """Width of the one-hot variables together."""
        return self.variables * self.classes

    @property
    def z_dim(self) -> int:
        """Width of z."""
        return self.gaussian + self.one_hot_dim

    @property
    def n_noise(self) -> int:
        """Random numbers per z."""
        return self.gaussian + (self.variables if self.draw == "inverse_cdf" else self.one_hot_dim)


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


Instructions = list[Instruction]


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

    build: _Builder
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
    return parts.build.layout(program)


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
    return parts.build.layout(program)


def assign(structure: Structure) -> Parts:
    """Assign the columns of the tape and the places of the weights, in the order of `inspect.inspect_model`."""
    s, build = structure, _Builder(structure.lane)
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
    build = _Builder(lane)
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
    return build.layout(program)


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


def padded_width(n: int, lane: int) -> int:
    """Return a width rounded up to whole vectors of `lane` numbers."""
    return -(-n // lane) * lane


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


class _Builder:
    """Assigns columns of the tape and places of the packed weights; takes the weights in the order of the calls."""

    def __init__(self, lane: int):
        self.lane, self.width, self.packed_size, self.flat_size = lane, 0, 0, 0
        self.moves: list[Move] = []
        self.shapes: list[tuple[int, ...]] = []

    def layout(self, program: P) -> Layout[P]:
        """Return a program with the places of its weights."""
        moves = np.array(self.moves, dtype=np.int64)
        return Layout(program, tuple(self.shapes), self.flat_size, self.packed_size, moves)

    def padded(self, n: int) -> int:
        """Return a width rounded up to whole vectors."""
        return padded_width(n, self.lane)

    def columns(self, n: int, parts: int = 1) -> int:
        """Reserve columns of the tape for `parts` parts, each n wide and padded; return the first."""
        self.width += parts * self.padded(n)
        return self.width - parts * self.padded(n)

    def place(self, size: int) -> int:
        """Reserve a place of the packed weights and return it."""
        self.packed_size += self.padded(size)
        return self.packed_size - self.padded(size)

    def take(self, *shape: int) -> int:
        """Take the next weight, which must have this shape; return where it begins in the flat weights."""
        self.shapes.append(shape)
        self.flat_size += prod(shape)
        return self.flat_size - prod(shape)

    def move_vector(self, flat: int, place: int, n: int, blocks: int = 1, rotation: int = 0) -> None:
        """Add blocks * n flat weights to the packed ones at `place`, each block padded."""
        padded = self.padded(n)
        move = Move(
            flat=flat,
            row_length=1,
            start=0,
            depth=1,
            blocks=blocks,
            rows=n,
            padded=padded,
            rotation=rotation,
            forward=place,
            width=blocks * padded,
            backward=-1,
            padded_depth=0,
        )
        self.moves.append(move)

    def constant(self, n: int) -> int:
        """Take a weight of n numbers and return its place."""
        place = self.place(n)
        self.move_vector(self.take(n), place, n)
        return place

    def products(
        self, out: int, n: int, inputs: list[Slot], flat: int, blocks: int = 1, rotation: int = 0, bias_place: int = -1
    ) -> Instructions:
        """Return one Product per input that is not empty; together they multiply by one matrix.

        Args:
            out: First column of the result.
            n: Width of a block of the result.
            inputs: The parts of the matrix's input, side by side.
            flat: Where the matrix, (blocks * n, widths of all inputs), begins in the flat weights.
            blocks: Blocks of the result, such as gates.
            rotation: See `kernels.Move`.
            bias_place: The bias that the first product starts from; -1: it adds to `out`.
        """
        row_length, padded, start = sum(slot.dim for slot in inputs), self.padded(n), 0
        width, program = blocks * padded, []
        for slot in (slot for slot in inputs if slot.dim):
            x_width = self.padded(slot.dim)
            move = Move(
                flat=flat,
                row_length=row_length,
                start=start,
                depth=slot.dim,
                blocks=blocks,
                rows=n,
                padded=padded,
                rotation=rotation,
                # Whole tiles of rows: `layers.product_gradient` writes as many.
                forward=self.place(-(-slot.dim // ROWS) * ROWS * width),
                width=width,
                backward=self.place(width * x_width),
                padded_depth=x_width,
            )
            self.moves.append(move)
            product = Product(
                out=out,
                width=width,
                x=slot.column,
                x_dim=slot.dim,
                x_width=x_width,
                w_place=move.forward,
                w_back_place=move.backward,
                bias_place=bias_place,
            )
            program.append(product)
            start, bias_place = start + slot.dim, -1
        return list[Instruction](program)

    def linear(self, inputs: list[Slot], *heads: tuple[int, int]) -> tuple[list[Slot], Instructions]:
        """Return the outputs and the products of one linear layer, whose heads have `parts` times n numbers each.

        Args:
            inputs: The parts of the layer's input.
            heads: (n, parts) of each head.
        """
        rows = sum(n * parts for n, parts in heads)
        flat = self.take(rows, sum(slot.dim for slot in inputs))
        flat_bias = self.take(rows)
        outs = [Slot(self.columns(n, parts), n) for n, parts in heads]
        biases = [self.place(parts * self.padded(n)) for n, parts in heads]
        program: Instructions = []
        for out, bias, (n, parts) in zip(outs, biases, heads, strict=True):
            program += self.products(out.column, n, inputs, flat, parts, bias_place=bias)
            self.move_vector(flat_bias, bias, n, parts)
            flat += n * parts * sum(slot.dim for slot in inputs)
            flat_bias += n * parts
        return outs, program

    def mlp(self, layers: Layers, inputs: list[Slot]) -> tuple[Slot, Instructions]:
        """Return the output and the instructions of linear layers, each with its activation."""
        program: Instructions = []
        for n, activation in layers:
            (out,), products = self.linear(inputs, (n, 1))
            slope = self.columns(n) if activation == SILU else out.column
            program += [*products, Activate(out.column, self.padded(n), activation, slope)]
            inputs = [out]
        return inputs[0], program

    def distribution(
        self, layers: Layers, inputs: list[Slot], latent: LatentSpec
    ) -> tuple[DistributionSlots, Instructions]:
        """Return the distribution and the instructions of an MLP with heads for means, deviations and logits."""
        n, size = latent.gaussian, latent.one_hot_dim
        hidden, program = self.mlp(layers, inputs)
        outs, products = self.linear([hidden], *(head for head in ((n, 2), (size, 1)) if head[0]))
        program, dist = [*program, *products], DistributionSlots()
        if n:
            mean, std, width = outs[0], Slot(self.columns(n), n), self.padded(n)
            dist = dist._replace(mean=mean, std=std)
            program.append(Std(mean.column + width, width, latent.squash, std.column, floor_place=self.constant(1)))
        if size:
            log_probs, probs = (Slot(self.columns(size), size) for _ in range(2))
            dist = dist._replace(log_probs=log_probs, probs=probs)
            least = self.constant(1)
            program.append(self.log_softmax(outs[-1], latent, log_probs.column, probs.column, least))
        return dist, program

    def standard(self, latent: LatentSpec) -> tuple[DistributionSlots, Instructions]:
        """Return the distribution of the standard prior and the instructions that write it: constants."""
        n, size = latent.gaussian, latent.one_hot_dim
        dist = DistributionSlots(*(Slot(self.columns(dim), dim) for dim in (n, n, size, size)))
        return dist, [
            Bias(part.column, self.padded(part.dim), bias_place=self.constant(part.dim)) for part in dist if part.dim
        ]

    def sample(self, latent: LatentSpec, noise: Slot) -> tuple[Slot, Callable[[DistributionSlots], Instructions]]:
        """Return where z is, and a function that returns the instructions which draw it from a distribution."""
        n, size = latent.gaussian, latent.one_hot_dim
        z = Slot(self.columns(n + self.padded(size)), latent.z_dim)
        one_hot, uniform, width = z.column + n, noise.column + n, self.padded(size)
        scores, log_soft, constants = EMPTY, -1, -1
        if latent.draw != "inverse_cdf":
            scores, log_soft = Slot(self.columns(size), size), self.columns(size)
            constants = self.constant(3)

        def sample_classes(dist: DistributionSlots) -> Instructions:
            if latent.draw == "inverse_cdf":
                return [SampleClass(dist.probs.column, width, latent.variables, latent.classes, uniform, one_hot)]
            score = GumbelScore(dist.log_probs.column, width, uniform, scores.column, constants)
            if latent.draw == "gumbel_max":
                return [score, Argmax(scores.column, width, latent.variables, latent.classes, one_hot)]
            # The third constant is the least probability, 0.
            return [score, self.log_softmax(scores, latent, log_soft, one_hot, constants + 2)]

        def sample_z(dist: DistributionSlots) -> Instructions:
            gaussian_width = n if size else self.padded(n)  # the one-hot part follows without padding
            gaussian: Instructions = []
            if n:
                parts = (dist.std.column, noise.column, z.column)
                gaussian = [SampleGaussian(dist.mean.column, gaussian_width, *parts)]
            return [*gaussian, *sample_classes(dist)] if size else gaussian

        return z, sample_z

    def log_softmax(self, raw: Slot, latent: LatentSpec, log_probs: int, probs: int, least_place: int) -> LogSoftmax:
        """Return the instruction that normalises logits into the columns log_probs and probs."""
        return LogSoftmax(
            raw=raw.column,
            width=self.padded(raw.dim),
            variables=latent.variables,
            classes=latent.classes,
            log_probs=log_probs,
            probs=probs,
            least_place=least_place,
        )

    def recurrence(
        self, cell: CellSpec, h: Slot, first_inputs: list[Slot], other_inputs: list[Slot]
    ) -> tuple[Instructions, Instructions]:
        """Return what needs only the first inputs, their products and the biases; and the rest, with the cell itself."""
        n, width = h.dim, self.padded(h.dim)
        inputs = [*first_inputs, *other_inputs]
        rows = cell.torch_gates * n
        flat, flat_h = self.take(rows, sum(slot.dim for slot in inputs)), self.take(rows, n)
        flat_bias, flat_h_bias = self.take(rows), self.take(rows)
        gates, bias = self.columns(n, cell.gates), self.place(cell.gates * width)
        first_h = cell.first_h_gate * width
        products = self.products(gates, n, inputs, flat, cell.torch_gates, cell.rotation, bias)
        n_first = sum(slot.dim > 0 for slot in first_inputs)
        first, others = products[:n_first], products[n_first:]
        others += self.products(gates + first_h, n, [h], flat_h, cell.torch_gates)
        self.move_vector(flat_bias, bias, n, cell.torch_gates, cell.rotation)
        self.move_vector(flat_h_bias, bias + first_h, n, cell.torch_gates)
        # Gates that only h feeds: the product with the inputs does not set them to their bias.
        inputs_width = cell.torch_gates * width
        only_h: Instructions = [Bias(gates + inputs_width, first_h, bias + inputs_width)] if first_h else []
        run_cell = Cell(gates, width, cell.kind, h.column, keep_place=self.constant(n))
        return [*first, *only_h], [*others, run_cell]
