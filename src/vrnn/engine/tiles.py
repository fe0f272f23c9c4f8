"""The matrix product of the kernels: y += x w for matrices that lie anywhere inside flat arrays.

A tile of y, four rows by up to four vectors or eight by one, stays in registers while the products are summed. numba's own loops cannot say
so: `tile` writes the instructions through numba's code builder.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import product as pairs
from typing import Any

import llvmlite.binding as llvm
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from vrnn.engine.compiled import inner

_FEATURES = llvm.get_host_cpu_features()
VECTOR_BYTES = 64 if _FEATURES.get("avx512f") else 32 if _FEATURES.get("avx2") else 16
ROWS = 4
WIDEST = 2 if VECTOR_BYTES == 32 else 4  # of AVX2's 16 registers, four rows of two vectors leave enough free; others have 32


def lanes(itemsize: int) -> int:
    """How many numbers of so many bytes a vector holds: every width given to `product` is a multiple of it."""
    return VECTOR_BYTES // itemsize


def tile(rows: int, vectors: int) -> Callable[..., Any]:
    """Make tile(y, y0, ys, x, x0, xs, xk, w, w0, ws, depth): the product of `product` for one tile of this size."""

    @intrinsic
    def multiply(typing_context, y, y0, ys, x, x0, xs, xk, w, w0, ws, depth):  # type: ignore[no-untyped-def]
        def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
            y_, y0_, ys_, x_, x0_, xs_, xk_, w_, w0_, ws_, depth_ = arguments
            number = context.get_value_type(y.dtype)
            align = y.dtype.bitwidth // 8
            vector = ir.VectorType(number, lanes(align))

            def address(array_type: Any, array: Any, *offsets: Any) -> Any:
                pointer = context.make_array(array_type)(context, builder, array).data
                for offset in offsets:
                    pointer = builder.gep(pointer, [offset])
                return pointer

            def times(k: int, stride: Any) -> Any:
                return builder.mul(ir.Constant(stride.type, k), stride)

            def vectors_at(pointer: Any) -> list[Any]:
                first = builder.bitcast(pointer, vector.as_pointer())
                return [builder.gep(first, [ir.Constant(y0_.type, v)]) for v in range(vectors)]

            places = [vectors_at(address(y, y_, y0_, times(r, ys_))) for r in range(rows)]
            rows_of_x = [address(x, x_, x0_, times(r, xs_)) for r in range(rows)]
            sums = [[cgutils.alloca_once(builder, vector) for _ in range(vectors)] for _ in range(rows)]
            cells = list(pairs(range(rows), range(vectors)))
            for r, v in cells:
                builder.store(builder.load(places[r][v], align=align), sums[r][v])
            with cgutils.for_range(builder, depth_, intp=y0_.type) as loop:
                row_of_w = vectors_at(address(w, w_, w0_, builder.mul(loop.index, ws_)))
                factors = [builder.load(place, align=align) for place in row_of_w]
                for r in range(rows):
                    one = builder.load(builder.gep(rows_of_x[r], [builder.mul(loop.index, xk_)]))
                    spread = _spread(builder, one, vector)
                    for v in range(vectors):
                        term = builder.fmul(spread, factors[v], flags=("contract",))
                        total = builder.fadd(builder.load(sums[r][v]), term, flags=("contract",))
                        builder.store(total, sums[r][v])
            for r, v in cells:
                builder.store(builder.load(sums[r][v]), places[r][v], align=align)
            return context.get_dummy_value()

        return types.void(y, y0, ys, x, x0, xs, xk, w, w0, ws, depth), generate

    return multiply


def _spread(builder: Any, number: Any, vector: Any) -> Any:
    """A vector that holds the number in every place."""
    nothing, index = ir.Constant(vector, ir.Undefined), ir.IntType(32)
    first = builder.insert_element(nothing, number, ir.Constant(index, 0))
    return builder.shuffle_vector(first, nothing, ir.Constant(ir.VectorType(index, vector.count), [0] * vector.count))


four_by_four, four_by_two, eight_by_one, four_by_one = (tile(*size) for size in ((4, 4), (4, 2), (8, 1), (4, 1)))
one_by_four, one_by_two, one_by_one = (tile(1, vectors) for vectors in (4, 2, 1))


@inner
def product(y, y0, ys, x, x0, xs, xk, w, w0, ws, rows, depth, width):  # type: ignore[no-untyped-def]
    """Add x w to y: y (rows, width), x (rows, depth), w (depth, width); width a multiple of `lanes`.

    In each flat array element (i, j) stands at y0 + i ys + j, x0 + i xs + j xk, w0 + i ws + j.
    """
    lane = VECTOR_BYTES // y.itemsize
    c = 0
    while c < width:
        left = (width - c) // lane
        vectors = 4 if left >= 4 and WIDEST == 4 else 2 if left >= 2 else 1
        r = 0
        while vectors == 1 and r + 8 <= rows:
            eight_by_one(y, y0 + r * ys + c, ys, x, x0 + r * xs, xs, xk, w, w0 + c, ws, depth)
            r += 8
        while r + ROWS <= rows:
            a, b = y0 + r * ys + c, x0 + r * xs
            if vectors == 4:
                four_by_four(y, a, ys, x, b, xs, xk, w, w0 + c, ws, depth)
            elif vectors == 2:
                four_by_two(y, a, ys, x, b, xs, xk, w, w0 + c, ws, depth)
            else:
                four_by_one(y, a, ys, x, b, xs, xk, w, w0 + c, ws, depth)
            r += ROWS
        while r < rows:
            a, b = y0 + r * ys + c, x0 + r * xs
            if vectors == 4:
                one_by_four(y, a, ys, x, b, xs, xk, w, w0 + c, ws, depth)
            elif vectors == 2:
                one_by_two(y, a, ys, x, b, xs, xk, w, w0 + c, ws, depth)
            else:
                one_by_one(y, a, ys, x, b, xs, xk, w, w0 + c, ws, depth)
            r += 1
        c += vectors * lane
