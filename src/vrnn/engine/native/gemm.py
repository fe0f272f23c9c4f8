"""The matrix product of the kernels: y = b + x w for matrices that lie anywhere inside flat arrays.

A tile of y, a few rows by a few vectors, stays in registers while the products are summed. numba's own loops cannot say so:
`tile` writes the instructions through numba's code builder.

w stands in panels: as many columns as a tile is wide, the panel's rows one after another. So a tile reads its part of w from
beginning to end, where rows of the whole matrix would lie pages apart.
"""

# mypy: allow-untyped-defs, no-check-untyped-defs
from __future__ import annotations

from collections.abc import Callable
from itertools import product as pairs
from typing import Any

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
WIDEST = 2 if VECTOR_BYTES == 32 else 4  # of AVX2's 16 registers six rows of two vectors take 12; others have 32


def lanes(itemsize: int) -> int:
    """How many numbers of so many bytes a vector holds: every width given to `product` is a multiple of it."""
    return VECTOR_BYTES // itemsize


def tile(rows: int, vectors: int, chains: int = 1) -> Callable[..., Any]:
    """Make the `product` of one tile of this size.

    chains: how many sums share the terms of one number of y. A sum waits for its last term before it takes the next, so a small
    tile with one chain leaves the processor idle.
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

            cells = list(pairs(range(rows), range(vectors)))
            sums = {place: cgutils.alloca_once(builder, vector) for place in pairs(range(chains), cells)}
            for r in range(rows):
                for v, start in enumerate(vectors_at(address(b, b_, b0_, times(r, bs_)))):
                    builder.store(builder.load(start, align=align), sums[0, (r, v)])
            for chain, cell in sums:
                if chain:
                    builder.store(ir.Constant(vector, None), sums[chain, cell])
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

            together = builder.mul(builder.sdiv(depth_, ir.Constant(index, chains)), ir.Constant(index, chains))
            zero, step = ir.Constant(index, 0), ir.Constant(index, chains)
            with cgutils.for_range_slice(builder, zero, together, step, index) as (k, _):
                for chain in range(chains):
                    add_term(builder.add(k, ir.Constant(index, chain)), chain)
            if chains > 1:
                with cgutils.for_range_slice(builder, together, depth_, ir.Constant(index, 1), index) as (k, _):
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
    """The pointer, so many numbers further on."""
    for offset in offsets:
        pointer = builder.gep(pointer, [offset])
    return pointer


def _spread(builder: Any, number: Any, vector: Any) -> Any:
    """A vector that holds the number in every place."""
    nothing, index = ir.Constant(vector, ir.Undefined), ir.IntType(32)
    first = builder.insert_element(nothing, number, ir.Constant(index, 0))
    return builder.shuffle_vector(first, nothing, ir.Constant(ir.VectorType(index, vector.count), [0] * vector.count))


four_by_four, six_by_two, four_by_two = tile(4, 4), tile(6, 2), tile(4, 2)
eight_by_one, four_by_one = tile(8, 1), tile(4, 1, chains=2)
one_by_four, one_by_two, one_by_one = tile(1, 4, chains=2), tile(1, 2, chains=4), tile(1, 1, chains=4)


@inner
def panel(column, width, lane):
    """How many columns the panel that begins at this column has."""
    left = (width - column) // lane
    return lane * (WIDEST if left >= WIDEST else 2 if left >= 2 else 1)


@inner
def panel_around(column, width, lane):
    """Where the panel begins that has this column, and how many it has."""
    c = 0
    while c + panel(c, width, lane) <= column:
        c += panel(c, width, lane)
    return c, panel(c, width, lane)


@inner
def to_panels(w, w0, ws, depth, width, panels):
    """Copy w (depth, width), its rows ws apart, to the beginning of `panels`."""
    lane = VECTOR_BYTES // w.itemsize
    c = 0
    while c < width:
        size = panel(c, width, lane)
        for k in range(depth):
            source, target = np.uintp(w0 + k * ws + c), np.uintp(c * depth + k * size)
            for j in range(np.uintp(size)):
                panels[target + j] = w[source + j]
        c += size


@inner
def product(y, y0, ys, b, b0, bs, x, x0, xs, xk, w, w0, rows, depth, width):
    """y = b + x w: y and b (rows, width), x (rows, depth), w (depth, width); width a multiple of `lanes`.

    In each flat array element (i, j) stands at y0 + i ys + j, b0 + i bs + j, x0 + i xs + j xk; w, in panels, begins at w0.
    """
    lane = VECTOR_BYTES // y.itemsize
    c = 0
    while c < width:
        ws = panel(c, width, lane)
        vectors = ws // lane
        wc = w0 + c * depth
        r = 0
        while r < rows:
            left = rows - r
            yr, br, xr = y0 + r * ys + c, b0 + r * bs + c, x0 + r * xs
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
            elif vectors == 2 and (left >= 10 or left == 6):  # of 8 rows, two fours: no single ones are left over
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
