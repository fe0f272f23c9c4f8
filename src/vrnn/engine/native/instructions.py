"""The ten instructions of a program, each with its named operands.

Three kinds of numbers are operands:
    columns: Where a quantity begins in a row of the tape. Names without a suffix, such as `mean`, are columns.
    places: Where a constant or a matrix begins in the packed weights. Their names end in `_place`.
    sizes: `width` is the number of values to compute, rounded up to whole vectors; `x_dim`, `variables` and `classes` are true
        sizes; `kind` selects a formula.

`layout` builds instructions, `encode` turns each into one row of integers, and `program` reads the rows.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Table = NDArray[np.int64]


class Bias(NamedTuple):
    """out = bias. Twin: torch.nn.Linear's bias alone."""

    out: int
    width: int
    bias_place: int


class Product(NamedTuple):
    """out = bias + x W, or out += x W if bias_place is -1. Twin: torch.nn.Linear.

    Operands:
        w_place: W in panels of columns, for the forward pass.
        w_back_place: W transposed in panels, for the gradient of x, of x_width columns.
    """

    out: int
    width: int
    x: int
    x_dim: int
    x_width: int
    w_place: int
    w_back_place: int
    bias_place: int


class Activate(NamedTuple):
    """y = activation(y), in place. Twin: torch.nn.ReLU, Tanh, ELU, SiLU.

    Operands:
        kind: RELU, TANH, ELU or SILU of `layers`.
        slope: Where SiLU stores its derivative; the other activations compute theirs from y.
    """

    y: int
    width: int
    kind: int
    slope: int


class Std(NamedTuple):
    """std = floor + squash(raw). Twin: vrnn.objective.likelihoods.base.positive.

    Operands:
        kind: SOFTPLUS or SIGMOID of `gaussian`.
    """

    raw: int
    width: int
    kind: int
    std: int
    floor_place: int


class SampleGaussian(NamedTuple):
    """z = mean + std * noise. Twin: vrnn.objective.latents.GaussianLatent.sample."""

    mean: int
    width: int
    std: int
    noise: int
    z: int


class LogSoftmax(NamedTuple):
    """log_probs, probs = log_softmax(raw) per variable, with a least probability. Twin: CategoricalLatent.from_raw.

    Operands:
        least_place: The least probability of a class, `uniform` / classes; 0 mixes no uniform distribution in.
    """

    raw: int
    width: int
    variables: int
    classes: int
    log_probs: int
    probs: int
    least_place: int


class SampleClass(NamedTuple):
    """z = one-hot class drawn by the inverse of the cumulative probabilities. Twin: CategoricalLatent.sample."""

    probs: int
    width: int
    variables: int
    classes: int
    uniform: int
    z: int


class GumbelScore(NamedTuple):
    """scores = (log_probs - log(-log(uniform))) / temperature. Twin: CategoricalLatent.sample with gumbel_softmax.

    Operands:
        constants_place: 1 / temperature, then the smallest normal number.
    """

    log_probs: int
    width: int
    uniform: int
    scores: int
    constants_place: int


class Argmax(NamedTuple):
    """z = one-hot class of the highest score per variable. Twin: torch.argmax with one_hot."""

    scores: int
    width: int
    variables: int
    classes: int
    z: int


class Cell(NamedTuple):
    """The state of the next row = cell(gates, state). Twin: torch.nn.RNNCell, GRUCell, LSTMCell; vrnn.networks.MTRNN.

    Operands:
        gates: The sums of products and biases that feed the gates, each gate `width` wide.
        kind: ELMAN, GRU, LSTM or MTRNN of `cells`.
        state: The state, in this row and in the next.
        keep_place: MTRNN's 1 - 1 / tau per unit.
    """

    gates: int
    width: int
    kind: int
    state: int
    keep_place: int


Instruction = Bias | Product | Activate | Std | SampleGaussian | LogSoftmax | SampleClass | GumbelScore | Argmax | Cell

INSTRUCTIONS = (Bias, Product, Activate, Std, SampleGaussian, LogSoftmax, SampleClass, GumbelScore, Argmax, Cell)
BIAS, PRODUCT, ACTIVATE, STD, SAMPLE_GAUSSIAN, LOG_SOFTMAX, SAMPLE_CLASS, GUMBEL_SCORE, ARGMAX, CELL = range(10)
LENGTH = 1 + max(len(kind._fields) for kind in INSTRUCTIONS)


def encode(program: list[Instruction]) -> Table:
    """Return the program as a table, one row per instruction: its code, its operands in order, zeros up to LENGTH."""
    table = np.zeros((len(program), LENGTH), dtype=np.int64)
    for row, instruction in zip(table, program, strict=True):
        row[0] = INSTRUCTIONS.index(type(instruction))
        row[1 : 1 + len(instruction)] = instruction
    return table
