"""The engine to read: plain loops over time in torch operators, differentiated by autograd."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from vrnn.engine.interface import Noise, State, Unrolled
from vrnn.objective.distributions import Gaussian

if TYPE_CHECKING:
    from vrnn.networks.vrnn import VRNN


def unroll(vrnn: VRNN, features: Tensor, noise: Tensor, memory: Tensor) -> Unrolled:
    """Run encoder -> z -> phi_z -> recurrence over time, z = mean + std * noise, then prior and decoder on all steps at once.

    features: (T, B, n_features), what phi_x sees; noise: (T, B, z_dim); memory: (B, state_dim).
    """
    phi_x = vrnn.phi_x(features)
    series: list[list[Tensor]] = [[], [], [], [], []]  # h, q.mean, q.std, z, phi_z
    for phi_x_t, eps in zip(phi_x, noise, strict=True):
        h = vrnn.recurrence.output(memory)
        q = vrnn.encoder(torch.cat([phi_x_t, h], dim=-1))
        z = q.mean + q.std * eps
        phi_z = vrnn.phi_z(z)
        memory = vrnn.recurrence(torch.cat([phi_x_t, phi_z], dim=-1), memory)
        for values, value in zip(series, (h, q.mean, q.std, z, phi_z), strict=True):
            values.append(value)
    h, mean, std, z, phi_z = (torch.stack(values) for values in series)
    raw = vrnn.decoder(torch.cat([phi_z, h], dim=-1))
    return Unrolled(h, Gaussian(mean, std), vrnn.prior(h), raw, z, memory)


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
