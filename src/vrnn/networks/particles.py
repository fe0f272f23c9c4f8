"""A VRNN followed by particles: bounds on log p(x), and gaps filled in consistently with what comes after them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from vrnn.engine.interface import State
from vrnn.objective import bounds
from vrnn.objective.bounds import FIVO, Bound, Followed, lineage
from vrnn.objective.distributions import has_gaps
from vrnn.objective.latents import CategoricalLatent, GaussianCategoricalLatent, Latent
from vrnn.objective.likelihoods import Likelihood

if TYPE_CHECKING:
    from vrnn.networks.vrnn import VRNN, Inference

COPIES_AT_ONCE = 2**11  # of traces that are run side by side: what the engine works on then stays in the cache
ROWS_AT_ONCE = 2**17  # steps times copies whose distributions lie in memory together


def log_evidence(
    vrnn: VRNN,
    x: Tensor,
    bound: Bound,
    mask: Tensor | None = None,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Return a lower bound on log p(x) of each trace, (B,), in nats per sequence: x (T, B, x_dim), mask (T, B) as in `infer`.

    bound: IWAE(K) or FIVO(K). Its log weights are sampled, the KL too. Without z all are the log-likelihood itself.

    Raises:
        ValueError: the VRNN's loss is no bound, since its frame predicts the next point.
    """
    traces = max(1, COPIES_AT_ONCE // bound.particles)
    masks = [None] * x.shape[1] if mask is None else mask.split(traces, dim=1)
    pairs = zip(x.split(traces, dim=1), masks, strict=False)
    return torch.cat([follow(vrnn, part, bound, seen, generator=generator).bound for part, seen in pairs])


def follow(
    vrnn: VRNN,
    x: Tensor,
    bound: Bound,
    mask: Tensor | None = None,
    state: State | None = None,
    fill: bool | None = None,
    w: Tensor | float = 1.0,
    generator: torch.Generator | None = None,
    watch: Callable[[Inference], object] = lambda run: None,
) -> Followed[State]:
    """Run K copies of each trace x (T, B, x_dim) through the VRNN: see vrnn.objective.bounds.follow.

    state: of K * B traces; None: the beginning. mask, fill: as in VRNN.infer. w: weighs log p(z) - log q(z). watch: is given
    the inference of each window, (t, K * B, …), before particles are resampled.
    """
    check_bound(vrnn)
    steps, batch = x.shape[:2]
    K = bound.particles
    mask = None if mask is None or mask.all() else mask
    fill = fill or (fill is None and mask is not None and has_gaps(mask))

    def advance(begin: int, end: int, state: State) -> tuple[Tensor, State]:
        part = None if mask is None else mask[begin:end].repeat(1, K)
        run = vrnn.infer(x[begin:end].repeat(1, K, 1), state, part, generator, fill)
        watch(run)
        log_x = vrnn.likelihood.log_prob(run.decoder, run.x)
        log_p, log_q = (vrnn.latent.log_prob(dist, run.z) for dist in (run.p, run.q))
        return bounds.increments(log_x, log_p, log_q, run.mask, w).unflatten(1, (K, batch)), run.state

    window = 1 if bound.resample_below else max(1, ROWS_AT_ONCE // (K * batch))
    state = state or vrnn.initial_state(K * batch)
    return bounds.follow(advance, state, steps, bound, window, generator)


@torch.no_grad()
def impute(vrnn: VRNN, x: Tensor, mask: Tensor, particles: int, generator: torch.Generator | None = None) -> Tensor:
    """Return x (T, B, x_dim) with what the mask (T, B) hides drawn given all observed points, after the gap as well as before.

    Particles go through a gap by the model alone; the likelihood of what comes after it picks those that arrive where the
    trace goes on (a particle filter; Gordon et al. 1993). One of the survivors is returned.
    """
    filled: list[Tensor] = []
    followed = follow(
        vrnn, x, FIVO(particles), mask, fill=True, generator=generator, watch=lambda run: filled.append(run.filled)
    )
    chosen = torch.randint(particles, x.shape[1:2], device=x.device, generator=generator)
    line = lineage(followed.ancestors, chosen)[:, None, :, None].expand(-1, 1, -1, x.shape[2])
    return torch.cat(filled).unflatten(1, (particles, -1)).gather(1, line).squeeze(1)


def check_bound(vrnn: VRNN) -> None:
    """Raise ValueError where a VRNN has no bound on log p(x)."""
    if vrnn.frame.predicts == "next":
        raise ValueError(
            "frame.predicts=next has no bound on log p(x): its posterior has not seen the point that is predicted. "
            "Choose frame.predicts=this, or bound=elbo and evaluation.particles=null."
        )


def check_trainable(vrnn: VRNN) -> None:
    """Raise ValueError where a VRNN cannot be trained on a bound of several particles."""
    check_bound(vrnn)
    if type(vrnn.likelihood).nats_per_distortion is not Likelihood.nats_per_distortion:
        raise ValueError(
            f"A bound weighs particles by log p(x | z), but {type(vrnn.likelihood).__name__} trains on something else: "
            "choose another likelihood, or bound=elbo."
        )
    if draws_softly(vrnn.latent):
        raise ValueError(
            "latent.estimator=gumbel_softmax trains on soft draws, which have no weight: choose straight_through, "
            "or bound=elbo."
        )


def draws_softly(latent: Latent) -> bool:
    """Tell whether the latent's draws in training are not those of its distribution."""
    categorical = latent.categorical if isinstance(latent, GaussianCategoricalLatent) else latent
    return isinstance(categorical, CategoricalLatent) and categorical.estimator == "gumbel_softmax"
