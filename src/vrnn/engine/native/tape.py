"""The tape: one row of numbers per step and trace. Where quantities begin in a row, and how they are copied in and out.

Row t * B + b holds everything that belongs to step t of trace b: features, layers, gates, state, z, … Each quantity begins at
its own column and is padded to whole vectors. Padding stays finite and affects nothing. The same trace's next step is B rows
further on. Gradients are kept in rows of the same columns.
"""

# mypy: allow-untyped-defs, no-check-untyped-defs
from __future__ import annotations

from typing import NamedTuple

import numpy as np

from vrnn.engine.native.gemm import VECTOR_BYTES
from vrnn.engine.native.jit import ONE, inlined, inner


class Slot(NamedTuple):
    """Where a quantity is in every row of the tape: its first column and its true width."""

    column: int
    dim: int


class Rows(NamedTuple):
    """A block of consecutive rows of a tape, all in numbers from the beginning of its flat array.

    Attributes:
        start: Where the first row begins.
        n: Number of rows.
        width: Numbers per row.
        ahead: Distance from a row to the same trace's next step.
    """

    start: int
    n: int
    width: int
    ahead: int


class StateSlot(NamedTuple):
    """Where the recurrence's state is in a row: `parts` parts (h, or h and c), each `dim` wide and `padded` with padding."""

    column: int
    dim: int
    parts: int
    padded: int


@inner
def copy(y, out, x, at, n):
    """y[out …] = x[at …], n numbers."""
    for j in range(n):
        y[out + j] = x[at + j]


@inner
def add(y, out, x, at, n):
    """y[out …] += x[at …], n numbers."""
    for j in range(n):
        y[out + j] += x[at + j]


@inner
def add_scaled(y, out, x, at, factor, n):
    """y[out …] += factor * x[at …], n numbers."""
    for j in range(n):
        y[out + j] += factor * x[at + j]


@inlined
def load(source, start, n, rows, tape, column, width):
    """Copy rows of n numbers, one after another from `start`, into a column of the tape; padding becomes 0."""
    lane = VECTOR_BYTES // tape.itemsize
    zero = tape.dtype.type(0)
    for r in range(rows):
        row = np.uintp(column + r * width)
        copy(tape, row, source, np.uintp(start + r * n), np.uintp(n))
        for j in range(np.uintp(n), np.uintp((n + lane - 1) // lane * lane)):
            tape[row + j] = zero


@inner
def store(tape, column, width, n, rows, target, start):
    """Copy a column of the tape to rows of n numbers, one after another from `start`."""
    for r in range(rows):
        copy(target, np.uintp(start + r * n), tape, np.uintp(column + r * width), np.uintp(n))


@inner
def load_state(memory, first, slot, batch, tape, start, width):
    """Copy memory (total, parts * dim), from trace `first` on, into the state of `batch` rows."""
    for b in range(batch):
        for part in range(slot.parts):
            outside = ((first + b) * slot.parts + part) * slot.dim
            load(memory, outside, slot.dim, ONE, tape, start + b * width + slot.column + part * slot.padded, width)


@inner
def store_state(tape, start, slot, batch, memory, first, width):
    """Copy the state of `batch` rows to memory (total, parts * dim), from trace `first` on."""
    for b in range(batch):
        for part in range(slot.parts):
            outside = ((first + b) * slot.parts + part) * slot.dim
            store(tape, start + b * width + slot.column + part * slot.padded, width, slot.dim, ONE, memory, outside)


@inner
def move_state(tape, source, target, slot, batch, width):
    """Copy the state of `batch` rows from `source` on to the rows from `target` on."""
    for b in range(batch):
        here, there = source + b * width + slot.column, target + b * width + slot.column
        copy(tape, np.uintp(there), tape, np.uintp(here), np.uintp(slot.parts * slot.padded))
