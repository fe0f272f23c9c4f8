"""From a VRNN's structure to its program: which column of the tape and which place of the packed weights everything has."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from vrnn.engine.cells import WIRINGS
from vrnn.engine.program import ACTIVATE, BIAS, CELL, PRODUCT, SAMPLE, SILU, STD, instruction
from vrnn.engine.tiles import ROWS

Table = NDArray[np.int64]
Layers = tuple[tuple[int, int], ...]  # of an MLP: width and activation of each


class Structure(NamedTuple):
    """All that shapes a program. lane: numbers in a vector; squash: of the encoder's and the prior's deviations."""

    lane: int
    features: int
    z_dim: int
    h_dim: int
    outputs: int
    recurrence: str
    phi_x: Layers
    phi_z: Layers
    encoder: Layers
    prior: Layers
    decoder: Layers
    squash: int


class Port(NamedTuple):
    """A part of the tape that comes from outside or goes there: its column and true width."""

    column: int
    dim: int


class Plan(NamedTuple):
    """A program in its parts, and the sizes and tables around it.

    width: of a tape row. flat, packed: how many weights there are, as torch has them and as the program wants them (transposed,
    padded); pieces: a row for each move from here to there (see kernels.pack).
    before, after: what needs no earlier step's result and feeds none, for many steps at once; step: one step. think, act: the
    halves of a generated step, before and after the point is drawn. ports: features, noise, state, then q.mean, q.std, z,
    p.mean, p.std, raw. states, state_width: parts of the state, and the width of each on the tape.
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


Program = list[NDArray[np.int64]]


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
        """One instruction an input, with its share of the next flat matrix (blocks * n, widths of all inputs).

        bias: the place of what the first of them starts from; -1: from what is there.
        """
        total, width, start, program = sum(port.dim for port in inputs), blocks * self.padded(n), 0, []
        flat = self.take(blocks * n * total)
        for port in inputs:
            deep = self.padded(port.dim)
            forward, backward = self.place(-(-port.dim // ROWS) * ROWS * width), self.place(width * deep)
            shape = [blocks, n, self.padded(n), turn]
            self.pieces.append([flat, total, start, port.dim, *shape, forward, width, backward, deep])
            program.append(instruction(PRODUCT, column, width, forward, port.column, port.dim, backward, deep, bias))
            start, bias = start + port.dim, -1
        return program

    def linear(self, n: int, inputs: list[Port], parts: int = 1) -> tuple[Port, Program]:
        """A linear layer of parts * n outputs: [a product for each input]."""
        out, bias = self.column(n, parts), self.place(parts * self.padded(n))
        products = self.products(out, n, inputs, parts, bias=bias)
        self.vector(bias, n, parts)
        return Port(out, n), products

    def mlp(self, layers: Layers, inputs: list[Port]) -> tuple[Port, Program]:
        """Linear layers, each with its activation."""
        program: Program = []
        for n, activation in layers:
            out, layer = self.linear(n, inputs)
            slope = self.column(n) if activation == SILU else out.column
            program += [*layer, instruction(ACTIVATE, out.column, self.padded(n), activation, slope)]
            inputs = [out]
        return inputs[0], program

    def gaussian(self, layers: Layers, inputs: list[Port], z_dim: int, squash: int) -> tuple[Port, Port, Program]:
        """An MLP with heads for mean and standard deviation."""
        hidden, program = self.mlp(layers, inputs)
        mean, head = self.linear(z_dim, [hidden], parts=2)
        std, width = Port(self.column(z_dim), z_dim), self.padded(z_dim)
        deviate = instruction(STD, mean.column + width, width, squash, std.column, self.constant(1))
        return mean, std, [*program, *head, deviate]

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


@lru_cache(maxsize=64)
def plan(structure: Structure) -> Plan:
    """Lay out the tape and write the program of every VRNN of this structure."""
    s, build = structure, _Builder(structure.lane)
    z_dim, states = s.z_dim, WIRINGS[s.recurrence].states
    features, noise = Port(build.column(s.features), s.features), Port(build.column(z_dim), z_dim)
    h, z = Port(build.column(s.h_dim, states), s.h_dim), Port(build.column(z_dim), z_dim)
    width = build.padded(z_dim)

    def draw(mean: Port, std: Port) -> NDArray[np.int64]:
        return instruction(SAMPLE, mean.column, width, std.column, noise.column, z.column)

    # The weights are taken in this order: see native.weights.
    phi_x, see = build.mlp(s.phi_x, [features])
    phi_z, read_z = build.mlp(s.phi_z, [z])
    q_mean, q_std, encode = build.gaussian(s.encoder, [phi_x, h], z_dim, s.squash)
    p_mean, p_std, expect = build.gaussian(s.prior, [h], z_dim, s.squash)
    hidden, decode = build.mlp(s.decoder, [phi_z, h])
    raw, last = build.linear(s.outputs, [hidden])
    recur_ahead, recur = build.recurrence(s.recurrence, h, [phi_x, phi_z])
    decode += last

    # The encoder's first instruction, the product with phi_x, needs no earlier step either.
    parts = {
        "before": [*see, *encode[:1], *recur_ahead],
        "step": [*encode[1:], draw(q_mean, q_std), *read_z, *recur],
        "after": [*expect, *decode],
        "think": [*expect, draw(p_mean, p_std), *read_z, *decode],
        "act": [*see, *recur_ahead, *recur],
    }
    ports = np.array([features, noise, h, q_mean, q_std, z, p_mean, p_std, raw], dtype=np.int64)
    return Plan(
        width=build.width,
        flat=build.flat,
        packed=build.packed,
        pieces=np.array(build.pieces, dtype=np.int64),
        **{name: np.stack(part) for name, part in parts.items()},
        ports=ports,
        states=states,
        state_width=build.padded(s.h_dim),
    )
