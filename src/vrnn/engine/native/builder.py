"""Writes a program's instructions: gives each quantity its columns of the tape, and each weight its place."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Literal, NamedTuple, cast

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
)
from vrnn.engine.native.kernels import Move
from vrnn.engine.native.layers import SILU
from vrnn.engine.native.tape import Slot

Layers = tuple[tuple[int, int], ...]  # width and activation of each layer of an MLP
Instructions = list[Instruction]
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


class Builder:
    """Assigns columns of the tape and places of the packed weights; takes the weights in the order of the calls."""

    def __init__(self, lane: int):
        self.lane, self.width, self.packed_size, self.flat_size = lane, 0, 0, 0
        self.moves: list[Move] = []
        self.shapes: list[tuple[int, ...]] = []

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

    def apart(self, program: Instructions, moved: dict[int, int], then: Instructions) -> Instructions:
        """Return an MLP's instructions, with columns of their own, and `then`, which reads their result there.

        Args:
            program: The MLP's instructions.
            moved: The columns of its inputs that are others here, and which.
            then: Instructions that read its result.
        """
        columns = dict(moved)
        for instruction in cast(list[Product | Activate], program):
            for column in instruction[:1] if isinstance(instruction, Product) else (instruction.y, instruction.slope):
                if column not in columns:
                    columns[column] = self.columns(instruction.width)
        return [redirect(instruction, columns) for instruction in [*program, *then]]

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


def redirect(instruction: Instruction, columns: dict[int, int]) -> Instruction:
    """Return an instruction of an MLP that reads and writes other columns; any other as it is."""
    if isinstance(instruction, Product):
        out, x = (columns.get(column, column) for column in (instruction.out, instruction.x))
        return instruction._replace(out=out, x=x)
    if isinstance(instruction, Activate):
        y, slope = (columns.get(column, column) for column in (instruction.y, instruction.slope))
        return instruction._replace(y=y, slope=slope)
    return instruction


def padded_width(n: int, lane: int) -> int:
    """Return a width rounded up to whole vectors of `lane` numbers."""
    return -(-n // lane) * lane
