"""From a VRNN's structure to its program: which column of the tape and which place of the packed weights everything has."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from vrnn.engine.native.cells import WIRINGS
from vrnn.engine.native.gemm import ROWS
from vrnn.engine.native.program import (
    ACTIVATE,
    BIAS,
    CELL,
    DRAW,
    GUMBEL,
    HIGHEST,
    LENGTH,
    LOG_SOFTMAX,
    PRODUCT,
    SAMPLE,
    SILU,
    STD,
    instruction,
)

Table = NDArray[np.int64]
Layers = tuple[tuple[int, int], ...]  # of an MLP: width and activation of each


Drawn = Literal["probable", "soft", "highest"]


class Latent(NamedTuple):
    """Of what z is made: `gaussian` dimensions, then `variables` one-hot variables of `classes` classes; any may be 0.

    squash: of the deviations. draw: how a class is drawn. "probable": by inverting the probabilities' cumulative sum; with
    Gumbel noise added to them, "soft": the scores' softmax, "highest": the highest score.
    """

    gaussian: int = 0
    squash: int = 0
    variables: int = 0
    classes: int = 0
    draw: Drawn = "probable"

    @property
    def one_hot(self) -> int:
        """How many of z's numbers are those of the one-hot variables."""
        return self.variables * self.classes

    @property
    def z_dim(self) -> int:
        """The width of z."""
        return self.gaussian + self.one_hot

    @property
    def n_noise(self) -> int:
        """How many numbers of chance a z takes."""
        return self.gaussian + (self.variables if self.draw == "probable" else self.one_hot)


class Structure(NamedTuple):
    """All that shapes a program. lane: numbers in a vector.

    recurrence: its name, "" without one. phi_z, encoder: () without z; prior: () without z or if it is the standard one.
    """

    lane: int
    features: int
    h_dim: int
    outputs: int
    latent: Latent
    recurrence: str
    phi_x: Layers
    phi_z: Layers
    encoder: Layers
    prior: Layers
    decoder: Layers


class Port(NamedTuple):
    """A part of the tape that comes from outside or goes there: its column and true width."""

    column: int
    dim: int


class Plan(NamedTuple):
    """A program in its parts, and the sizes and tables around it.

    width: of a tape row. flat, packed: how many weights there are, as torch has them and as the program wants them (transposed,
    padded); pieces: a row for each move from here to there (see kernels.pack).
    before, after: what needs no earlier step's result and feeds none, for many steps at once; step: one step. think, act: the
    halves of a generated step, before and after the point is drawn. ports: features, noise, state, raw, z, then the parts of q
    and, if it is learned, of p. states, state_width: parts of the state, and the width of each on the tape.
    """

    width: int
    flat: int
    packed: int
    pieces: Table
    before: Table
    step: Table
    after: Table
    think: Table
    act: Table
    ports: Table
    states: int
    state_width: int


Instruction = NDArray[np.int64]
Program = list[Instruction]


class Dist(NamedTuple):
    """Where a distribution over z stands on the tape; probs: those of log_probs. Parts that z does not have are empty."""

    mean: Port = Port(0, 0)
    std: Port = Port(0, 0)
    log_probs: Port = Port(0, 0)
    probs: Port = Port(0, 0)

    def given_out(self) -> list[Port]:
        """The parts that the latent's own distribution has."""
        return [port for port in self[:3] if port.dim]


