"""The variational recurrent neural network of Chung et al. 2015 (arXiv 1506.02216): six networks and what they can do."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from vrnn.engine import choice
from vrnn.engine.choice import ENGINES, EngineName
from vrnn.engine.interface import Noise, State
from vrnn.networks.feedforward import MLP, GaussianNetwork
from vrnn.networks.frame import Frame
from vrnn.networks.recurrence import GRU, Recurrence
from vrnn.objective.distributions import Gaussian, where_observed
from vrnn.objective.likelihoods import GaussianLikelihood, Likelihood, Squash

STREAMED = 1024  # steps generated at a time; the noise is drawn for so many


class Inference(NamedTuple):
    """What a VRNN makes of observed points, step by step.

    q, p: posterior and prior of z_t, (T, B, z_dim). z: the sample of q, (T, B, z_dim). h: h_{t-1}, (T, B, h_dim).
    decoder: the likelihood's distribution of x_t given z_t and h_{t-1}, parts (T, B, …). state: after the last step.
    """

    q: Gaussian
    p: Gaussian
    decoder: tuple[Tensor, ...]
    z: Tensor
    h: Tensor
    state: State


class VRNN(nn.Module):
    """Six networks: phi_x, phi_z, prior, encoder, decoder, recurrence.

    p(z_t | h_{t-1}) = prior; q(z_t | x_t, h_{t-1}) = encoder(phi_x(x_t), h_{t-1}); p(x_t | z_t, h_{t-1}) = decoder(phi_z(z_t),
    h_{t-1}); h_t = recurrence([phi_x(x_t), phi_z(z_t)], h_{t-1}); h_0 = 0.

    phi_x, phi_z, prior, encoder, decoder: widths of the hidden layers. recurrence: called as recurrence(in_dim, h_dim).
    std, std_floor: how prior and encoder make their standard deviations ("softplus" or "sigmoid", plus the floor).
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
        frame: Frame | None = None,
        likelihood: Likelihood | None = None,
        engine: EngineName = "auto",
    ):
        super().__init__()
        if min(x_dim, z_dim, h_dim) < 1:
            raise ValueError(f"x_dim, z_dim and h_dim must be at least 1, but are {x_dim}, {z_dim} and {h_dim}.")
        if std_floor <= 0:
            raise ValueError(f"model.std_floor must be positive, but is {std_floor}.")
        if engine not in ENGINES:
            raise ValueError(f"model.engine must be one of {[*ENGINES]}, but is {engine!r}.")
        self.x_dim, self.z_dim, self.h_dim = x_dim, z_dim, h_dim
        self.engine: EngineName = engine
        self.frame = frame or Frame()
        self.likelihood = likelihood or GaussianLikelihood()
        self.phi_x = MLP(self.frame.n_features(x_dim), phi_x, activation)
        self.phi_z = MLP(z_dim, phi_z, activation)
        self.prior = GaussianNetwork(h_dim, prior, z_dim, activation, std, std_floor)
        self.encoder = GaussianNetwork(phi_x[-1] + h_dim, encoder, z_dim, activation, std, std_floor)
        hidden = MLP(phi_z[-1] + h_dim, decoder, activation)
        self.decoder = nn.Sequential(hidden, nn.Linear(hidden.out_dim, self.likelihood.n_outputs(x_dim)))
        self.recurrence = recurrence(phi_x[-1] + phi_z[-1], h_dim)

    def initial_state(self, batch: int) -> State:
        """Return the state of `batch` traces before their first point."""
        return State.initial(batch, self.recurrence.state_dim, self.x_dim, like=self.prior.head.weight)

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
    ) -> Inference:
        """Follow observed points: x (T, B, x_dim), from `state` on (None: from the beginning), z drawn from the posterior.

        mask: (T, B), False where x holds nothing; whatever stands there is not looked at.

        Raises:
            ValueError: x is not (T, B, x_dim) with T >= 1.
        """
        if x.dim() != 3 or x.shape[-1] != self.x_dim or not len(x):
            raise ValueError(f"x must have shape (T >= 1, B, x_dim = {self.x_dim}), but has {tuple(x.shape)}.")
        x = where_observed(x, mask)
        state = state or self.initial_state(x.shape[1])
        last, before_last = state.history(x)
        noise = torch.randn(*x.shape[:2], self.z_dim, dtype=x.dtype, device=x.device, generator=generator)
        run = choice.unroll(self, self.frame.features(x, last), noise, state.memory)
        dist = self.likelihood.read(run.raw, self.frame.origin(last, before_last), self.frame.scale)
        return Inference(run.q, run.p, dist, run.z, run.h, state.after(x, run.memory))

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
            noise = Noise.draw(length, n, self.z_dim, self.x_dim, like=state.memory, generator=generator)
            points, state = choice.generate(self, noise, state, sample)
            yield points

    @torch.no_grad()
    def reconstruct(self, x: Tensor, mask: Tensor | None = None, generator: torch.Generator | None = None) -> Tensor:
        """Return the decoder's means (T, B, x_dim) along x (T, B, x_dim), z drawn from the posterior."""
        return self.likelihood.moments(self.infer(x, mask=mask, generator=generator).decoder).mean
