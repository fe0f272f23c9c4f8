"""The variational recurrent neural network of Chung et al. 2015 (arXiv 1506.02216): six networks and what they can do."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from vrnn.engine import choice, reference
from vrnn.engine.choice import ENGINES, EngineName
from vrnn.engine.interface import Noise, State
from vrnn.networks import particles as filtering
from vrnn.networks.feedforward import MLP, LatentNetwork, StandardPrior
from vrnn.networks.frame import Frame
from vrnn.networks.recurrence import GRU, NoRecurrence, Recurrence
from vrnn.objective.distributions import has_gaps, where_observed
from vrnn.objective.latents import CategoricalLatent, GaussianLatent, Latent, like_tuple
from vrnn.objective.likelihoods import GaussianLikelihood, Likelihood, Squash

STREAMED = 1024  # steps generated at a time; the noise is drawn for so many


class Inference(NamedTuple):
    """What a VRNN makes of observed points, step by step.

    q, p: posterior and prior of z_t, parts (T, B, …). z: the sample of q, (T, B, z_dim). h: h_{t-1}, (T, B, h_dim).
    decoder: the likelihood's distribution given z_t and h_{t-1}, parts (T, B, …); origin: from where its means are measured,
    (T, B, x_dim). x: (T, B, x_dim), the points that it is the distribution of: x_t, or x_{t+1} in a predictive frame, and 0
    where there is none; mask: (T, B), False there, None if there is none. filled: (T, B, x_dim), the points as the networks
    saw them: observed, or drawn from the model. state: after the last step.
    """

    q: tuple[Tensor, ...]
    p: tuple[Tensor, ...]
    decoder: tuple[Tensor, ...]
    z: Tensor
    h: Tensor
    origin: Tensor
    x: Tensor
    mask: Tensor | None
    filled: Tensor
    state: State


PER_STEP = ("q", "p", "decoder", "z", "h", "origin", "x", "filled")  # what an Inference has of each step


class VRNN(nn.Module):
    """Six networks: phi_x, phi_z, prior, encoder, decoder, recurrence.

    p(z_t | h_{t-1}) = prior; q(z_t | x_t, h_{t-1}) = encoder(phi_x(x_t), h_{t-1}); p(x_t | z_t, h_{t-1}) = decoder(phi_z(z_t),
    h_{t-1}); h_t = recurrence([phi_x(x_t), phi_z(z_t)], h_{t-1}); h_0 = 0.

    phi_x, phi_z, prior, encoder, decoder: widths of the hidden layers. recurrence: called as recurrence(in_dim, h_dim).
    latent: what kind of variable z is; None: a Gaussian of z_dim dimensions, std and std_floor telling how its standard
    deviations are made ("softplus" or "sigmoid", plus the floor). prior_network: LatentNetwork, or StandardPrior (VRNN-I).
    Baselines are made of the same parts: with NoLatent there is no z, and a recurrent network that predicts the next point is
    left (phi_z, prior and encoder are not there); with NoRecurrence and h_dim 0 there is no memory, and a VAE is left.
    engine: "native" runs in compiled kernels, "reference" in plain torch operators, "auto" in the fastest that can; all give
    the same numbers to rounding.
    """

    def __init__(
        self,
        x_dim: int = 2,
        z_dim: int = 8,
        h_dim: int = 64,
        phi_x: Sequence[int] = (32, 32),
        phi_z: Sequence[int] = (32,),
        prior: Sequence[int] = (64,),
        encoder: Sequence[int] = (64,),
        decoder: Sequence[int] = (64,),
        activation: str = "relu",
        std: Squash = "softplus",
        std_floor: float = 1e-4,
        recurrence: Callable[[int, int], Recurrence] = GRU,
        latent: Latent | None = None,
        prior_network: Callable[..., LatentNetwork | StandardPrior] = LatentNetwork,
        frame: Frame | None = None,
        likelihood: Likelihood | None = None,
        engine: EngineName = "auto",
    ):
        super().__init__()
        if x_dim < 1 or h_dim < 0:
            raise ValueError(
                f"x_dim must be at least 1, but is {x_dim}; model.h_dim at least 1 (without memory 0), but is {h_dim}."
            )
        if engine not in ENGINES:
            raise ValueError(f"engine must be one of {', '.join(ENGINES)}, but is {engine!r}.")
        self.x_dim, self.h_dim = x_dim, h_dim
        self.engine: EngineName = engine
        self.latent = latent or GaussianLatent(z_dim, std, std_floor)
        check_memory(h_dim, self.z_dim, recurrence, prior_network)
        self.frame = frame or Frame()
        self.likelihood = likelihood or GaussianLikelihood()
        if self.sums_classes and self.likelihood.follows_batches:
            raise ValueError(
                "latent.estimator=exact would mix points of all classes into the batch's one sigma: choose another likelihood, "
                "or straight_through."
            )
        self.phi_x = MLP(self.frame.n_features(x_dim), phi_x, activation)
        seen_of_z = phi_z[-1] if self.z_dim else 0
        self.phi_z = MLP(self.z_dim, phi_z, activation) if self.z_dim else nn.Identity()
        about_z: Callable[..., LatentNetwork | StandardPrior] = LatentNetwork if self.z_dim else StandardPrior
        self.prior = (prior_network if self.z_dim else StandardPrior)(h_dim, prior, self.latent, activation)
        self.encoder = about_z(phi_x[-1] + h_dim, encoder, self.latent, activation)
        hidden = MLP(seen_of_z + h_dim, decoder, activation)
        self.decoder = nn.Sequential(hidden, nn.Linear(hidden.out_dim, self.likelihood.n_outputs(x_dim)))
        self.recurrence = recurrence(phi_x[-1] + seen_of_z, h_dim)

    @property
    def z_dim(self) -> int:
        """Width of z as phi_z sees it."""
        return self.latent.z_dim

    @property
    def sums_classes(self) -> bool:
        """Whether the decoder's term is summed over all values of z."""
        return isinstance(self.latent, CategoricalLatent) and self.latent.estimator == "exact"

    @property
    def device(self) -> torch.device:
        """Where the weights lie."""
        return self._like.device

    @property
    def _like(self) -> Tensor:
        """A tensor of the weights' precision, where they lie."""
        return next(self.phi_x.parameters())

    def initial_state(self, batch: int) -> State:
        """Return the state of `batch` traces before their first point."""
        return State.initial(batch, self.recurrence.state_dim, self.x_dim, like=self._like)

    def decode(self, phi_z: Tensor, h: Tensor, last: Tensor, before_last: Tensor) -> tuple[Tensor, ...]:
        """Return p(x_t | z_t, h_{t-1}) for phi_z(z_t) (…, phi_z_dim), h_{t-1} (…, h_dim) and the two points before x_t."""
        raw = self.decoder(torch.cat([phi_z, h], dim=-1))
        return self.likelihood.read(raw, self.frame.origin(last, before_last), self.frame.scale)

    def infer(
        self,
        x: Tensor,
        state: State | None = None,
        mask: Tensor | None = None,
        generator: torch.Generator | None = None,
        fill: bool | None = None,
    ) -> Inference:
        """Follow observed points: x (T, B, x_dim), from `state` on (None: from the beginning), z drawn from the posterior.

        mask: (T, B), False where x holds nothing; whatever stands there is not looked at. fill: whether the model's own points
        take the place of those (z from the prior, x from the decoder, q = p: they cost no KL). None: where an observed point
        follows; what comes after a trace's last observed point is taken for its end. Say True where the trace goes on later.

        Raises:
            ValueError: x is not (T, B, x_dim) with T >= 1, or the mask is not (T, B); gaps in a predictive frame.
        """
        if x.dim() != 3 or x.shape[-1] != self.x_dim or not len(x):
            raise ValueError(f"x must have shape (T >= 1, B, x_dim = {self.x_dim}), but has {tuple(x.shape)}.")
        if mask is not None and mask.shape != x.shape[:2]:
            raise ValueError(f"mask must have shape (T, B) = {tuple(x.shape[:2])}, but has {tuple(mask.shape)}.")
        mask = None if mask is None or mask.all() else mask
        x = where_observed(x, mask)
        state = state or self.initial_state(x.shape[1])
        if mask is not None and (fill or (fill is None and has_gaps(mask))):
            self.frame.check_gaps()
            noise = Noise.draw(len(x), x.shape[1], self.latent, self.x_dim, like=x, generator=generator)
            run, x = reference.fill(self, x, mask, noise, state)
            last, before_last = state.history(x)
        else:
            last, before_last = state.history(x)
            z_noise = self.latent.noise(*x.shape[:2], like=x, generator=generator)
            run = choice.unroll(self, self.frame.features(x, last), z_noise, state.memory)
        origin = self.frame.origin(last, before_last)
        decoder = self.likelihood.read(run.raw, origin, self.frame.scale)
        target, known = self.frame.target(x, mask)
        after = state.after(x, run.memory)
        return Inference(run.q, run.p, decoder, run.z, run.h, origin, target, known, x, after)

    def distortion(self, run: Inference) -> Tensor:
        """Return what the loss adds to w * KL at each step, (T, B); with an "exact" latent the mean over its classes."""
        if not self.sums_classes:
            return self.likelihood.distortion(run.decoder, run.x, run.mask)
        raw = self._raw_of_classes(run.h)
        shape = raw.shape[:-1]
        decoder = self.likelihood.read(raw, run.origin.expand(*shape, -1), self.frame.scale)
        mask = None if run.mask is None else run.mask.expand(shape)
        each = self.likelihood.distortion(decoder, run.x.expand(*shape, -1), mask)
        return (self.latent.code(run.q).movedim(-1, 0) * each).sum(0)

    def _raw_of_classes(self, h: Tensor) -> Tensor:
        """Return the decoder's raw outputs for every class of z, (classes, T, B, n_outputs), given h (T, B, h_dim).

        What the first layer makes of h, by far its larger part, is the same for all.
        """
        hidden, last = self.decoder
        first, *others = cast(Any, hidden)
        phi_z = self.phi_z(torch.eye(self.z_dim, dtype=h.dtype, device=h.device))
        for_z, for_h = first.weight.split([phi_z.shape[-1], self.h_dim], dim=-1)
        layer = linear(phi_z, for_z, first.bias)[:, None, None] + linear(h, for_h)
        for module in others:
            layer = module(layer)
        return last(layer)

    def generate(
        self,
        n: int,
        steps: int,
        prefix: Tensor | None = None,
        sample: bool = True,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Return n traces drawn from the prior, (steps, n, x_dim), after what `prefix` began.

        prefix: (T, x_dim) for all or (T, n, x_dim) one each; it is not repeated in the result.
        sample: draw each point from the decoder; False takes the decoder's mean (z is still drawn).
        """
        return torch.cat(list(self.stream(n, steps, prefix, sample, generator)))

    def stream(
        self,
        n: int,
        steps: int,
        prefix: Tensor | None = None,
        sample: bool = True,
        generator: torch.Generator | None = None,
    ) -> Iterator[Tensor]:
        """Yield the same points as `generate`, in pieces of at most STREAMED steps: memory does not grow with `steps`."""
        if n < 1 or steps < 1:
            raise ValueError(f"generate needs n >= 1 traces of steps >= 1 points, but got n = {n}, steps = {steps}.")
        return self._stream(n, steps, prefix, sample, generator)

    @torch.no_grad()
    def _stream(
        self, n: int, steps: int, prefix: Tensor | None, sample: bool, generator: torch.Generator | None
    ) -> Iterator[Tensor]:
        state = self.initial_state(n)
        if prefix is not None:
            prefix = prefix.to(state.memory)
            shared = prefix.unsqueeze(1).expand(-1, n, -1) if prefix.dim() == 2 else prefix
            state = self.infer(shared, state, generator=generator).state
        for start in range(0, steps, STREAMED):
            length = min(STREAMED, steps - start)
            noise = Noise.draw(length, n, self.latent, self.x_dim, like=state.memory, generator=generator)
            points, state = choice.generate(self, noise, state, sample)
            yield points

    @torch.no_grad()
    def reconstruct(self, x: Tensor, mask: Tensor | None = None, generator: torch.Generator | None = None) -> Tensor:
        """Return the decoder's means (T, B, x_dim) along x (T, B, x_dim), z drawn from the posterior."""
        return self.likelihood.moments(self.infer(x, mask=mask, generator=generator).decoder).mean

    @torch.no_grad()
    def impute(self, x: Tensor, mask: Tensor, generator: torch.Generator | None = None, particles: int = 1) -> Tensor:
        """Return x (T, B, x_dim) with what the mask (T, B) hides drawn from the model, given all that came before.

        particles: with more than one, given what comes after, too: see vrnn.networks.particles.impute.
        """
        if particles > 1:
            return filtering.impute(self, x, mask, particles, generator)
        return self.infer(x, mask=mask, generator=generator, fill=True).filled


def joined(runs: Sequence[Inference]) -> Inference:
    """Return the inferences of successive windows as one."""

    def all_steps(*parts: Any) -> Any:
        if isinstance(parts[0], Tensor):
            return torch.cat(parts)
        return like_tuple(parts[0], (torch.cat(each) for each in zip(*parts, strict=True)))

    if len(runs) == 1:
        return runs[0]
    masks = None if all(run.mask is None for run in runs) else torch.cat([observed(run) for run in runs])
    parts = {name: all_steps(*(getattr(run, name) for run in runs)) for name in PER_STEP}
    return Inference(**parts, mask=masks, state=runs[-1].state)


def observed(run: Inference) -> Tensor:
    """Return its mask, (T, B), all True where it has none."""
    return torch.ones_like(run.x[..., 0], dtype=torch.bool) if run.mask is None else run.mask


def check_memory(h_dim: int, z_dim: int, recurrence: Any, prior_network: Any) -> None:
    """Raise ValueError where parts of a model contradict each other; they are classes or partials of classes."""
    recurrence, prior_network = (getattr(made, "func", made) for made in (recurrence, prior_network))
    without = recurrence is NoRecurrence
    if without != (h_dim == 0):
        raise ValueError(
            f"model.h_dim must be 0 with recurrence=none and at least 1 with any other, but is {h_dim}. "
            "architecture=vae sets what a model without memory wants."
        )
    if without and not z_dim:
        raise ValueError("A model needs a memory or a latent variable: recurrence=none and latent=none leave neither.")
    if without and prior_network is not StandardPrior:
        raise ValueError("recurrence=none leaves a learned prior nothing to look at: choose prior=standard.")
