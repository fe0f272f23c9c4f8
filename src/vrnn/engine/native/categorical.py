"""One-hot variables for the kernels: their probabilities, and how a class is drawn. Functions on one row of the tape.

The formulas are those of objective/latents.py. `variables` variables of `classes` classes lie one after another without gaps; n
is their number rounded up to whole vectors. `even`: the least probability, uniform / classes.
"""

# mypy: allow-untyped-defs, no-check-untyped-defs
from __future__ import annotations

import numpy as np

from vrnn.engine.native.jit import inner
from vrnn.engine.native.vector_math import exp, log


@inner
def log_softmax(tape, raw, log_probs, probs, n, variables, classes, even):
    """Write the log probabilities and the probabilities that the logits `raw` stand for."""
    one = tape.dtype.type(1)
    for j in range(n):
        tape[log_probs + j] = tape[raw + j]
    for first in range(np.uintp(0), variables * classes, classes):
        highest = tape[raw + first]
        for j in range(first, first + classes):
            highest = max(highest, tape[raw + j])
        for j in range(first, first + classes):
            tape[log_probs + j] -= highest
    for j in range(n):
        tape[probs + j] = exp(tape[log_probs + j])
    for first in range(np.uintp(0), variables * classes, classes):
        total = tape.dtype.type(0)
        for j in range(first, first + classes):
            total += tape[probs + j]
        share, shift = one / total, log(total)
        for j in range(first, first + classes):
            tape[probs + j] *= share
            tape[log_probs + j] -= shift
    if even > 0:
        keep = one - even * tape.dtype.type(classes)
        for j in range(n):
            tape[probs + j] = keep * tape[probs + j] + even
            tape[log_probs + j] = log(tape[probs + j])


@inner
def log_softmax_backward(d, tape, d_raw, d_log_probs, d_probs, probs, n, variables, classes, even):
    """Add to the gradient of the logits what comes from those of both results."""
    left = tape.dtype.type(1) / (tape.dtype.type(1) - even * tape.dtype.type(classes))
    for j in range(n):
        d[d_log_probs + j] += d[d_probs + j] * tape[probs + j]
    if even > 0:  # now in terms of the unmixed log probabilities
        for j in range(n):
            d[d_log_probs + j] -= d[d_log_probs + j] * (even / tape[probs + j])
    for first in range(np.uintp(0), variables * classes, classes):
        total = tape.dtype.type(0)
        for j in range(first, first + classes):
            total += d[d_log_probs + j]
        total *= left
        for j in range(first, first + classes):
            d[d_raw + j] += d[d_log_probs + j] - total * (tape[probs + j] - even)


@inner
def draw_classes(tape, probs, uniform, z, n, variables, classes):
    """Write a one-hot z: of the cumulative sums of a variable's probabilities, all but the last, count those below `uniform`.

    n: how many numbers from z on are the kernels' own.
    """
    zero, one = tape.dtype.type(0), tape.dtype.type(1)
    for j in range(n):
        tape[z + j] = zero
    for v in range(variables):
        first, below = v * classes, zero
        chosen = first
        for j in range(first, first + classes - np.uintp(1)):
            below += tape[probs + j]
            chosen += np.uintp(below < tape[uniform + v])
        tape[z + chosen] = one


@inner
def highest_classes(tape, scores, z, n, variables, classes):
    """Write a one-hot z: the first of each variable's highest scores."""
    zero, one = tape.dtype.type(0), tape.dtype.type(1)
    for j in range(n):
        tape[z + j] = zero
    for first in range(np.uintp(0), variables * classes, classes):
        chosen = first
        for j in range(first, first + classes):
            if tape[scores + j] > tape[scores + chosen]:
                chosen = j
        tape[z + chosen] = one


@inner
def gumbel(tape, log_probs, uniform, scores, n, slope, tiny):
    """scores = slope (log_probs - log(-log(uniform))), slope = 1 / temperature; tiny: the smallest number with a logarithm."""
    for j in range(n):
        surprise = -log(max(tape[uniform + j], tiny))
        tape[scores + j] = slope * (tape[log_probs + j] - log(max(surprise, tiny)))
