"""Gaussian distributions as plain tuples of tensors, their log-density and their KL divergence."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

LOG_2PI = math.log(2 * math.pi)


class Gaussian(NamedTuple):
    """Independent Gaussians.

    Attributes:
        mean: (…, dim).
        std: Standard deviations, (…, dim).
    """

    mean: Tensor
    std: Tensor


class GaussianMixture(NamedTuple):
    """A mixture of K diagonal Gaussians.

    Attributes:
        log_weights: Normalised, (…, K).
        mean: (…, K, dim).
        std: Standard deviations, (…, K, dim).
    """

    log_weights: Tensor
    mean: Tensor
    std: Tensor


def temper_log_probs(log_probs: Tensor, temperature: float) -> Tensor:
    """Return the normalised logarithms of p^(1/temperature) over the last dimension, (…, classes)."""
    return (log_probs / temperature).log_softmax(-1)


def gaussian_log_prob(x: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    """Return log N(x; mean, diag(std^2)) in nats, summed over the last dimension, (…).

    Args:
        x: (…, dim).
        mean: (…, dim), or a shape that broadcasts to it.
        std: Likewise.
    """
    if not x.shape == mean.shape == std.shape:
        x, mean, std = torch.broadcast_tensors(x, mean, std)
    return _GaussianLogProb.apply(x, mean, std)


def gaussian_kl(q: Gaussian, p: Gaussian) -> Tensor:
    """Return the exact KL(q || p) of each dimension in nats, (…, dim).

    log(s_p / s_q) + (s_q^2 + (m_q - m_p)^2) / (2 s_p^2) - 1/2 (Kingma & Welling 2014, arXiv 1312.6114, appendix B, for two
    Gaussians).

    Args:
        q: Parts (…, dim), or shapes that broadcast to it.
        p: Likewise.
    """
    parts = (*q, *p)
    if any(part.shape != q.mean.shape for part in parts):
        parts = torch.broadcast_tensors(*parts)
    return _GaussianKL.apply(*parts)


# Gradients written by hand: a fifth of the operators that autograd would run.


class _GaussianLogProb(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, mean: Tensor, std: Tensor) -> Tensor:
        distance = (x - mean).div_(std)
        ctx.save_for_backward(distance, std)
        constant = 0.5 * LOG_2PI * x.shape[-1]
        return std.log().addcmul_(distance, distance, value=0.5).sum(-1).add_(constant).neg_()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        distance, std = ctx.saved_tensors
        per_std = gradient.unsqueeze(-1) / std
        d_mean = per_std * distance
        d_x = -d_mean if ctx.needs_input_grad[0] else None
        return d_x, d_mean, torch.addcmul(-per_std, d_mean, distance)


class _GaussianKL(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, q_mean: Tensor, q_std: Tensor, p_mean: Tensor, p_std: Tensor) -> Tensor:
        ratio, distance = q_std / p_std, (q_mean - p_mean).div_(p_std)
        squares = (ratio * ratio).addcmul_(distance, distance).sub_(1.0)
        ctx.save_for_backward(ratio, distance, squares, q_std, p_std)
        return torch.sub(0.5 * squares, ratio.log())

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, ...]:
        ratio, distance, squares, q_std, p_std = ctx.saved_tensors
        per_std = gradient / p_std
        d_mean = per_std * distance
        return d_mean, torch.addcdiv(per_std * ratio, gradient, q_std, value=-1), -d_mean, (per_std * squares).neg_()
