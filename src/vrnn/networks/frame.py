"""The frame of reference: what the networks see of the pen, which point the decoder speaks of, and from where it measures."""

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
    predicts: the decoder at step t speaks of "this" point, x_t, or of the "next", x_{t+1}: the loss of the blog's predictive
      variant, which is no bound on log p(x), since the posterior at t has not seen what is predicted.
      Generation feeds either back as x_t: a pen that has learnt x_{t+1} goes about twice as fast.
    Before its first point the pen is at 0 and at rest: x_{-1} = 0, and x_{-2} = x_{-1}; after the first point x_0 it is at
    rest there, so no velocity is made up from the jump to it.
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
            raise ValueError(f"frame.predicts=next wants frame.relative_to=nothing, but that is {relative_to!r}.")
        if scale <= 0:
            raise ValueError(f"frame.scale must be positive, but is {scale}.")
        self.inputs, self.difference_gain, self.relative_to, self.scale = inputs, difference_gain, relative_to, scale
        self.predicts = predicts

    def check_gaps(self) -> None:
        """Raise ValueError where the decoder at a missing point does not speak of that point."""
        if self.predicts == "next":
            raise ValueError(
                "frame.predicts=next cannot fill in missing points: its decoder speaks of the point after. "
                "Choose frame.predicts=this, or data.gaps.share=0."
            )

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

    def target(self, x: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Return what the decoder speaks of at each step, (T, B, x_dim), and where that is known, (T, B) or None: everywhere.

        x: (T, B, x_dim); mask: (T, B) or None.
        """
        if self.predicts == "this":
            return x, mask
        known = torch.ones_like(x[..., 0], dtype=torch.bool) if mask is None else mask
        return torch.cat([x[1:], x[-1:]]), torch.cat([known[1:], torch.zeros_like(known[-1:])])
