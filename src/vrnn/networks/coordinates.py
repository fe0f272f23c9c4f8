"""Coordinates: what the networks see of a point, and what the decoder's mean is relative to. The config group `frame`."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn


class Coordinates(nn.Module):
    """How points enter and leave the networks.

    Before a trace's first point the pen is at 0 and at rest: x_{-1} = x_{-2} = 0. After the first point x_0 it is at rest
    there, so that the jump to it is not taken for a velocity. With a `Beginning` the decoder does not describe x_0.

    Args:
        inputs: "position" shows the networks x_t; "position_difference" shows x_t and difference_gain * (x_t - x_{t-1}).
        difference_gain: The factor of the difference.
        relative_to: The decoder's mean is offset + scale * output, where the offset is 0 ("nothing"), x_{t-1} ("last_point") or
            the constant-velocity extrapolation 2 x_{t-1} - x_{t-2} ("velocity").
        scale: The unit of the decoder's mean and, unless they have a ceiling, of its standard deviations.
        predicts: The decoder at step t describes "this" point, x_t, or the "next", x_{t+1}. The latter is the loss of the
            blog's predictive variant; it is no bound on log p(x), since the posterior at t has not seen the point described.
            Generation feeds either back as x_t, so a model that learned x_{t+1} moves about twice as fast.

    Raises:
        ValueError: An unknown choice, a scale that is not positive, or predicts="next" with another offset than "nothing".
    """

    def __init__(
        self,
        inputs: Literal["position", "position_difference"] = "position_difference",
        difference_gain: float = 4.0,
        relative_to: Literal["nothing", "last_point", "velocity"] = "velocity",
        scale: float = 0.1,
        predicts: Literal["this", "next"] = "this",
    ):
        super().__init__()
        if inputs not in ("position", "position_difference"):
            raise ValueError(f"frame.inputs must be 'position' or 'position_difference', but is {inputs!r}.")
        if relative_to not in ("nothing", "last_point", "velocity"):
            raise ValueError(
                f"frame.relative_to must be 'nothing', 'last_point' or 'velocity', but is {relative_to!r}."
            )
        if predicts not in ("this", "next"):
            raise ValueError(f"frame.predicts must be 'this' or 'next', but is {predicts!r}.")
        if predicts == "next" and relative_to != "nothing":
            raise ValueError(f"frame.predicts=next needs frame.relative_to=nothing, but that is {relative_to!r}.")
        if scale <= 0:
            raise ValueError(f"frame.scale must be positive, but is {scale}.")
        self.inputs, self.difference_gain, self.relative_to, self.scale = inputs, difference_gain, relative_to, scale
        self.predicts = predicts

    def check_gaps(self) -> None:
        """Refuse missing points where the decoder at a missing point does not describe that point.

        Raises:
            ValueError: predicts="next".
        """
        if self.predicts == "next":
            raise ValueError(
                "frame.predicts=next cannot fill in missing points: its decoder describes the point after. "
                "Choose frame.predicts=this, or data.gaps.share=0."
            )

    def n_features(self, x_dim: int) -> int:
        """Return how many numbers the networks see of a point."""
        return x_dim if self.inputs == "position" else 2 * x_dim

    def features(self, x: Tensor, previous: Tensor) -> Tensor:
        """Return the input of phi_x, (…, n_features), for x_t and x_{t-1}, each (…, x_dim)."""
        if self.inputs == "position":
            return x
        return torch.cat([x, self.difference_gain * (x - previous)], dim=-1)

    def mean_offset(self, previous: Tensor, previous2: Tensor) -> Tensor:
        """Return what the decoder's mean at step t is relative to, (…, x_dim), for x_{t-1} and x_{t-2}, each (…, x_dim)."""
        if self.relative_to == "nothing":
            return torch.zeros_like(previous)
        return previous if self.relative_to == "last_point" else 2 * previous - previous2

    def target(self, x: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Return the points that the decoder describes, (T, B, x_dim), and where they are known, (T, B) or None: everywhere.

        Args:
            x: (T, B, x_dim).
            mask: (T, B), False where x holds no point; None: nowhere.
        """
        if self.predicts == "this":
            return x, mask
        known = torch.ones_like(x[..., 0], dtype=torch.bool) if mask is None else mask
        return torch.cat([x[1:], x[-1:]]), torch.cat([known[1:], torch.zeros_like(known[-1:])])
