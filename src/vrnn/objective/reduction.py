"""The one place where losses of shape (T, B) are masked and reduced. Means are over all traces of all processes."""

from __future__ import annotations

import torch
from torch import Tensor

from vrnn.distributed import all_reduce_sum, is_sharded


def any_observed(mask: Tensor | None) -> bool:
    """Return whether a batch has any observed step. Running estimates must not move by a batch that has none.

    Args:
        mask: (T, B), True at observed steps; None: everywhere.
    """
    if mask is None and not is_sharded():
        return True
    return bool(all_reduce_sum(torch.ones(()) if mask is None else mask.sum()) > 0)


def mean_per_step(values: Tensor, mask: Tensor | None) -> Tensor:
    """Return the mean over all observed steps of all traces, (); 0 if there are none.

    Args:
        values: (T, B).
        mask: (T, B), True at observed steps; None: everywhere.
    """
    if mask is None and not is_sharded():
        return values.mean()
    mask = torch.ones_like(values, dtype=torch.bool) if mask is None else mask
    return _masked_sum(values, mask) / all_reduce_sum(mask.sum()).clamp(min=1)


def mean_per_trace(values: Tensor, mask: Tensor | None) -> Tensor:
    """Return the sum over the observed steps, as a mean over the traces that have any, (); 0 if there are none.

    Args:
        values: (T, B).
        mask: (T, B), True at observed steps; None: everywhere.
    """
    if mask is None and not is_sharded():
        return values.sum(0).mean()
    mask = torch.ones_like(values, dtype=torch.bool) if mask is None else mask
    return _masked_sum(values, mask) / all_reduce_sum(mask.any(0).sum()).clamp(min=1)


def _masked_sum(values: Tensor, mask: Tensor) -> Tensor:
    return all_reduce_sum(torch.where(mask, values, values.new_zeros(())).sum())
