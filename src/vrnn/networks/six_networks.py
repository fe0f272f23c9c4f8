"""The six networks of a VRNN and their parameters, without the loop over time that runs them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from vrnn.checks import require
from vrnn.networks.beginning import Beginning, check_beginning
from vrnn.networks.condition import Condition, NoCondition, beside
from vrnn.networks.coordinates import Coordinates
from vrnn.networks.mlp import MLP, LatentNetwork, StandardPrior
from vrnn.networks.posterior import FilteringPosterior, Posterior
from vrnn.networks.recurrence import GRU, NoRecurrence, Recurrence
from vrnn.networks.state import State
from vrnn.objective.latents import CategoricalLatent, GaussianLatent, Latent, rebuild
from vrnn.objective.likelihoods import GaussianLikelihood, Likelihood, Squash


class SixNetworks(nn.Module):
    """phi_x, phi_z, prior, encoder, decoder and recurrence (Chung et al. 2015, arXiv 1506.02216).

    p(z_t | h_{t-1}) = prior(h_{t-1})
    q(z_t | x_t, h_{t-1}) = encoder(phi_x(x_t), h_{t-1})
    p(x_t | z_t, h_{t-1}) = decoder(phi_z(z_t), h_{t-1})
    h_t = recurrence([phi_x(x_t), phi_z(z_t)], h_{t-1}), h_0 = 0

    With a condition, its context c_t stands before the other inputs of each of the six.

    The baselines are made of the same parts. With `NoLatent` there is no z and phi_z, prior and encoder have no parameters: a
    recurrent network that predicts the next point. With `NoRecurrence` and h_dim 0 there is no memory: a VAE of single points.
    With `Markov` and without x_to_h and h_to_x, h is a function of z_{t-1}: a state-space model (DMM).

    Args:
        x_dim: Numbers per point.
        z_dim: Dimensions of the default Gaussian z; unused if `latent` is given.
        h_dim: Width of the recurrence's output h.
        phi_x: Widths of the layers of phi_x; likewise `phi_z`, `prior`, `encoder` and `decoder`.
        activation: "relu", "tanh", "elu" or "silu", for all of them.
        std: How the default Gaussian z makes its standard deviations: "softplus" or "sigmoid".
        std_floor: Added to these standard deviations.
        recurrence: Called as recurrence(in_dim, h_dim).
        latent: The kind of variable z is. None: a Gaussian of z_dim dimensions.
        prior_network: `LatentNetwork` (learned) or `StandardPrior` (fixed, VRNN-I).
        coordinates: What the networks see of a point, and relative to what the decoder's mean is. None: `Coordinates()`.
        likelihood: p(x_t | z_t, h_{t-1}). None: `GaussianLikelihood()`.
        condition: What all six see in addition. None: `NoCondition()`.
        posterior: What the encoder sees of the sequence, called as posterior(in_dim).
        x_to_h: Whether the recurrence sees phi_x(x_t).
        h_to_x: Whether the decoder sees h_{t-1}.
        first_points: Components of the distribution of first points, see `Beginning`; 0: the decoder's, h_0 = 0.

    Raises:
        ValueError: A size that cannot be, or parts that contradict each other.
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
        coordinates: Coordinates | None = None,
        likelihood: Likelihood | None = None,
        condition: Condition | None = None,
        posterior: Callable[[int], Posterior] = FilteringPosterior,
        x_to_h: bool = True,
        h_to_x: bool = True,
        first_points: int = 0,
    ):
        super().__init__()
        if x_dim < 1:
            raise ValueError(f"x_dim must be at least 1, but is {x_dim}.")
        if h_dim < 0:
            raise ValueError(f"model.h_dim must be at least 1 (0 with recurrence=none), but is {h_dim}.")
        self.x_dim, self.h_dim = x_dim, h_dim
        self.latent = latent or GaussianLatent(z_dim, std, std_floor)
        check_memory(h_dim, self.z_dim, recurrence, prior_network)
        self.coordinates = coordinates or Coordinates()
        self.likelihood = likelihood or GaussianLikelihood()
        if self.sums_classes and self.likelihood.follows_batches:
            raise ValueError(
                "latent.estimator=exact would mix points of all classes into the batch's one sigma: choose another likelihood, "
                "or straight_through."
            )
        phi_z_dim = phi_z[-1] if self.z_dim else 0
        condition = condition or NoCondition()
        c_dim = condition.dim
        self.x_to_h, self.h_to_x = x_to_h, h_to_x
        self.posterior = posterior(c_dim + self.coordinates.n_features(x_dim))
        check_paths(self)
        latent_network: Callable[..., LatentNetwork | StandardPrior] = LatentNetwork if self.z_dim else StandardPrior
        self.phi_x = MLP(c_dim + self.coordinates.n_features(x_dim), phi_x, activation)
        seen_dim = c_dim + self.posterior.dim + self.phi_x.out_dim + (h_dim if self.posterior.sees_h else 0)
        self.phi_z = MLP(c_dim + self.z_dim, phi_z, activation) if self.z_dim else nn.Identity()
        self.prior = (prior_network if self.z_dim else StandardPrior)(c_dim + h_dim, prior, self.latent, activation)
        self.encoder = latent_network(seen_dim, encoder, self.latent, activation)
        hidden = MLP(c_dim + phi_z_dim + (h_dim if h_to_x else 0), decoder, activation)
        self.decoder = nn.Sequential(hidden, nn.Linear(hidden.out_dim, self.likelihood.n_outputs(x_dim)))
        self.recurrence = recurrence(c_dim + (phi_x[-1] if x_to_h else 0) + phi_z_dim, h_dim)
        self.condition = condition
        self.beginning: Beginning | None = None
        if first_points:
            check_beginning(self.coordinates, self.likelihood, condition, self.posterior)
            self.beginning = Beginning(first_points, x_dim, self.recurrence.state_dim)

    @property
    def z_dim(self) -> int:
        """Width of z as phi_z sees it."""
        return self.latent.z_dim

    @property
    def sums_classes(self) -> bool:
        """Whether the decoder's term of the loss is summed over all values of z."""
        return isinstance(self.latent, CategoricalLatent) and self.latent.estimator == "exact"

    @property
    def distorts_by_log_prob(self) -> bool:
        """Whether the decoder's term of the loss is -log p(x | z) of the z drawn, and nothing else happens to compute it."""
        return not self.sums_classes and type(self.likelihood).distortion is Likelihood.distortion

    @property
    def device(self) -> torch.device:
        """The device of the parameters."""
        return self._like.device

    @property
    def _like(self) -> Tensor:
        """A tensor with the parameters' precision and device."""
        return next(self.phi_x.parameters())

    def initial_state(self, batch: int) -> State:
        """Return the state of `batch` traces before their first point."""
        if self.beginning is None:
            memory = self._like.new_zeros(batch, self.recurrence.state_dim)
        else:
            memory = self.beginning.memory.expand(batch, -1)
        return State.initial(memory, self.x_dim)

    def embed(self, z: Tensor, context: Tensor | None) -> Tensor:
        """Return phi_z(z_t), (…, phi_z_dim), given z (…, z_dim) and the context (…, c_dim)."""
        return self.phi_z(beside(context, z)) if self.z_dim else z

    def encode(
        self, phi_x: Tensor, h: Tensor, p: tuple[Tensor, ...] | None, summary: Tensor | None, context: Tensor | None
    ) -> tuple[Tensor, ...]:
        """Return q(z_t | …), parts (…, any).

        Args:
            phi_x: phi_x(x_t), (…, phi_x_dim).
            h: h_{t-1}, (…, h_dim).
            p: The prior of z_t; needed with a residual posterior only.
            summary: a_t, (…, posterior.dim); None with a filtering posterior.
            context: (…, c_dim); None without a condition.
        """
        parts = [*([] if summary is None else [summary]), phi_x, *([h] if self.posterior.sees_h else [])]
        q = self.encoder(beside(context, *parts))
        if p is None or not self.posterior.residual:
            return q
        return rebuild(q, (p[0] + q[0], *q[1:]))

    def advance(self, phi_x: Tensor, phi_z: Tensor, memory: Tensor, context: Tensor | None) -> Tensor:
        """Return the recurrence's state after a step, (…, state_dim), given that before it; see `encode` for the others."""
        parts = [phi_x, phi_z] if self.x_to_h else [phi_z]
        return self.recurrence(beside(context, *parts), memory)

    def raw_decoder(self, phi_z: Tensor, h: Tensor, context: Tensor | None) -> Tensor:
        """Return the decoder's raw outputs, (…, n_outputs); see `decode`."""
        parts = [phi_z, h] if self.h_to_x else [phi_z]
        return self.decoder(beside(context, *parts))

    def decode(
        self, phi_z: Tensor, h: Tensor, previous: Tensor, previous2: Tensor, context: Tensor | None = None
    ) -> tuple[Tensor, ...]:
        """Return p(x_t | z_t, h_{t-1}).

        Args:
            phi_z: phi_z(z_t), (…, phi_z_dim).
            h: h_{t-1}, (…, h_dim).
            previous: x_{t-1}, (…, x_dim).
            previous2: x_{t-2}, (…, x_dim).
            context: (…, c_dim); None without a condition.
        """
        raw = self.raw_decoder(phi_z, h, context)
        offset = self.coordinates.mean_offset(previous, previous2)
        return self.likelihood.from_raw(raw, offset, self.coordinates.scale)


