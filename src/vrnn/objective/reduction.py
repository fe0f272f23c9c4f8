"""The one place where losses of shape (T, B) are masked and reduced."""

from __future__ import annotations

import torch
from torch import Tensor

from vrnn.distributed import all_reduce_sum, is_sharded


def any_observed(mask: Tensor | None) -> bool:
    """Tell whether a batch has an observed step at all: of one that has none, what follows batches learns nothing."""
    if mask is None and not is_sharded():
        return True
    return bool(all_reduce_sum(torch.ones(()) if mask is None else mask.sum()) > 0)


def mean_per_step(values: Tensor, mask: Tensor | None) -> Tensor:
    """Return the mean over all observed steps of all traces. values, mask: (T, B) -> ()."""
    if mask is None and not is_sharded():
        return values.mean()
    mask = torch.ones_like(values, dtype=torch.bool) if mask is None else mask
    return all_reduce_sum(torch.where(mask, values, values.new_zeros(())).sum()) / all_reduce_sum(mask.sum()).clamp(
        min=1
    )


def mean_per_trace(values: Tensor, mask: Tensor | None) -> Tensor:
    """Return the sum over the observed steps, mean over the traces that have any. values, mask: (T, B) -> ()."""
    if mask is None and not is_sharded():
        return values.sum(0).mean()
    mask = torch.ones_like(values, dtype=torch.bool) if mask is None else mask
    return all_reduce_sum(torch.where(mask, values, values.new_zeros(())).sum()) / all_reduce_sum(
        mask.any(0).sum()
    ).clamp(min=1)
