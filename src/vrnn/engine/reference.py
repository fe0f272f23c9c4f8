"""The engine to read: plain loops over time in torch operators, differentiated by autograd."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from vrnn.engine.interface import Noise, State, Unrolled
from vrnn.objective.latents import stacked, where

if TYPE_CHECKING:
    from vrnn.networks.vrnn import VRNN


def unroll(vrnn: VRNN, features: Tensor, noise: Tensor, memory: Tensor) -> Unrolled:
    """Run encoder -> z -> phi_z -> recurrence over time, z drawn by the noise, then prior and decoder on all steps at once.

    features: (T, B, n_features), what phi_x sees; noise: (T, B, n_noise); memory: (B, state_dim).
    """
    phi_x = vrnn.phi_x(features)
    series: list[list[Any]] = [[], [], [], []]  # h, q, z, phi_z
    for phi_x_t, eps in zip(phi_x, noise, strict=True):
        h = vrnn.recurrence.output(memory)
        q = vrnn.encoder(torch.cat([phi_x_t, h], dim=-1))
        z = vrnn.latent.sample(q, eps)
        phi_z = vrnn.phi_z(z)
        memory = vrnn.recurrence(torch.cat([phi_x_t, phi_z], dim=-1), memory)
        for values, value in zip(series, (h, q, z, phi_z), strict=True):
            values.append(value)
    h, z, phi_z = (torch.stack(series[i]) for i in (0, 2, 3))
    raw = vrnn.decoder(torch.cat([phi_z, h], dim=-1))
    return Unrolled(h, stacked(series[1]), vrnn.prior(h), raw, z, memory)


def fill(vrnn: VRNN, x: Tensor, mask: Tensor, noise: Noise, state: State) -> tuple[Unrolled, Tensor]:
    """Run over points of which some are missing: there z comes from the prior and x from the decoder, and q is p.

    x: (T, B, x_dim), finite everywhere; mask: (T, B), False where a point is missing. Returns what `unroll` does, and x with
    what was filled in.
    """
    series: list[list[Any]] = [[], [], [], [], [], []]  # h, q, p, raw, z, x
    for x_t, seen, eps_z, eps_x, uniform in zip(x, mask, *noise, strict=True):
        h = vrnn.recurrence.output(state.memory)
        p = vrnn.prior(h)
        looked = vrnn.phi_x(vrnn.frame.features(x_t, state.last))
        q = where(seen, vrnn.encoder(torch.cat([looked, h], dim=-1)), p)
        z = vrnn.latent.sample(q, eps_z)
        phi_z = vrnn.phi_z(z)
        raw = vrnn.decoder(torch.cat([phi_z, h], dim=-1))
        dist = vrnn.likelihood.read(raw, vrnn.frame.origin(state.last, state.before_last), vrnn.frame.scale)
        x_t = torch.where(seen.unsqueeze(-1), x_t, vrnn.likelihood.sample(dist, eps_x, uniform))
        phi_x = vrnn.phi_x(vrnn.frame.features(x_t, state.last))
        state = state.after(x_t.unsqueeze(0), vrnn.recurrence(torch.cat([phi_x, phi_z], dim=-1), state.memory))
        for values, value in zip(series, (h, q, p, raw, z, x_t), strict=True):
            values.append(value)
    h, raw, z, filled = (torch.stack(series[i]) for i in (0, 3, 4, 5))
    return Unrolled(h, stacked(series[1]), stacked(series[2]), raw, z, state.memory), filled


def generate(vrnn: VRNN, noise: Noise, state: State, sample: bool) -> tuple[Tensor, State]:
    """Walk prior -> z -> decoder -> x -> phi_x -> recurrence; return x (T, B, x_dim) and the state after it.

    sample: draw x from the decoder; else take its mean (z is drawn from the prior all the same).
    """
    points = []
    for eps_z, eps_x, uniform in zip(*noise, strict=True):
        h = vrnn.recurrence.output(state.memory)
        p = vrnn.prior(h)
        phi_z = vrnn.phi_z(vrnn.latent.sample(p, eps_z))
        dist = vrnn.decode(phi_z, h, state.last, state.before_last)
        x = vrnn.likelihood.sample(dist, eps_x, uniform) if sample else vrnn.likelihood.moments(dist).mean
        phi_x = vrnn.phi_x(vrnn.frame.features(x, state.last))
        memory = vrnn.recurrence(torch.cat([phi_x, phi_z], dim=-1), state.memory)
        state = state.after(x.unsqueeze(0), memory)
        points.append(x)
    return torch.stack(points), state
