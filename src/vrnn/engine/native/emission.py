"""How a generated point is drawn from the decoder's raw outputs, and how the networks see it: kernels for one row.

The formulas are those of vrnn.networks.coordinates and vrnn.objective.likelihoods.
"""

# mypy: allow-untyped-defs, no-check-untyped-defs
from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from vrnn.engine.native.gaussian import SIGMOID
from vrnn.engine.native.jit import inlined, inner
from vrnn.engine.native.vector_math import exp, sigmoid, softplus, tanh

NOTHING, LAST_POINT, VELOCITY = range(3)


class EmissionSpec(NamedTuple):
    """How points are drawn.

    Attributes:
        x_dim: Numbers per point.
        binary: How many of them, the first, are binary.
        components: Components of the mixture; 0 for a single Gaussian.
        squash: SOFTPLUS or SIGMOID of `gaussian`, for the standard deviations.
        offset: NOTHING, LAST_POINT or VELOCITY: what the means are relative to.
        differences: 1 if the networks see differences of points, too; else 0.
        sample: 1 if a point is drawn, 0 if its mean is taken.
        scale: Unit of the means.
        std_floor: Added to the standard deviations.
        std_width: Factor of the squashed raw deviations; 0: there are none, all deviations are std_floor.
        difference_gain: Factor of the differences that the networks see.
        correlated: The largest correlation of two real coordinates; 0: they are independent.
    """

    x_dim: int
    binary: int
    components: int
    squash: int
    offset: int
    differences: int
    sample: int
    scale: float
    std_floor: float
    std_width: float
    difference_gain: float
    correlated: float

    def in_precision(self, dtype: np.dtype[Any]) -> EmissionSpec:
        """Return the spec with numpy scalars of this precision: Python's floats would widen float32 to float64."""
        return self._replace(
            **{name: dtype.type(value) for name, value in self._asdict().items() if type(value) is float}
        )


@inlined
def sample_point(spec, tape, raw, x, previous, previous2, noise, uniform):
    """Draw one point, or take its mean. Twin: Likelihood.from_raw, then Likelihood.sample or Likelihood.moments.

    Args:
        spec: `EmissionSpec`.
        tape: Flat array.
        raw: Where the row's raw outputs begin on the tape.
        x: The result, (x_dim,).
        previous: x_{t-1}, (x_dim,).
        previous2: x_{t-2}, (x_dim,).
        noise: Standard normal, (x_dim,).
        uniform: Uniform in [0, 1), for the mixture's component.
    """
    first, components = spec.binary, spec.components
    draw_binary(spec, tape, raw, x, noise)
    dim, logits = spec.x_dim - first, raw + first
    means = logits + components
    stds = means + max(1, components) * dim
    component = sample_component(tape, logits, components, uniform) if spec.sample else 0
    chosen = dim * component
    for i in range(dim):
        at = first + i
        if spec.offset == LAST_POINT:
            start = previous[at]
        elif spec.offset == VELOCITY:
            start = previous[at] + previous[at] - previous2[at]
        else:
            start = tape.dtype.type(0)
        if spec.sample:
            std, normal = deviation(spec, tape, stds + chosen + i), noise[at]
            if spec.correlated and i:
                rho = correlation(spec, tape, logits, component)
                normal = rho * noise[first] + np.sqrt(tape.dtype.type(1) - rho * rho) * normal
            x[at] = start + spec.scale * tape[means + chosen + i] + std * normal
        elif components:
            x[at] = start + spec.scale * mixture_mean(tape, logits, components, means + i, dim)
        else:
            x[at] = start + spec.scale * tape[means + i]


