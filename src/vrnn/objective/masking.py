"""Masks (T, B) of observed steps: False where a trace has no point."""

from __future__ import annotations

import torch
from torch import Tensor


def where_observed(x: Tensor, mask: Tensor | None) -> Tensor:
    """Return x with zeros at the steps that are not observed, so that a NaN there reaches no value and no gradient.

    Args:
        x: (T, B, dim).
        mask: (T, B), False where x holds no point; None: it holds one everywhere.
    """
    return x if mask is None else torch.where(mask.unsqueeze(-1), x, x.new_zeros(()))


def has_gaps(mask: Tensor) -> bool:
    """Return whether an unobserved step comes before an observed one of the same trace.

    Args:
        mask: (T, B).
    """
    return bool((~mask[:-1] & mask[1:]).any())
