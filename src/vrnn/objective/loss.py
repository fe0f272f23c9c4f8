"""The loss: the one place where an inference becomes a number to minimise."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from vrnn.objective.latents import Latent
from vrnn.objective.reduction import mean_per_step
from vrnn.objective.w_schedules import Terms, Weighted, WSchedule
from vrnn.objective.wake import WakeTerms


class Loss(NamedTuple):
    """A loss and its parts.

    Attributes:
        loss: () to minimise, in nats per step (in other units where the likelihood's distortion is no log-likelihood).
        distortion: The likelihood's term at each step, (T, B).
        kl: KL(q || p) of each group of latent variables at each step, (T, B, groups), in nats, before any weight or threshold.
        usage_penalty: () what unused classes of z add to the loss, in nats; 0 for most latents.
        w: () the schedule's weight of the KL.
        w_per_step: () the weight of a nat of KL per step against the mean distortion per step.
        log: Further scalars of the schedule, by name.
    """

    loss: Tensor
    distortion: Tensor
    kl: Tensor
    usage_penalty: Tensor
    w: Tensor
    w_per_step: Tensor
    log: Mapping[str, Tensor]


def elbo_loss(
    distortion: Tensor,
    q: tuple[Tensor, ...],
    p: tuple[Tensor, ...],
    latent: Latent,
    w_schedule: WSchedule,
    mask: Tensor | None = None,
    wake: Callable[[int], WakeTerms] | None = None,
) -> Loss:
    """Return the loss of the evidence lower bound: mean distortion + w * mean KL (Chung et al. 2015, equation 11).

    In training mode this advances the schedule by one step.

    Args:
        distortion: The likelihood's term at each step, (T, B), as `VRNN.distortion` returns it.
        q: Posterior of z_t, parts (T, B, …).
        p: Prior of z_t, likewise.
        latent: The kind of variable z is.
        w_schedule: Weighs the KL.
        mask: (T, B), True at the steps that count; None: everywhere.
        wake: Makes the terms of the wake loss, as `VRNN.wake_terms` does; for `w_schedule=wake` alone.
    """
    kl = latent.kl(q, p)
    weighted = w_schedule(Terms(distortion, kl, lambda: latent.stop_gradient_kls(q, p), mask, wake))
    counted = p if w_schedule.balances == "prior" else q
    return _with_usage_penalty(weighted, distortion, kl, latent, counted, mask)


def particle_loss(
    bound: Tensor,
    steps: Tensor,
    distortion: Tensor,
    q: tuple[Tensor, ...],
    p: tuple[Tensor, ...],
    latent: Latent,
    w_schedule: WSchedule,
    mask: Tensor | None = None,
) -> Loss:
    """Return the loss of a bound by K particles: -(sum of the bound) / (number of observed steps).

    The bound's log weights already contain w, as `WSchedule.scalar_weight` returned it before the step; here the schedule only
    advances by one step. The parts are means over all particles.

    Args:
        bound: The bound of each trace, (B,), in nats per sequence.
        steps: () the number of observed steps of all traces.
        distortion: The likelihood's term of each particle, (T, K * B).
        q: Posterior of z_t, parts (T, K * B, …).
        p: Prior of z_t, likewise.
        latent: The kind of variable z is.
        w_schedule: Weighs the KL.
        mask: (T, K * B), True at the steps that count; None: everywhere.
    """
    with torch.no_grad():
        kl = latent.kl(q, p)
        weighted = w_schedule(Terms(distortion, kl, lambda: latent.stop_gradient_kls(q, p), mask))
    loss = (-bound.sum() / steps.clamp(min=1)).to(distortion.dtype)
    log = {**weighted.log, "elbo_loss": weighted.loss}
    return _with_usage_penalty(weighted._replace(loss=loss, log=log), distortion, kl, latent, q, mask)


def _with_usage_penalty(
    weighted: Weighted, distortion: Tensor, kl: Tensor, latent: Latent, counted: tuple[Tensor, ...], mask: Tensor | None
) -> Loss:
    """Add (1 - w) times the latent's penalty for classes that the distribution `counted` does not use."""
    penalty = (1 - weighted.w).clamp(min=0) * latent.usage_penalty(counted, mask)
    return Loss(
        loss=weighted.loss + penalty,
        distortion=distortion,
        kl=kl,
        usage_penalty=penalty,
        w=weighted.w,
        w_per_step=weighted.w_per_step,
        log=weighted.log,
    )


def elbo_scalars(log_prob: Tensor, kl: Tensor, mask: Tensor | None) -> dict[str, float]:
    """Return the ELBO, the log-likelihood and the KL as means in nats per step.

    Args:
        log_prob: log p(x | z), (T, B), in nats.
        kl: (T, B, groups), in nats.
        mask: (T, B), True at the steps that count; None: everywhere.
    """
    with torch.no_grad():
        log_likelihood, mean_kl = mean_per_step(log_prob, mask), mean_per_step(kl.sum(-1), mask)
        return {
            "elbo": float(log_likelihood - mean_kl),
            "log_likelihood": float(log_likelihood),
            "kl": float(mean_kl),
        }