@inlined
def sample_point_backward(spec, tape, raw, grads, d_raw, d, noise, uniform):
    """Add to the gradients of the raw outputs what comes from that of a drawn point. Backward of `sample_point`.

    A binary coordinate and the choice of a component pass none on.

    Args:
        spec: `EmissionSpec`.
        tape: Flat array.
        raw: As in `sample_point`.
        grads: Gradients, in rows of the same columns as the tape's.
        d_raw: Where those of the raw outputs begin.
        d: That of the point, (x_dim,).
        noise: As in `sample_point`.
        uniform: As in `sample_point`.
    """
    first, components, one = spec.binary, spec.components, tape.dtype.type(1)
    dim, logits = spec.x_dim - first, raw + first
    component = sample_component(tape, logits, components, uniform)
    means = components + dim * component
    stds = means + max(1, components) * dim
    for i in range(dim):
        at, normal = first + i, noise[first + i]
        grads[d_raw + first + means + i] += spec.scale * d[at]
        if spec.correlated and i:
            tanh_rho = tanh(tape[logits + 5 * components + component])
            rho = spec.correlated * tanh_rho
            root = np.sqrt(one - rho * rho)
            slope = spec.correlated * (one - tanh_rho * tanh_rho) * (noise[first] - rho / root * noise[at])
            grads[d_raw + first + 5 * components + component] += (
                d[at] * deviation(spec, tape, logits + stds + i) * slope
            )
            normal = rho * noise[first] + root * normal
        if spec.std_width > 0:
            squashed = sigmoid(tape[logits + stds + i])
            slope = squashed - squashed * squashed if spec.squash == SIGMOID else squashed
            grads[d_raw + first + stds + i] += d[at] * normal * spec.std_width * slope


@inner
def draw_binary(spec, tape, raw, x, noise):
    """Draw the binary coordinates, or take their probabilities. Twin: bernoulli.sample_bernoulli."""
    half, root = tape.dtype.type(0.5), tape.dtype.type(math.sqrt(0.5))
    zero, one = tape.dtype.type(0), tape.dtype.type(1)
    for i in range(spec.binary):
        p = sigmoid(tape[raw + i])
        if spec.sample:  # 1 where the cumulative probability of the noise is below p
            x[i] = one if half * math.erfc(-noise[i] * root) < p else zero
        else:
            x[i] = p


@inlined
def correlation(spec, tape, logits, component):
    """Return the correlation of a component's two coordinates. Twin: BivariateLikelihood.from_raw."""
    return spec.correlated * tanh(tape[logits + 5 * spec.components + component])


@inlined
def deviation(spec, tape, raw_std):
    """Return a coordinate's standard deviation. Twin: DecoderDeviation.deviation."""
    std = spec.std_floor
    if spec.std_width > 0:  # otherwise the decoder has no raw deviations
        raw = tape[raw_std]
        std += spec.std_width * (sigmoid(raw) if spec.squash == SIGMOID else softplus(raw))
    return std


@inner
def log_sum_exp_terms(tape, logits, components):
    """Return the highest logit, and the sum of exp(logit - highest)."""
    highest = tape[logits]
    for c in range(1, components):
        highest = max(highest, tape[logits + c])
    total = tape.dtype.type(0)
    for c in range(components):
        total += exp(tape[logits + c] - highest)
    return highest, total


@inner
def sample_component(tape, logits, components, uniform):
    """Draw a component: the number of cumulative weights, except the last, that are below `uniform`."""
    below, chosen = tape.dtype.type(0), 0
    if components < 2:
        return chosen
    highest, total = log_sum_exp_terms(tape, logits, components)
    for c in range(components - 1):
        below += exp(tape[logits + c] - highest) / total
        chosen += below < uniform
    return chosen


@inner
def mixture_mean(tape, logits, components, mean, stride):
    """Return the mixture's mean of one coordinate, whose components' means are at mean, mean + stride, …"""
    highest, total = log_sum_exp_terms(tape, logits, components)
    weighted_sum = tape.dtype.type(0)
    for c in range(components):
        weighted_sum += exp(tape[logits + c] - highest) / total * tape[mean + c * stride]
    return weighted_sum


@inlined
def write_features(spec, tape, features, x, previous):
    """Write what the networks see of the point. Twin: Coordinates.features."""
    for i in range(spec.x_dim):
        tape[features + i] = x[i]
    if spec.differences:
        for i in range(spec.x_dim):
            tape[features + spec.x_dim + i] = spec.difference_gain * (x[i] - previous[i])


@inlined
def shift_history(x, previous, previous2, is_start, x_dim):
    """Make the point the previous one. Twin: State.after."""
    for i in range(x_dim):
        previous2[i] = x[i] if is_start else previous[i]
        previous[i] = x[i]