def check_paths(networks: SixNetworks) -> None:
    """Refuse a posterior without its variable, a residual one of another kind than Gaussian, and an h or x that sees nothing.

    Raises:
        ValueError: One of these.
    """
    posterior, z_dim = networks.posterior, networks.z_dim
    ordinary = not posterior.dim and networks.x_to_h and networks.h_to_x
    expected = "another with posterior=smoothing, model.x_to_h=false or model.h_to_x=false"
    require(z_dim > 0 or ordinary, "latent", expected, "none")
    if posterior.residual and type(networks.latent) is not GaussianLatent:
        kind = type(networks.latent).__name__
        require(False, "latent", "gaussian with posterior.residual=true", kind, "set posterior.residual=false")
    if posterior.dim and networks.coordinates.predicts == "next":
        require(False, "posterior", "filtering with frame.predicts=next, whose x_{t+1} it would see", "another")


def check_memory(h_dim: int, z_dim: int, recurrence: Any, prior_network: Any) -> None:
    """Refuse a recurrence, a latent variable and a prior that contradict each other.

    Args:
        h_dim: Width of the recurrence's output.
        z_dim: Width of z, 0 without a latent variable.
        recurrence: A class or a partial of one.
        prior_network: A class or a partial of one.

    Raises:
        ValueError: They contradict each other.
    """
    recurrence, prior_network = (getattr(made, "func", made) for made in (recurrence, prior_network))
    without = recurrence is NoRecurrence
    if without != (h_dim == 0):
        raise ValueError(
            f"model.h_dim must be 0 with recurrence=none and at least 1 with any other, but is {h_dim}. "
            "architecture=vae sets all that a model without memory needs."
        )
    if without and not z_dim:
        raise ValueError("A model needs a memory or a latent variable: recurrence=none and latent=none leave neither.")
    if without and prior_network is not StandardPrior:
        raise ValueError("recurrence=none leaves a learned prior nothing to depend on: choose prior=standard.")
