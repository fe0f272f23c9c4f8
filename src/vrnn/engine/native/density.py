"""Log-densities of a point and of z, by which particles are weighed: kernels for one row.

The formulas are those of vrnn.objective.likelihoods and vrnn.objective.latents.
"""

# mypy: allow-untyped-defs, no-check-untyped-defs
from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from vrnn.engine.native.emission import correlation, deviation
from vrnn.engine.native.jit import inner
from vrnn.engine.native.tape import Slot
from vrnn.engine.native.vector_math import exp, log, softplus

EMPTY = Slot(0, 0)
HALF_LOG_2PI = 0.5 * math.log(2 * math.pi)


class DistributionSlots(NamedTuple):
    """Where a distribution over z is on the tape; probs: exp(log_probs). Parts that z does not have are empty."""

    mean: Slot = EMPTY
    std: Slot = EMPTY
    log_probs: Slot = EMPTY
    probs: Slot = EMPTY

    def results(self) -> list[Slot]:
        """Return the parts that the latent's own distribution has."""
        return [slot for slot in (self.mean, self.std, self.log_probs) if slot.dim]


@inner
def log_point(spec, tape, raw, x, offset, terms):
    """Return log p(x) in nats of one point. Twin: Likelihood.from_raw, then Likelihood.log_prob.

    Args:
        spec: `emission.EmissionSpec`.
        tape: Flat array.
        raw: Where the row's raw outputs begin on the tape.
        x: The point, (x_dim,).
        offset: What the means are relative to, (x_dim,).
        terms: Scratch memory, (x_dim,): vector instructions fill it, the sum is in order.
    """
    at = np.uintp(raw)
    for i in range(np.uintp(spec.binary)):
        terms[i] = x[i] * tape[at + i] - softplus(tape[at + i])
    total = sum_of(terms, spec.binary)
    if spec.binary == spec.x_dim:
        return total
    logits, components = raw + spec.binary, spec.components
    if components < 2:
        return total + log_component(spec, tape, logits, 0, x, offset)
    highest, inside = tape[logits], tape.dtype.type(0)
    for c in range(1, components):
        highest = max(highest, tape[logits + c])
    best = highest
    for c in range(components):
        inside += exp(tape[logits + c] - highest)
        joint = tape[logits + c] + log_component(spec, tape, logits, c, x, offset)
        best = joint if c == 0 else max(best, joint)
    outside = tape.dtype.type(0)
    for c in range(components):
        outside += exp(tape[logits + c] + log_component(spec, tape, logits, c, x, offset) - best)
    return total + best + log(outside) - highest - log(inside)


@inner
def log_component(spec, tape, logits, c, x, offset):
    """Return the log-density of the real coordinates under component c."""
    first, one = spec.binary, tape.dtype.type(1)
    dim = spec.x_dim - first
    means = logits + spec.components + c * dim
    stds = means + max(1, spec.components) * dim
    half, constant = tape.dtype.type(0.5), tape.dtype.type(HALF_LOG_2PI)
    total, before = tape.dtype.type(0), tape.dtype.type(0)
    for i in range(dim):
        std = deviation(spec, tape, stds + i)
        distance = (x[first + i] - offset[first + i] - spec.scale * tape[means + i]) / std
        if spec.correlated and i:  # p(x2 | x1)
            rho = correlation(spec, tape, logits, c)
            narrower = np.sqrt(one - rho * rho)
            distance = (distance - rho * before) / narrower
            std *= narrower
        total -= half * distance * distance + log(std) + constant
        before = distance
    return total


@inner
def log_ratio(q, p, z, tape, row, terms):
    """Return log p(z) - log q(z) in nats of one row. Twin: Latent.log_prob.

    Args:
        q: `DistributionSlots` of the posterior.
        p: Of the prior.
        z: The slot of z, Gaussian dimensions first.
        tape: Flat array.
        row: Where the row begins.
        terms: Scratch memory, (z_dim,).
    """
    half, n = tape.dtype.type(0.5), np.uintp(q.mean.dim)
    here, q_mean, q_std = np.uintp(row + z.column), np.uintp(row + q.mean.column), np.uintp(row + q.std.column)
    p_mean, p_std = np.uintp(row + p.mean.column), np.uintp(row + p.std.column)
    for i in range(n):
        by_q = (tape[here + i] - tape[q_mean + i]) / tape[q_std + i]
        by_p = (tape[here + i] - tape[p_mean + i]) / tape[p_std + i]
        terms[i] = half * (by_q * by_q - by_p * by_p) + log(tape[q_std + i] / tape[p_std + i])
    one_hot, q_log, p_log = here + n, np.uintp(row + q.log_probs.column), np.uintp(row + p.log_probs.column)
    for i in range(np.uintp(q.log_probs.dim)):
        terms[n + i] = tape[one_hot + i] * (tape[p_log + i] - tape[q_log + i])
    return sum_of(terms, q.mean.dim + q.log_probs.dim)


@inner
def sum_of(terms, n):
    """Return the sum of the first n terms."""
    total = terms.dtype.type(0)
    for i in range(np.uintp(n)):
        total += terms[i]
    return total
