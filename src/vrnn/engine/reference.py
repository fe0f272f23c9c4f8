"""The engine to read: plain loops over time in torch operators, differentiated by autograd."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from vrnn.engine.interface import Noise, State, Unrolled
from vrnn.objective.distributions import Gaussian

if TYPE_CHECKING:
    from vrnn.networks.vrnn import VRNN


def unroll(vrnn: VRNN, phi_x: Tensor, noise: Tensor, memory: Tensor) -> Unrolled:
    """Run encoder -> z -> phi_z -> recurrence over time, z = mean + std * noise.

    phi_x: (T, B, phi_x_dim), the features of all points; noise: (T, B, z_dim); memory: (B, state_dim).
    What does not feed the recurrence (prior, decoder) is left to be computed on all steps at once.
    """
    series: list[list[Tensor]] = [[], [], [], []]  # h, q.mean, q.std, z
    for features, eps in zip(phi_x, noise, strict=True):
        h = vrnn.recurrence.output(memory)
        q = vrnn.encoder(torch.cat([features, h], dim=-1))
        z = q.mean + q.std * eps
        memory = vrnn.recurrence(torch.cat([features, vrnn.phi_z(z)], dim=-1), memory)
        for values, value in zip(series, (h, q.mean, q.std, z), strict=True):
            values.append(value)
    h, mean, std, z = (torch.stack(values) for values in series)
    return Unrolled(h, Gaussian(mean, std), z, memory)


def generate(vrnn: VRNN, noise: Noise, state: State, sample: bool) -> tuple[Tensor, State]:
    """Walk prior -> z -> decoder -> x -> phi_x -> recurrence; return x (T, B, x_dim) and the state after it.

    sample: draw x from the decoder; else take its mean (z is drawn from the prior all the same).
    """
    points = []
    for eps_z, eps_x, uniform in zip(*noise, strict=True):
        h = vrnn.recurrence.output(state.memory)
        p = vrnn.prior(h)
        phi_z = vrnn.phi_z(p.mean + p.std * eps_z)
        dist = vrnn.decode(phi_z, h, state.last, state.before_last)
        x = vrnn.likelihood.sample(dist, eps_x, uniform) if sample else vrnn.likelihood.moments(dist).mean
        phi_x = vrnn.phi_x(vrnn.frame.features(x, state.last))
        memory = vrnn.recurrence(torch.cat([phi_x, phi_z], dim=-1), state.memory)
        state = state.after(x.unsqueeze(0), memory)
        points.append(x)
    return torch.stack(points), state
