"""Gaussian variables: kernels of the instructions Std and SampleGaussian."""

# mypy: allow-untyped-defs, no-check-untyped-defs
from __future__ import annotations

import numpy as np

from vrnn.engine.native.jit import inlined, inner
from vrnn.engine.native.vector_math import sigmoid, softplus

SOFTPLUS, SIGMOID = range(2)


@inlined
def std_forward(op, tape, weights, rows):
    """std = floor + squash(raw). Twin: vrnn.objective.likelihoods.base.positive."""
    floor = weights[op.floor_place]
    for row in range(rows.start, rows.start + rows.n * rows.width, rows.width):
        squash(op.kind, tape, np.uintp(row + op.raw), np.uintp(row + op.std), floor, np.uintp(op.width))


@inlined
def std_backward(op, tape, grads, rows, d_rows):
    """Add to the gradient of raw what comes from that of std."""
    for r in range(0, rows.n * rows.width, rows.width):
        d_raw, d_std = np.uintp(d_rows.start + r + op.raw), np.uintp(d_rows.start + r + op.std)
        squash_gradient(op.kind, grads, tape, d_raw, d_std, np.uintp(rows.start + r + op.raw), np.uintp(op.width))


@inlined
def sample_gaussian_forward(op, tape, rows):
    """z = mean + std * noise. Twin: vrnn.objective.latents.GaussianLatent.sample."""
    for row in range(rows.start, rows.start + rows.n * rows.width, rows.width):
        mean, std = np.uintp(row + op.mean), np.uintp(row + op.std)
        noise, z = np.uintp(row + op.noise), np.uintp(row + op.z)
        for j in range(np.uintp(op.width)):
            tape[z + j] = tape[mean + j] + tape[std + j] * tape[noise + j]


@inlined
def sample_gaussian_backward(op, tape, grads, rows, d_rows):
    """Add to the gradients of mean, std and noise what comes from that of z."""
    n = np.uintp(op.width)
    for r in range(0, rows.n * rows.width, rows.width):
        row, d_row = rows.start + r, d_rows.start + r
        std, noise = np.uintp(row + op.std), np.uintp(row + op.noise)
        d_mean, d_std = np.uintp(d_row + op.mean), np.uintp(d_row + op.std)
        d_noise, d_z = np.uintp(d_row + op.noise), np.uintp(d_row + op.z)
        for j in range(n):
            grads[d_mean + j] += grads[d_z + j]
        for j in range(n):
            grads[d_std + j] += grads[d_z + j] * tape[noise + j]
        for j in range(n):
            grads[d_noise + j] += grads[d_z + j] * tape[std + j]


@inner
def squash(kind, tape, raw, std, floor, n):
    """std = softplus(raw) + floor or sigmoid(raw) + floor, n numbers."""
    if kind == SOFTPLUS:
        for j in range(n):
            tape[std + j] = softplus(tape[raw + j]) + floor
    else:
        for j in range(n):
            tape[std + j] = sigmoid(tape[raw + j]) + floor


@inner
def squash_gradient(kind, d, tape, d_raw, d_std, raw, n):
    """Add to n gradients of raw what comes from those of std."""
    if kind == SOFTPLUS:
        for j in range(n):
            d[d_raw + j] += d[d_std + j] * sigmoid(tape[raw + j])
    else:
        for j in range(n):
            s = sigmoid(tape[raw + j])
            d[d_raw + j] += d[d_std + j] * (s - s * s)
