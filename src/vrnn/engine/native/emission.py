"""How a generated point is drawn from the decoder's raw outputs, and what the networks then see of it: kernels for a row.

The formulas are those of networks/frame.py and objective/likelihoods.py.
"""

# mypy: allow-untyped-defs, no-check-untyped-defs
from __future__ import annotations

from typing import NamedTuple

from vrnn.engine.native.jit import inner
from vrnn.engine.native.program import SIGMOID
from vrnn.engine.native.vector_math import exp, sigmoid, softplus

NOTHING, LAST_POINT, VELOCITY = range(3)


class Manner(NamedTuple):
    """x_dim; components: of the mixture, 0 for a single Gaussian; squash: of its deviations; origin: of its means.

    differences, sample: 0 or 1, whether the networks see differences, and whether a point is drawn or the mean is taken.
    """

    x_dim: int
    components: int
    squash: int
    origin: int
    differences: int
    sample: int


@inner
def draw_point(tape, raw, x, last, previous2, noise, uniform, manner, sizes):
    """Write the point's x_dim coordinates to x, from where the pen was."""
    x_dim, components, kind, origin, _, sample = manner
    scale, floor, width, _ = sizes
    zero = tape.dtype.type(0)
    means = raw + components
    stds = means + max(1, components) * x_dim
    chosen = x_dim * (choose(tape, raw, components, uniform) if sample else 0)
    for i in range(x_dim):
        if origin == LAST_POINT:
            start = last[i]
        elif origin == VELOCITY:
            start = last[i] + last[i] - previous2[i]
        else:
            start = zero
        if sample:
            std = floor
            if width > 0:  # else there is no raw deviation to read
                raw_std = tape[stds + chosen + i]
                std += width * (sigmoid(raw_std) if kind == SIGMOID else softplus(raw_std))
            x[i] = start + scale * tape[means + chosen + i] + std * noise[i]
        elif components:
            x[i] = start + scale * blend(tape, raw, components, means + i, x_dim)
        else:
            x[i] = start + scale * tape[means + i]


@inner
def weigh(tape, raw, components):
    """The highest of the mixture's logits, and the sum of exp(logit - highest)."""
    highest = tape[raw]
    for c in range(1, components):
        highest = max(highest, tape[raw + c])
    total = tape.dtype.type(0)
    for c in range(components):
        total += exp(tape[raw + c] - highest)
    return highest, total


@inner
def choose(tape, raw, components, uniform):
    """The component: how many of the weights' cumulative sums, but the last, lie below `uniform`."""
    below, chosen = tape.dtype.type(0), 0
    if components < 2:
        return chosen
    highest, total = weigh(tape, raw, components)
    for c in range(components - 1):
        below += exp(tape[raw + c] - highest) / total
        chosen += below < uniform
    return chosen


@inner
def blend(tape, raw, components, mean, step):
    """The mixture's mean of the coordinate whose components' means stand at mean, mean + step, …"""
    highest, total = weigh(tape, raw, components)
    sum_ = tape.dtype.type(0)
    for c in range(components):
        sum_ += exp(tape[raw + c] - highest) / total * tape[mean + c * step]
    return sum_


@inner
def show_point(tape, features, x, last, manner, gain):
    """Write what the networks see of the point."""
    x_dim, differences = manner[0], manner[4]
    for i in range(x_dim):
        tape[features + i] = x[i]
    if differences:
        for i in range(x_dim):
            tape[features + x_dim + i] = gain * (x[i] - last[i])


@inner
def move_on(x, last, previous2, fresh, x_dim):
    """Make the point the last one: see interface.State."""
    for i in range(x_dim):
        previous2[i] = x[i] if fresh else last[i]
        last[i] = x[i]