class _Builder:
    """Hands out columns of the tape and places of the packed weights; takes the flat weights in the order of the calls."""

    def __init__(self, lane: int):
        self.lane, self.width, self.packed, self.flat = lane, 0, 0, 0
        self.pieces: list[list[int]] = []

    def padded(self, n: int) -> int:
        """A width rounded up to whole vectors."""
        return -(-n // self.lane) * self.lane

    def column(self, n: int, parts: int = 1) -> int:
        """Room on the tape for `parts` parts, each n wide."""
        self.width += parts * self.padded(n)
        return self.width - parts * self.padded(n)

    def place(self, size: int) -> int:
        """Room among the packed weights."""
        self.packed += self.padded(size)
        return self.packed - self.padded(size)

    def take(self, size: int) -> int:
        """The next flat weights."""
        self.flat += size
        return self.flat - size

    def vector(self, place: int, n: int, blocks: int = 1, turn: int = 0) -> None:
        """Add the next blocks * n flat weights to the packed ones there, each block padded."""
        width = self.padded(n)
        self.pieces.append([self.take(blocks * n), 1, 0, 1, blocks, n, width, turn, place, blocks * width, -1, 0])

    def constant(self, n: int) -> int:
        """The next n flat weights as they are."""
        place = self.place(n)
        self.vector(place, n)
        return place

    def products(
        self, column: int, n: int, inputs: list[Port], blocks: int = 1, turn: int = 0, bias: int = -1
    ) -> Program:
        """One instruction an input that is not empty, with its share of the next flat matrix (blocks * n, widths of all).

        bias: the place of what the first of them starts from; -1: from what is there.
        """
        total, width, start, program = sum(port.dim for port in inputs), blocks * self.padded(n), 0, []
        flat = self.take(blocks * n * total)
        for port in filter(lambda port: port.dim, inputs):
            deep = self.padded(port.dim)
            forward, backward = self.place(-(-port.dim // ROWS) * ROWS * width), self.place(width * deep)
            shape = [blocks, n, self.padded(n), turn]
            self.pieces.append([flat, total, start, port.dim, *shape, forward, width, backward, deep])
            program.append(instruction(PRODUCT, column, width, forward, port.column, port.dim, backward, deep, bias))
            start, bias = start + port.dim, -1
        return program

    def linear(self, inputs: list[Port], *widths: tuple[int, int]) -> tuple[list[Port], Program]:
        """A linear layer whose outputs are `parts` times n numbers for each (n, parts): [a product for each input]."""
        outs = [Port(self.column(n, parts), n) for n, parts in widths]
        biases = [self.place(parts * self.padded(n)) for n, parts in widths]
        program: Program = []
        for out, bias, (n, parts) in zip(outs, biases, widths, strict=True):
            program += self.products(out.column, n, inputs, parts, bias=bias)
        for bias, (n, parts) in zip(biases, widths, strict=True):
            self.vector(bias, n, parts)
        return outs, program

    def mlp(self, layers: Layers, inputs: list[Port]) -> tuple[Port, Program]:
        """Linear layers, each with its activation."""
        program: Program = []
        for n, activation in layers:
            (out,), layer = self.linear(inputs, (n, 1))
            slope = self.column(n) if activation == SILU else out.column
            program += [*layer, instruction(ACTIVATE, out.column, self.padded(n), activation, slope)]
            inputs = [out]
        return inputs[0], program

    def distribution(self, layers: Layers, inputs: list[Port], latent: Latent) -> tuple[Dist, Program]:
        """An MLP with heads: means and deviations, logits."""
        n, size = latent.gaussian, latent.one_hot
        hidden, program = self.mlp(layers, inputs)
        heads, products = self.linear([hidden], *(width for width in ((n, 2), (size, 1)) if width[0]))
        program, dist = [*program, *products], Dist()
        if n:
            mean, std, width = heads[0], Port(self.column(n), n), self.padded(n)
            dist = dist._replace(mean=mean, std=std)
            squash = (latent.squash, std.column, self.constant(1))
            program.append(instruction(STD, mean.column + width, width, *squash))
        if size:
            log_probs, probs = (Port(self.column(size), size) for _ in range(2))
            dist = dist._replace(log_probs=log_probs, probs=probs)
            columns = (log_probs.column, probs.column, self.constant(1))
            program.append(normalise(heads[-1], latent, self.padded(size), *columns))
        return dist, program

    def standard(self, latent: Latent) -> tuple[Dist, Program]:
        """The distribution of z before anything is known: constants."""
        n, size = latent.gaussian, latent.one_hot
        dist = Dist(*(Port(self.column(dim), dim) for dim in (n, n, size, size)))
        return dist, [instruction(BIAS, p.column, self.padded(p.dim), self.constant(p.dim)) for p in dist if p.dim]

    def draw(self, latent: Latent, noise: Port) -> tuple[Port, Callable[[Dist], Program]]:
        """Where z stands, and the program that draws it from a distribution."""
        n, size = latent.gaussian, latent.one_hot
        z = Port(self.column(n + self.padded(size)), latent.z_dim)
        hot, chance, whole = z.column + n, noise.column + n, self.padded(size)
        scores, scratch, constants = Port(-1, size), -1, -1
        if latent.draw != "probable":
            scores, scratch = Port(self.column(size), size), self.column(size)
            constants = self.constant(3)  # slope, tiny, and the least probability: 0

        def classes(dist: Dist) -> Program:
            one_hot = latent.variables, chance, hot, latent.classes
            if latent.draw == "probable":
                return [instruction(DRAW, dist.probs.column, whole, *one_hot)]
            score = instruction(GUMBEL, dist.log_probs.column, whole, 0, chance, scores.column, constants)
            if latent.draw == "highest":
                return [score, instruction(HIGHEST, scores.column, whole, *one_hot)]
            return [score, normalise(scores, latent, whole, scratch, hot, constants + 2)]

        def program(dist: Dist) -> Program:
            width = n if size else self.padded(n)  # what is one-hot follows without a gap
            steps = [instruction(SAMPLE, dist.mean.column, width, dist.std.column, noise.column, z.column)] if n else []
            return [*steps, *classes(dist)] if size else steps

        return z, program

    def recurrence(self, name: str, h: Port, inputs: list[Port]) -> tuple[Program, Program]:
        """What needs the first input alone: its product, the biases; and the rest: the other products, the cell."""
        wiring, n, width = WIRINGS[name], h.dim, self.padded(h.dim)
        gates, bias = self.column(n, wiring.gates), self.place(wiring.gates * width)
        first, *others = self.products(gates, n, inputs, wiring.blocks, wiring.turn, bias)
        others += self.products(gates + wiring.skip * width, n, [h], wiring.blocks)
        self.vector(bias, n, wiring.blocks, wiring.turn)
        self.vector(bias + wiring.skip * width, n, wiring.blocks)
        cell = (wiring.kind, h.column, wiring.gates, wiring.states, self.constant(n))
        fed = wiring.blocks * width  # the gates beyond are fed by h alone: the inputs' product does not set their bias
        alone = [instruction(BIAS, gates + fed, wiring.skip * width, bias + fed)] if wiring.skip else []
        return [first, *alone], [*others, instruction(CELL, gates, width, *cell)]


def normalise(raw: Port, latent: Latent, width: int, log_probs: int, probs: int, even: int) -> Instruction:
    """Raw's log_softmax in the columns log_probs and probs. even: place of the least probability."""
    return instruction(LOG_SOFTMAX, raw.column, width, latent.variables, log_probs, probs, latent.classes, even)


@lru_cache(maxsize=64)
def plan(structure: Structure) -> Plan:
    """Lay out the tape and write the program of every VRNN of this structure."""
    s, build = structure, _Builder(structure.lane)
    states = WIRINGS[s.recurrence].states if s.recurrence else 0
    features, noise = (Port(build.column(n), n) for n in (s.features, s.latent.n_noise))
    h = Port(build.column(s.h_dim, states), s.h_dim)

    # The weights are taken in this order: see structure.inspect_model. A network of no layers takes none and gives its input.
    phi_x, see = build.mlp(s.phi_x, [features])
    z, draw = build.draw(s.latent, noise)
    phi_z, read_z = build.mlp(s.phi_z, [z])
    q, encode = build.distribution(s.encoder, [phi_x, h], s.latent)
    p, expect = build.distribution(s.prior, [h], s.latent) if s.prior else build.standard(s.latent)
    hidden, decode = build.mlp(s.decoder, [phi_z, h])
    (raw,), last = build.linear([hidden], (s.outputs, 1))
    recur_ahead, recur = build.recurrence(s.recurrence, h, [phi_x, phi_z]) if s.recurrence else ([], [])
    decode += last

    # The encoder's first instruction, the product with phi_x, needs no earlier step either; without a memory nothing does.
    ahead = 1 if s.recurrence else len(encode)
    parts = {
        "before": [*see, *encode[:ahead], *recur_ahead],
        "step": [*encode[ahead:], *draw(q), *read_z, *recur],
        "after": [*(expect if s.prior else []), *decode],
        "think": [*expect, *draw(p), *read_z, *decode],
        "act": [*see, *recur_ahead, *recur],
    }
    if not s.recurrence:
        parts["before"], parts["step"] = parts["before"] + parts["step"], []
    ports = [features, noise, h, raw, z, *q.given_out(), *(p.given_out() if s.prior else [])]
    return Plan(
        width=build.width,
        flat=build.flat,
        packed=build.packed,
        pieces=np.array(build.pieces, dtype=np.int64),
        **{name: np.array(part, dtype=np.int64).reshape(-1, LENGTH) for name, part in parts.items()},
        ports=np.array(ports, dtype=np.int64),
        states=states,
        state_width=build.padded(s.h_dim),
    )
