"""A wake phase before the evidence lower bound."""

from __future__ import annotations

import torch
from torch import Tensor
from typing_extensions import override

from vrnn.objective.reduction import mean_per_step
from vrnn.objective.w_schedules.base import Terms, Weighted, WSchedule


class WakeW(WSchedule):
    """loss = g_n * (mean distortion + mean KL) + (1 - g_n) * wake, see `vrnn.objective.wake`.

    g_n = 0 for `hold` optimiser steps, then rises linearly to 1 at step `end`. In the wake phase prior and decoder learn as if
    the posterior already were Bayes' rule, so classes of z can part before the posterior has learned anything. The phase must
    last until they have.

    `latent.balance` counts the prior's classes here. A class that prior and decoder give up early gets nothing from Bayes' rule
    ever after, whatever the posterior does. Without the penalty all classes but one went that way on some seeds of the eye.

    Args:
        hold: Optimiser steps of the wake loss alone.
        end: The optimiser step from which on the loss is that of the ELBO.
        samples: Samples of z per step for latents whose values cannot be summed; unused with `latent.estimator=exact`.

    Raises:
        ValueError: hold and end out of order, or fewer than two samples.
    """

    balances = "prior"
    stops_gradients = True
    n: Tensor

    def __init__(self, hold: int = 500, end: int = 1250, samples: int = 16):
        super().__init__()
        if not 0 <= hold <= end:
            raise ValueError(f"w_schedule.hold and end must satisfy 0 <= hold <= end, but are {hold} and {end}.")
        if samples < 2:
            raise ValueError(f"w_schedule.samples must be at least 2, but is {samples}.")
        self.hold, self.end, self.samples = hold, end, samples
        self.register_buffer("n", torch.zeros((), dtype=torch.long))

    @override
    def forward(self, terms: Terms) -> Weighted:
        g = self.present_g().to(terms.kl.dtype)
        if self.training:
            self.n += 1
        if g == 1:
            return Weighted(terms.re + terms.mean_kl, g, g)
        if terms.wake is None:
            raise ValueError(
                "w_schedule=wake needs the likelihood of each step given h and z, but the caller gave none."
            )
        nll, kl = (mean_per_step(part, terms.mask) for part in terms.wake(self.samples))
        loss = (1 - g) * (nll + kl)
        if g > 0:
            loss = loss + g * (terms.re + terms.mean_kl)
        return Weighted(loss, g, g, {"wake_nll": nll.detach(), "wake_kl": kl.detach()})

    def present_g(self) -> Tensor:
        """Return g_n, ()."""
        if self.end == self.hold:
            return (self.n >= self.hold).to(torch.get_default_dtype())
        return ((self.n - self.hold) / (self.end - self.hold)).clamp(0.0, 1.0)
