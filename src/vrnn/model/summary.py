"""The summaries a_t of a recurrent posterior: what the encoder knows of all observed points before it draws z_t."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import cast

import torch
from torch import Tensor

from vrnn.engine import dispatch
from vrnn.engine.dispatch import EngineName
from vrnn.networks.condition import beside
from vrnn.networks.recurrence import Recurrence
from vrnn.networks.six_networks import SixNetworks


def summarise(
    networks: SixNetworks, engine: EngineName, x: Tensor, mask: Tensor | None, context: Tensor | None
) -> Tensor | None:
    """Return a_t, (T, B, posterior.dim); None with a filtering posterior.

    A recurrence sees the observed points alone: it begins at each trace's own first or last one, and crosses a gap as if the
    points on both sides of it were neighbours. At a missing point a_t is that of the point before it in the recurrence's
    direction, and 0 before the first.

    Args:
        networks: The six networks.
        engine: Of the recurrences.
        x: (T, B, x_dim), finite everywhere.
        mask: (T, B), False where x holds no point; None: nowhere.
        context: (T, B, c_dim); None without a condition.
    """
    posterior, parts = networks.posterior, []
    for direction, recurrence in zip(posterior.directions, posterior.recurrences, strict=True):
        along = partial(_states, networks, engine, cast(Recurrence, recurrence))
        parts.append(along(x, mask, context) if direction == "forward" else _turned(along, x, mask, context))
    return torch.cat(parts, dim=-1) if parts else None


def _turned(
    along: Callable[[Tensor, Tensor | None, Tensor | None], Tensor],
    x: Tensor,
    mask: Tensor | None,
    context: Tensor | None,
) -> Tensor:
    """Return what `along` returns from the last step to the first, in order of time."""
    mask, context = (None if part is None else part.flip(0) for part in (mask, context))
    return along(x.flip(0), mask, context).flip(0)


def _states(
    networks: SixNetworks,
    engine: EngineName,
    recurrence: Recurrence,
    x: Tensor,
    mask: Tensor | None,
    context: Tensor | None,
) -> Tensor:
    """Return the outputs of a recurrence after each step, (T, B, h_dim), in order of time."""
    if mask is not None:
        order = (~mask).long().argsort(dim=0, stable=True)  # observed points first
        x, context = _at(x, order), None if context is None else _at(context, order)
    inputs = beside(context, networks.coordinates.features(x, torch.cat([x[:1], x[:-1]])))
    states = dispatch.scan(recurrence, engine, inputs)
    return states[1:] if mask is None else _at(states, mask.cumsum(dim=0))


def _at(parts: Tensor, steps: Tensor) -> Tensor:
    """Return the parts (T, B, dim) at each trace's steps (T', B)."""
    return parts.gather(0, steps.unsqueeze(-1).expand(-1, -1, parts.shape[-1]))
