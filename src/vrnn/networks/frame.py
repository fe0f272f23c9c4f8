"""The frame of reference: what the networks see of the pen, and from where the decoder's mean is measured."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn


class Frame(nn.Module):
    """Two choices that decide how much of the motion the networks must learn and how much they are given.

    inputs: "position" shows x_t; "position_difference" shows x_t and difference_gain * (x_t - x_{t-1}).
    relative_to: the decoder's mean is origin + scale * output, where origin is 0 ("nothing"), x_{t-1} ("last_point") or the
      constant-velocity extrapolation 2 x_{t-1} - x_{t-2} ("velocity"). Its deviations are in
      units of `scale` too, unless they have a ceiling.
    Before its first point the pen is at 0 and at rest: x_{-1} = 0, and x_{-2} = x_{-1}; after the first point x_0 it is at
    rest there, so no velocity is made up from the jump to it.
    """

    def __init__(
        self,
        inputs: Literal["position", "position_difference"] = "position_difference",
        difference_gain: float = 4.0,
        relative_to: Literal["nothing", "last_point", "velocity"] = "velocity",
        scale: float = 0.1,
    ):
        super().__init__()
        if inputs not in ("position", "position_difference"):
            raise ValueError(f"frame.inputs must be 'position' or 'position_difference', but is {inputs!r}.")
        if relative_to not in ("nothing", "last_point", "velocity"):
            raise ValueError(
                f"frame.relative_to must be 'nothing', 'last_point' or 'velocity', but is {relative_to!r}."
            )
        if scale <= 0:
            raise ValueError(f"frame.scale must be positive, but is {scale}.")
        self.inputs, self.difference_gain, self.relative_to, self.scale = inputs, difference_gain, relative_to, scale

    def n_features(self, x_dim: int) -> int:
        """How many numbers the networks see of a point."""
        return x_dim if self.inputs == "position" else 2 * x_dim

    def features(self, x: Tensor, last: Tensor) -> Tensor:
        """What phi_x sees of x_t: x and last (x_{t-1}) (…, x_dim) -> (…, n_features)."""
        if self.inputs == "position":
            return x
        return torch.cat([x, self.difference_gain * (x - last)], dim=-1)

    def origin(self, last: Tensor, before_last: Tensor) -> Tensor:
        """From where x_t's mean is measured: x_{t-1} and x_{t-2} (…, x_dim) -> (…, x_dim)."""
        if self.relative_to == "nothing":
            return torch.zeros_like(last)
        return last if self.relative_to == "last_point" else 2 * last - before_last
