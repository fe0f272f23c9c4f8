"""The matrix product of the kernels: y = b + x w for matrices anywhere inside flat arrays. Twin: torch.addmm.

A tile of y, a few rows by a few vectors, stays in registers while the products are summed. Loops compiled by numba cannot
guarantee this, so `tile` emits LLVM instructions through numba's code builder.

w is stored in panels: a panel holds as many columns as a tile is wide, its rows one after another. A tile then reads its panel
from beginning to end, while the rows of the whole matrix would be memory pages apart.
"""

# mypy: allow-untyped-defs, no-check-untyped-defs
from __future__ import annotations

from collections.abc import Callable
from itertools import product as pairs
from typing import Any, NamedTuple

import llvmlite.binding as llvm  # type: ignore[import-untyped]
import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from vrnn.engine.native.jit import inner

_FEATURES = llvm.get_host_cpu_features()
VECTOR_BYTES = 64 if _FEATURES.get("avx512f") else 32 if _FEATURES.get("avx2") else 16
ROWS = 4
WIDEST = 2 if VECTOR_BYTES == 32 else 4  # AVX2 has 16 registers, six rows of two vectors take 12; the others have 32


class MatrixAt(NamedTuple):
    """Where a matrix is in a flat array: element (i, j) at start + i * row_stride + j * column_stride."""

    start: int
    row_stride: int
    column_stride: int


class Size(NamedTuple):
    """Sizes of a product: y is (rows, width), x is (rows, depth), w is (depth, width)."""

    rows: int
    depth: int
    width: int


def lanes(itemsize: int) -> int:
    """Return how many numbers of `itemsize` bytes a vector holds. Every width given to `product` is a multiple of it."""
    return VECTOR_BYTES // itemsize


def tile(rows: int, vectors: int, chains: int = 1) -> Callable[..., Any]:
    """Make the product of one tile, as a function that kernels call.

    The function's arguments are flat arrays y, b, x, w, each followed by where it begins (y0, …) and its row stride (ys, …); xk
    is the column stride of x, and `depth` the number of terms.

    Args:
        rows: Rows of the tile.
        vectors: Vectors per row.
        chains: Number of sums among which the terms of one number of y are divided. An addition must wait for the one before it
            in the same sum, so a small tile with one sum would leave the processor idle.
    """

    @intrinsic
    def multiply(typing_context, y, y0, ys, b, b0, bs, x, x0, xs, xk, w, w0, ws, depth):
        def generate(context, builder, signature, arguments):
            y_, y0_, ys_, b_, b0_, bs_, x_, x0_, xs_, xk_, w_, w0_, ws_, depth_ = arguments
            number, index = context.get_value_type(y.dtype), y0_.type
            align = y.dtype.bitwidth // 8
            vector = ir.VectorType(number, lanes(align))

            def address(kind: Any, array: Any, *offsets: Any) -> Any:
                pointer = context.make_array(kind)(context, builder, array).data
                return _moved(builder, pointer, *offsets)

            def times(k: int, stride: Any) -> Any:
                return builder.mul(ir.Constant(index, k), stride)

            def vectors_at(pointer: Any) -> list[Any]:
                first = builder.bitcast(pointer, vector.as_pointer())
                return [builder.gep(first, [ir.Constant(index, v)]) for v in range(vectors)]

            positions = list(pairs(range(rows), range(vectors)))
            sums = {place: cgutils.alloca_once(builder, vector) for place in pairs(range(chains), positions)}
            for r in range(rows):
                for v, start in enumerate(vectors_at(address(b, b_, b0_, times(r, bs_)))):
                    builder.store(builder.load(start, align=align), sums[0, (r, v)])
            for chain, position in sums:
                if chain:
                    builder.store(ir.Constant(vector, None), sums[chain, position])
            rows_of_x = [address(x, x_, x0_, times(r, xs_)) for r in range(rows)]
            matrix = address(w, w_, w0_)

            def add_term(k: Any, chain: int) -> None:
                row = vectors_at(_moved(builder, matrix, builder.mul(k, ws_)))
                factors = [builder.load(place, align=align) for place in row]
                for r in range(rows):
                    one = builder.load(_moved(builder, rows_of_x[r], builder.mul(k, xk_)))
                    spread = _spread(builder, one, vector)
                    for v in range(vectors):
                        place = sums[chain, (r, v)]
                        term = builder.fmul(spread, factors[v], flags=("contract",))
                        builder.store(builder.fadd(builder.load(place), term, flags=("contract",)), place)

            whole = builder.mul(builder.sdiv(depth_, ir.Constant(index, chains)), ir.Constant(index, chains))
            zero, step = ir.Constant(index, 0), ir.Constant(index, chains)
            with cgutils.for_range_slice(builder, zero, whole, step, index) as (k, _):
                for chain in range(chains):
                    add_term(builder.add(k, ir.Constant(index, chain)), chain)
            if chains > 1:
                with cgutils.for_range_slice(builder, whole, depth_, ir.Constant(index, 1), index) as (k, _):
                    add_term(k, 0)
            for r in range(rows):
                for v, place in enumerate(vectors_at(address(y, y_, y0_, times(r, ys_)))):
                    total = builder.load(sums[0, (r, v)])
                    for chain in range(1, chains):
                        total = builder.fadd(total, builder.load(sums[chain, (r, v)]))
                    builder.store(total, place, align=align)
            return context.get_dummy_value()

        return types.void(y, y0, ys, b, b0, bs, x, x0, xs, xk, w, w0, ws, depth), generate

    return multiply


