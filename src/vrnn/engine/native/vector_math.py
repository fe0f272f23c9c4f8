"""exp, log and functions made of them, without branches, so that loops over them become vector instructions.

The error is about one unit in the last place of the largest number involved, in float32 and float64. NaN stays NaN.
"""

# mypy: allow-untyped-defs, no-check-untyped-defs
from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numba.extending import intrinsic

from vrnn.engine.native.jit import by_precision, inner


@inner
def horner(x, coefficients):
    """Return the polynomial with these coefficients, that of the highest power first."""
    total = coefficients[0]
    for c in coefficients[1:]:
        total = total * x + c
    return total


@intrinsic
def as_type(typing_context, x, like):
    """Return the bits of x, read as a number of the type of `like`."""

    def generate(context, builder, signature, arguments):
        return builder.bitcast(arguments[0], context.get_value_type(like))

    return like(x, like), generate


@by_precision
def exp(real: type) -> Callable[..., Any]:
    """e^x = 2^n e^r with n whole and |r| <= log(2) / 2; e^r by its Taylor series. Twin: torch.exp."""
    bits, mantissa, terms, lowest, highest = (
        (np.int32, 23, 8, -87.0, 88.0) if real is np.float32 else (np.int64, 52, 14, -708.0, 709.0)
    )
    lowest, highest, log2_e = real(lowest), real(highest), real(1 / math.log(2))
    # The sum with 1.5 * 2^mantissa has no bits left for a fraction: it is rounded, and its last bits are n.
    shift = real(1.5 * 2.0**mantissa)
    # log(2) in two parts, the first of so few bits that n times it is exact.
    coarse, fine = real(355 / 512), real(-2.121944400546905827679e-4)
    series = tuple(real(1 / math.factorial(k)) for k in reversed(range(terms)))
    exponent, bias = bits(mantissa), real(1).view(bits)

    def implementation(x):
        x = lowest if x < lowest else x
        x = highest if x > highest else x
        shifted = x * log2_e + shift
        n = shifted - shift
        r = (x - n * coarse) - n * fine
        power = as_type(bits((as_type(shifted, bias) << exponent) + bias), x)
        return horner(r, series) * power

    return implementation


@by_precision
def log(real: type) -> Callable[..., Any]:
    """log(x) for finite x > 0: x = 2^n m with sqrt(1/2) <= m < sqrt(2), log(m) = 2 artanh((m - 1) / (m + 1)).

    Twin: torch.log.
    """
    bits, mantissa, terms = (np.int32, 23, 5) if real is np.float32 else (np.int64, 52, 11)
    exponent, half, log_2, two = bits(mantissa), real(math.sqrt(0.5)).view(bits), real(math.log(2)), real(2)
    fraction, one = bits(2**mantissa - 1), real(1)
    series = tuple(real(1 / (2 * k + 1)) for k in reversed(range(terms)))

    def implementation(x):
        above = bits(as_type(x, half) - half)
        n = real(above >> exponent)
        m = as_type(bits((above & fraction) + half), x)
        s = (m - one) / (m + one)
        return n * log_2 + two * s * horner(s * s, series)

    return implementation


@by_precision
def sigmoid(real: type) -> Callable[..., Any]:
    """1 / (1 + e^-x). Twin: torch.sigmoid."""
    one = real(1)
    return lambda x: one / (one + exp(-x))


@by_precision
def tanh(real: type) -> Callable[..., Any]:
    """2 sigmoid(2 x) - 1. Twin: torch.tanh."""
    one, two = real(1), real(2)
    return lambda x: two / (one + exp(-two * x)) - one


@by_precision
def softplus(real: type) -> Callable[..., Any]:
    """log(1 + e^x), and x itself beyond 20. Twin: torch.nn.functional.softplus."""
    zero, one, straight = real(0), real(1), real(20)

    def implementation(x):
        u = exp(-abs(x))
        w = one + u
        rounding = u - (w - one)  # the part of u lost in w: keeps small results exact
        smooth = (x if x > zero else zero) + log(w) + rounding / w
        return x if x > straight else smooth

    return implementation
