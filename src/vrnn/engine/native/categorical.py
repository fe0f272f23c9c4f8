"""One-hot variables: kernels of the instructions LogSoftmax, SampleClass, GumbelScore and Argmax.

A row holds `variables` variables of `classes` classes, one after another without gaps. The formulas are those of
vrnn.objective.latents.CategoricalLatent.
"""

# mypy: allow-untyped-defs, no-check-untyped-defs
from __future__ import annotations

import numpy as np

from vrnn.engine.native.jit import inner
from vrnn.engine.native.tape import add, add_scaled
from vrnn.engine.native.vector_math import exp, log


@inner
def log_softmax_forward(op, tape, weights, rows):
    """Compute log probabilities and probabilities from the logits. Twin: CategoricalLatent.from_raw."""
    least = weights[op.least_place]
    for row in range(rows.start, rows.start + rows.n * rows.width, rows.width):
        log_softmax(op, tape, row, least)


@inner
def log_softmax_backward(op, tape, grads, weights, rows, d_rows):
    """Add to the gradient of the logits what comes from those of log probabilities and probabilities."""
    least = weights[op.least_place]
    for r in range(0, rows.n * rows.width, rows.width):
        log_softmax_gradient(op, grads, tape, d_rows.start + r, rows.start + r, least)


@inner
def sample_class_forward(op, tape, rows):
    """Draw a one-hot z by the inverse cumulative distribution. Twin: CategoricalLatent.sample."""
    for row in range(rows.start, rows.start + rows.n * rows.width, rows.width):
        sample_class(op, tape, row)


@inner
def sample_class_backward(op, grads, d_rows):
    """Straight-through gradient: that of the probabilities receives that of z (Bengio et al. 2013, arXiv 1308.3432)."""
    n = np.uintp(op.variables * op.classes)
    for d_row in range(d_rows.start, d_rows.start + d_rows.n * d_rows.width, d_rows.width):
        add(grads, np.uintp(d_row + op.probs), grads, np.uintp(d_row + op.z), n)


@inner
def gumbel_score_forward(op, tape, weights, rows):
    """scores = (log_probs + Gumbel noise) / temperature. Twin: CategoricalLatent.sample (Jang et al. 2017, 1611.01144)."""
    place = np.uintp(op.constants_place)
    slope, tiny = weights[place], weights[place + np.uintp(1)]
    for row in range(rows.start, rows.start + rows.n * rows.width, rows.width):
        log_probs, uniform, scores = np.uintp(row + op.log_probs), np.uintp(row + op.uniform), np.uintp(row + op.scores)
        for j in range(np.uintp(op.width)):
            exponential = -log(max(tape[uniform + j], tiny))
            tape[scores + j] = slope * (tape[log_probs + j] - log(max(exponential, tiny)))


@inner
def gumbel_score_backward(op, grads, weights, d_rows):
    """Add to the gradient of log_probs what comes from that of the scores."""
    slope = weights[op.constants_place]
    for d_row in range(d_rows.start, d_rows.start + d_rows.n * d_rows.width, d_rows.width):
        d_log_probs, d_scores = np.uintp(d_row + op.log_probs), np.uintp(d_row + op.scores)
        add_scaled(grads, d_log_probs, grads, d_scores, slope, np.uintp(op.width))


@inner
def argmax_forward(op, tape, rows):
    """Write the one-hot class of the highest score. Twin: torch.argmax, then torch.nn.functional.one_hot."""
    for row in range(rows.start, rows.start + rows.n * rows.width, rows.width):
        argmax(op, tape, row)


@inner
def log_softmax(op, tape, row, least):
    """Compute one row; least: the least probability of a class."""
    raw, log_probs, probs = np.uintp(row + op.raw), np.uintp(row + op.log_probs), np.uintp(row + op.probs)
    n, variables, classes = np.uintp(op.width), np.uintp(op.variables), np.uintp(op.classes)
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
        inverse, shift = one / total, log(total)
        for j in range(first, first + classes):
            tape[probs + j] *= inverse
            tape[log_probs + j] -= shift
    if least > 0:
        learned = one - least * tape.dtype.type(classes)
        for j in range(n):
            tape[probs + j] = learned * tape[probs + j] + least
            tape[log_probs + j] = log(tape[probs + j])


@inner
def log_softmax_gradient(op, d, tape, d_row, row, least):
    """Compute one row's gradient of the logits."""
    d_raw, d_log_probs = np.uintp(d_row + op.raw), np.uintp(d_row + op.log_probs)
    d_probs, probs = np.uintp(d_row + op.probs), np.uintp(row + op.probs)
    n, variables, classes = np.uintp(op.width), np.uintp(op.variables), np.uintp(op.classes)
    inverse_learned = tape.dtype.type(1) / (tape.dtype.type(1) - least * tape.dtype.type(classes))
    for j in range(n):
        d[d_log_probs + j] += d[d_probs + j] * tape[probs + j]
    if least > 0:  # from here on the gradient of the log probabilities before the uniform distribution is mixed in
        for j in range(n):
            d[d_log_probs + j] -= d[d_log_probs + j] * (least / tape[probs + j])
    for first in range(np.uintp(0), variables * classes, classes):
        total = tape.dtype.type(0)
        for j in range(first, first + classes):
            total += d[d_log_probs + j]
        total *= inverse_learned
        for j in range(first, first + classes):
            d[d_raw + j] += d[d_log_probs + j] - total * (tape[probs + j] - least)


@inner
def sample_class(op, tape, row):
    """Draw one row: the class is the number of cumulative probabilities, except the last, that are below `uniform`."""
    probs, uniform, z = np.uintp(row + op.probs), np.uintp(row + op.uniform), np.uintp(row + op.z)
    variables, classes = np.uintp(op.variables), np.uintp(op.classes)
    zero, one = tape.dtype.type(0), tape.dtype.type(1)
    for j in range(np.uintp(op.width)):
        tape[z + j] = zero
    for v in range(variables):
        first, below = v * classes, zero
        chosen = first
        for j in range(first, first + classes - np.uintp(1)):
            below += tape[probs + j]
            chosen += np.uintp(below < tape[uniform + v])
        tape[z + chosen] = one


@inner
def argmax(op, tape, row):
    """Choose one row's classes: the first of each variable's highest scores."""
    scores, z = np.uintp(row + op.scores), np.uintp(row + op.z)
    variables, classes = np.uintp(op.variables), np.uintp(op.classes)
    zero, one = tape.dtype.type(0), tape.dtype.type(1)
    for j in range(np.uintp(op.width)):
        tape[z + j] = zero
    for first in range(np.uintp(0), variables * classes, classes):
        chosen = first
        for j in range(first, first + classes):
            if tape[scores + j] > tape[scores + chosen]:
                chosen = j
        tape[z + chosen] = one
