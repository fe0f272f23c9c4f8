"""The one place where losses of shape (T, B) are masked and reduced."""

from __future__ import annotations

import torch
from torch import Tensor


def mean_per_step(values: Tensor, mask: Tensor | None) -> Tensor:
    """Return the mean over all observed steps of all traces. values, mask: (T, B) -> ()."""
    if mask is None:
        return values.mean()
    return torch.where(mask, values, values.new_zeros(())).sum() / mask.sum().clamp(min=1)


def mean_per_trace(values: Tensor, mask: Tensor | None) -> Tensor:
    """Return the sum over the observed steps, mean over the traces that have any. values, mask: (T, B) -> ()."""
    if mask is None:
        return values.sum(0).mean()
    return torch.where(mask, values, values.new_zeros(())).sum() / mask.any(0).sum().clamp(min=1)
