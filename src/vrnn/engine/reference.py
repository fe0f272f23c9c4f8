"""The reference engine: plain loops over time in torch operators, differentiated by autograd. Read this one first."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import repeat

import torch
from torch import Tensor

from vrnn.engine.interface import Filtered, Noise, Sampling, Unrolled, Weighing
from vrnn.networks.condition import beside
from vrnn.networks.recurrence import Recurrence
from vrnn.networks.six_networks import SixNetworks
from vrnn.networks.state import State
from vrnn.objective.bounds import Resampling, increments
from vrnn.objective.latents import rebuild, stacked, where


def unroll(
    networks: SixNetworks,
    features: Tensor,
    noise: Tensor,
    memory: Tensor,
    context: Tensor | None = None,
    summary: Tensor | None = None,
) -> Unrolled:
    """Run the six networks along observed points, z drawn from the posterior.

    Only encoder, z, phi_z and recurrence depend on the previous step, so only they are in the loop; with a residual posterior
    the prior, too.

    Args:
        networks: The six networks.
        features: Input of phi_x, (T, B, n_features).
        noise: The latent's noise, (T, B, n_noise).
        memory: The recurrence's state before the first step, (B, state_dim).
        context: What all six networks see in addition, (T, B, c_dim); None without a condition.
        summary: What the encoder sees of all points, (T, B, posterior.dim); None with a filtering posterior.
    """
    phi_x = networks.phi_x(beside(context, features))
    contexts, summaries = (per_step(given, len(features)) for given in (context, summary))
    hs, qs, ps, zs, phi_zs = [], [], [], [], []
    for phi_x_t, noise_t, a, c in zip(phi_x, noise, summaries, contexts, strict=True):
        h = networks.recurrence.output(memory)
        if networks.posterior.residual:
            ps.append(networks.prior(beside(c, h)))
        q = networks.encode(phi_x_t, h, ps[-1] if ps else None, a, c)
        z = networks.latent.sample(q, noise_t)
        phi_z = networks.embed(z, c)
        memory = networks.advance(phi_x_t, phi_z, memory, c)
        hs.append(h)
        qs.append(q)
        zs.append(z)
        phi_zs.append(phi_z)
    h_all = torch.stack(hs)
    raw = networks.raw_decoder(torch.stack(phi_zs), h_all, context)
    p = stacked(ps) if ps else networks.prior(beside(context, h_all))
    return Unrolled(h=h_all, q=stacked(qs), p=p, raw=raw, z=torch.stack(zs), memory=memory)


def filter_particles(
    networks: SixNetworks,
    features: Tensor,
    noise: Tensor,
    memory: Tensor,
    weighing: Weighing,
    context: Tensor | None = None,
    summary: Tensor | None = None,
) -> Filtered:
    """Run K particles of each trace along observed points, resampled after every step where their weights are unequal.

    Args:
        networks: The six networks.
        features: Input of phi_x, (T, B, n_features).
        noise: The latent's noise, (T, K * B, n_noise).
        memory: The recurrence's state before the first step, (K * B, state_dim).
        weighing: By what particles are weighed.
        context: As in `unroll`, the same for all particles, (T, B, c_dim).
        summary: Likewise, (T, B, posterior.dim).
    """
    K, steps = weighing.particles, len(features)
    contexts, summaries = (
        per_step(None if given is None else given.repeat(1, K, 1).unsqueeze(1), steps) for given in (context, summary)
    )
    copied = (part.repeat(1, K, 1) for part in (features, weighing.x, weighing.offset))
    resampling = Resampling(K, weighing.resample_below)
    runs, log_weights, ancestors, due = [], [], [], []
    for t, (features_t, x, offset, c, a) in enumerate(zip(*copied, contexts, summaries, strict=True)):
        run = unroll(networks, features_t[None], noise[t : t + 1], memory, c, a)
        decoder = networks.likelihood.from_raw(run.raw[0], offset, networks.coordinates.scale)
        log_p, log_q = (networks.latent.log_prob(dist, run.z)[0] for dist in (run.p, run.q))
        mask = None if weighing.mask is None else weighing.mask[t].repeat(K)
        gained = increments(networks.likelihood.log_prob(decoder, x), log_p, log_q, mask, weighing.w)
        weights, parents, here = resampling.step(gained.detach(), weighing.uniform[t], last=t == steps - 1)
        memory = run.memory[(parents * len(here) + torch.arange(len(here), device=here.device)).flatten()]
        runs.append(run)
        log_weights.append(weights)
        ancestors.append(parents)
        due.append(here)
    h, raw, z = (torch.cat([getattr(run, name) for run in runs]) for name in ("h", "raw", "z"))
    q, p = (
        rebuild(getattr(runs[0], name), map(torch.cat, zip(*(getattr(run, name) for run in runs), strict=True)))
        for name in ("q", "p")
    )
    return Filtered(Unrolled(h, q, p, raw, z, memory), *(torch.stack(parts) for parts in (log_weights, ancestors, due)))


def fill(
    networks: SixNetworks,
    x: Tensor,
    mask: Tensor,
    noise: Noise,
    state: State,
    context: Tensor | None = None,
    summary: Tensor | None = None,
) -> tuple[Unrolled, Tensor]:
    """Run the six networks along points of which some are missing.

    At a missing point z comes from the prior, x from the decoder, and q is p.

    Args:
        networks: The six networks.
        x: (T, B, x_dim), finite everywhere.
        mask: (T, B), False where a point is missing.
        noise: For T generated steps.
        state: Before the first step.
        context: As in `unroll`.
        summary: As in `unroll`, of the observed points.

    Returns:
        What `unroll` returns, and x with its missing points filled in.
    """
    hs, qs, ps, raws, zs, xs = [], [], [], [], [], []
    given = zip(x, mask, *noise, per_step(context, len(x)), per_step(summary, len(x)), strict=True)
    for x_t, observed, noise_z, noise_x, uniform, c, a in given:
        h = networks.recurrence.output(state.memory)
        p = networks.prior(beside(c, h))
        phi_x_observed = networks.phi_x(beside(c, networks.coordinates.features(x_t, state.previous)))
        q = where(observed, networks.encode(phi_x_observed, h, p, a, c), p)
        z = networks.latent.sample(q, noise_z)
        phi_z = networks.embed(z, c)
        raw = networks.raw_decoder(phi_z, h, c)
        offset = networks.coordinates.mean_offset(state.previous, state.previous2)
        decoder = networks.likelihood.from_raw(raw, offset, networks.coordinates.scale)
        filled = torch.where(observed.unsqueeze(-1), x_t, networks.likelihood.sample(decoder, noise_x, uniform))
        phi_x = networks.phi_x(beside(c, networks.coordinates.features(filled, state.previous)))
        memory = networks.advance(phi_x, phi_z, state.memory, c)
        state = state.after(filled.unsqueeze(0), memory)
        hs.append(h)
        qs.append(q)
        ps.append(p)
        raws.append(raw)
        zs.append(z)
        xs.append(filled)
    run = Unrolled(
        h=torch.stack(hs), q=stacked(qs), p=stacked(ps), raw=torch.stack(raws), z=torch.stack(zs), memory=state.memory
    )
    return run, torch.stack(xs)


def generate(
    networks: SixNetworks, noise: Noise, state: State, sampling: Sampling, context: Tensor | None = None
) -> tuple[Tensor, State]:
    """Draw points: prior -> z -> decoder -> x -> phi_x -> recurrence.

    Args:
        networks: The six networks.
        noise: For T generated steps.
        state: Before the first step.
        sampling: How x and z are drawn.
        context: As in `unroll`.

    Returns:
        The points, (T, B, x_dim), and the state after them.
    """
    sample, temperature, z_temperature = sampling
    likelihood, latent, xs = networks.likelihood, networks.latent, []
    for noise_z, noise_x, uniform, c in zip(*noise, per_step(context, len(noise.z)), strict=True):
        h = networks.recurrence.output(state.memory)
        prior = networks.prior(beside(c, h))
        z = latent.sample(prior if z_temperature == 1.0 else latent.temper(prior, z_temperature), noise_z)
        phi_z = networks.embed(z, c)
        decoder = networks.decode(phi_z, h, state.previous, state.previous2, c)
        decoder = decoder if temperature == 1.0 else likelihood.temper(decoder, temperature)
        x = likelihood.sample(decoder, noise_x, uniform) if sample else likelihood.moments(decoder).mean
        phi_x = networks.phi_x(beside(c, networks.coordinates.features(x, state.previous)))
        memory = networks.advance(phi_x, phi_z, state.memory, c)
        state = state.after(x.unsqueeze(0), memory)
        xs.append(x)
    return torch.stack(xs), state


def scan(recurrence: Recurrence, inputs: Tensor) -> Tensor:
    """Return the outputs of a recurrence before its first input and after each one, (T + 1, B, h_dim).

    Args:
        recurrence: Any.
        inputs: (T, B, in_dim).
    """
    states = [inputs.new_zeros(inputs.shape[1], recurrence.state_dim)]
    for given in inputs:
        states.append(recurrence(given, states[-1]))
    return recurrence.output(torch.stack(states))


def per_step(given: Tensor | None, steps: int) -> Iterable[Tensor | None]:
    """Return the context, or the summary, of each step."""
    return repeat(None, steps) if given is None else given
