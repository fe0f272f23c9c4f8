"""The distributions a VRNN speaks of, as plain tuples of tensors, and the divergence between two Gaussians."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

LOG_2PI = math.log(2 * math.pi)


class Gaussian(NamedTuple):
    """Independent Gaussians. mean, std: (…, dim)."""

    mean: Tensor
    std: Tensor


class GaussianMixture(NamedTuple):
    """A mixture of K diagonal Gaussians. log_weights: (…, K), normalised; mean, std: (…, K, dim)."""

    log_weights: Tensor
    mean: Tensor
    std: Tensor


def gaussian_log_prob(x: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    """Return log N(x; mean, diag(std^2)) summed over the last dimension, in nats: (…, dim) -> (…)."""
    return (-0.5 * ((x - mean) / std).square() - std.log() - 0.5 * LOG_2PI).sum(-1)


def gaussian_kl(q: Gaussian, p: Gaussian) -> Tensor:
    """Return the exact KL(q || p) of each dimension in nats: (…, dim).

    log(s_p / s_q) + (s_q^2 + (m_q - m_p)^2) / (2 s_p^2) - 1/2 (Kingma & Welling 2014, appendix B, for two Gaussians).
    """
    ratio = q.std / p.std
    return 0.5 * (ratio.square() + ((q.mean - p.mean) / p.std).square() - 1) - ratio.log()


def where_observed(x: Tensor, mask: Tensor | None) -> Tensor:
    """Put zeros where the mask (T, B) is False, so that nothing there, not even a NaN, reaches values or gradients."""
    return x if mask is None else torch.where(mask.unsqueeze(-1), x, x.new_zeros(()))