def _moved(builder: Any, pointer: Any, *offsets: Any) -> Any:
    """Return the pointer moved on by the sum of the offsets, in numbers."""
    for offset in offsets:
        pointer = builder.gep(pointer, [offset])
    return pointer


def _spread(builder: Any, number: Any, vector: Any) -> Any:
    """Return a vector with the number in every lane."""
    undefined, index = ir.Constant(vector, ir.Undefined), ir.IntType(32)
    first = builder.insert_element(undefined, number, ir.Constant(index, 0))
    return builder.shuffle_vector(first, undefined, ir.Constant(ir.VectorType(index, vector.count), [0] * vector.count))


four_by_four, six_by_two, four_by_two = tile(4, 4), tile(6, 2), tile(4, 2)
eight_by_one, four_by_one = tile(8, 1), tile(4, 1, chains=2)
one_by_four, one_by_two, one_by_one = tile(1, 4, chains=2), tile(1, 2, chains=4), tile(1, 1, chains=4)


@inner
def panel_width(column, width, lane):
    """Return how many columns the panel has that begins at this column of a matrix with `width` columns."""
    left = (width - column) // lane
    return lane * (WIDEST if left >= WIDEST else 2 if left >= 2 else 1)


@inner
def panel_around(column, width, lane):
    """Return the first column of the panel that contains this column, and the panel's number of columns."""
    c = 0
    while c + panel_width(c, width, lane) <= column:
        c += panel_width(c, width, lane)
    return c, panel_width(c, width, lane)


@inner
def to_panels(w, start, row_stride, depth, width, panels):
    """Copy a matrix (depth, width), which begins at `start` of the flat array w, to the beginning of `panels`."""
    lane = VECTOR_BYTES // w.itemsize
    c = 0
    while c < width:
        size = panel_width(c, width, lane)
        for k in range(depth):
            source, target = np.uintp(start + k * row_stride + c), np.uintp(c * depth + k * size)
            for j in range(np.uintp(size)):
                panels[target + j] = w[source + j]
        c += size


@inner
def product(y, y_at, b, b_at, x, x_at, w, w_start, size):
    """Compute y = b + x w.

    Args:
        y: Flat array of the result.
        y_at: `MatrixAt` of y, column stride 1.
        b: Flat array of the first term, may be y.
        b_at: `MatrixAt` of b, column stride 1; row stride 0 adds the same row everywhere.
        x: Flat array of the left factor.
        x_at: `MatrixAt` of x.
        w: Flat array of the right factor, in panels.
        w_start: Where w begins.
        size: `Size`; its width is a multiple of `lanes`.
    """
    rows, depth, width = size
    ys, bs, xs, xk = y_at.row_stride, b_at.row_stride, x_at.row_stride, x_at.column_stride
    lane = VECTOR_BYTES // y.itemsize
    c = 0
    while c < width:
        ws = panel_width(c, width, lane)
        vectors = ws // lane
        wc = w_start + c * depth
        r = 0
        while r < rows:
            left = rows - r
            yr, br, xr = y_at.start + r * ys + c, b_at.start + r * bs + c, x_at.start + r * xs
            if left < ROWS:
                if vectors == 4:
                    one_by_four(y, yr, ys, b, br, bs, x, xr, xs, xk, w, wc, ws, depth)
                elif vectors == 2:
                    one_by_two(y, yr, ys, b, br, bs, x, xr, xs, xk, w, wc, ws, depth)
                else:
                    one_by_one(y, yr, ys, b, br, bs, x, xr, xs, xk, w, wc, ws, depth)
                r += 1
            elif vectors == 1 and left >= 8:
                eight_by_one(y, yr, ys, b, br, bs, x, xr, xs, xk, w, wc, ws, depth)
                r += 8
            elif vectors == 2 and (left >= 10 or left == 6):  # 8 rows are two tiles of 4: none is left over
                six_by_two(y, yr, ys, b, br, bs, x, xr, xs, xk, w, wc, ws, depth)
                r += 6
            else:
                if vectors == 4:
                    four_by_four(y, yr, ys, b, br, bs, x, xr, xs, xk, w, wc, ws, depth)
                elif vectors == 2:
                    four_by_two(y, yr, ys, b, br, bs, x, xr, xs, xk, w, wc, ws, depth)
                else:
                    four_by_one(y, yr, ys, b, br, bs, x, xr, xs, xk, w, wc, ws, depth)
                r += ROWS
        c += ws
