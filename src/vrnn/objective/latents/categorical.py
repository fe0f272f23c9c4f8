"""A categorical z: one or several one-hot variables."""

from __future__ import annotations

import math
from typing import Literal, NamedTuple, get_args

import torch
from torch import Tensor, nn
from typing_extensions import override

from vrnn.distributed import all_reduce_sum, sample_noise
from vrnn.objective.distributions import temper_log_probs
from vrnn.objective.latents.base import Latent

Estimator = Literal["straight_through", "gumbel_softmax", "exact"]


class Categorical(NamedTuple):
    """Independent one-hot variables.

    Attributes:
        log_probs: Normalised, (…, variables, classes).
    """

    log_probs: Tensor


class CategoricalLatent(Latent):
    """One or several one-hot variables; z is their concatenation. Each variable is a group of the KL.

    The raw outputs are logits, one variable after the other. The noise is uniform in [0, 1), and the fixed prior gives all
    classes the same probability. A sample has no gradient of its own; the estimator supplies one:

    - "straight_through": The gradient passes as if z were the probabilities (Bengio et al. 2013, arXiv 1308.3432; DreamerV2,
      arXiv 2010.02193).
    - "gumbel_softmax": In training mode z = softmax((log p + Gumbel noise) / temperature), which is soft (Jang et al. 2017,
      arXiv 1611.01144), so that a bound by particles cannot be trained with it; in eval mode z is one-hot.
    - "exact": The loss of a step is summed over all classes of z, weighted by their probabilities, for one variable. For the
      steps that follow it is "straight_through".

    Args:
        variables: How many.
        classes: Of each.
        estimator: See above.
        temperature: Of "gumbel_softmax".
        uniform: Share of a uniform distribution mixed into each one, so that no class is impossible (DreamerV3,
            arXiv 2301.04104).
        balance: The factor of KL(mean q of a batch || uniform), a penalty for classes that no step uses. The loss adds it
            (1 - w) times. With `w_schedule=wake` it is the mean of p.

    Raises:
        ValueError: A number out of its range, an unknown estimator, or "exact" with several variables.
    """

    def __init__(
        self,
        variables: int = 1,
        classes: int = 8,
        estimator: Estimator = "straight_through",
        temperature: float = 1.0,
        uniform: float = 0.0,
        balance: float = 0.0,
    ):
        if variables < 1:
            raise ValueError(f"latent.variables must be at least 1, but is {variables}.")
        if classes < 2:
            raise ValueError(f"latent.classes must be at least 2, but is {classes}.")
        if estimator not in get_args(Estimator):
            choices = ", ".join(get_args(Estimator))
            raise ValueError(f"latent.estimator must be one of {choices}, but is {estimator!r}.")
        if estimator == "exact" and variables > 1:
            raise ValueError(
                f"latent.variables must be 1 with latent.estimator=exact, but is {variables}: choose straight_through."
            )
        if temperature <= 0:
            raise ValueError(f"latent.temperature must be positive, but is {temperature}.")
        if not 0 <= uniform < 1:
            raise ValueError(f"latent.uniform must be in [0, 1), but is {uniform}.")
        if balance < 0:
            raise ValueError(f"latent.balance must be at least 0, but is {balance}.")
        size = variables * classes
        soft = estimator == "gumbel_softmax"
        super().__init__(size, groups=variables, n_outputs=size, n_noise=size if soft else variables)
        self.variables, self.classes, self.estimator = variables, classes, estimator
        self.temperature, self.uniform, self.balance = temperature, uniform, balance

    @override
    def from_raw(self, raw: Tensor) -> Categorical:
        log_probs = raw.unflatten(-1, (self.variables, self.classes)).log_softmax(-1)
        if self.uniform:
            mixed = log_probs + math.log1p(-self.uniform)
            log_probs = torch.logaddexp(mixed, mixed.new_tensor(math.log(self.uniform / self.classes)))
        return Categorical(log_probs)

    @override
    def standard(self, like: Tensor) -> Categorical:
        shape = (*like.shape[:-1], self.variables, self.classes)
        return Categorical(like.new_full(shape, -math.log(self.classes)))

    @override
    def noise(self, *shape: int, like: Tensor, generator: torch.Generator | None = None) -> Tensor:
        return sample_noise(torch.rand, *shape, self.n_noise, like=like, generator=generator)

    @override
    def sample(self, dist: tuple[Tensor, ...], noise: Tensor) -> Tensor:
        (log_probs,) = dist
        if self.estimator == "gumbel_softmax":
            tiny = torch.finfo(noise.dtype).tiny
            gumbel = -(-noise.clamp(min=tiny).log()).clamp(min=tiny).log()
            scores = log_probs + gumbel.unflatten(-1, (self.variables, self.classes))
            soft = (scores / self.temperature).softmax(-1)
            z = soft if self.training else self._one_hot(scores.argmax(-1), log_probs)
        else:
            probs = log_probs.exp()
            chosen = (probs.cumsum(-1)[..., :-1] < noise.unsqueeze(-1)).sum(-1)
            z = self._one_hot(chosen, log_probs) + (probs - probs.detach())
        return z.flatten(-2)

    @override
    def temper(self, dist: tuple[Tensor, ...], temperature: float) -> Categorical:
        return Categorical(temper_log_probs(dist[0], temperature))

    @override
    def kl(self, q: tuple[Tensor, ...], p: tuple[Tensor, ...]) -> Tensor:
        (log_q,), (log_p,) = q, p
        return (log_q.exp() * (log_q - log_p)).sum(-1)

    @override
    def log_prob(self, dist: tuple[Tensor, ...], z: Tensor) -> Tensor:
        # Linear in z, so that by the straight-through gradient of z, log q(z) - log p(z) has the gradient of the exact KL on
        # average.
        (log_probs,) = dist
        return (z.unflatten(-1, (self.variables, self.classes)) * log_probs).sum((-1, -2))

    @override
    def embedding(self, dist: tuple[Tensor, ...]) -> Tensor:
        return dist[0].exp().flatten(-2)

    @override
    def usage_penalty(self, dist: tuple[Tensor, ...], mask: Tensor | None) -> Tensor:
        # balance * KL(mean of dist over all observed steps || uniform), summed over the variables; 0 without an observed step.
        if not self.balance:
            return super().usage_penalty(dist, mask)
        probs = dist[0].exp()
        steps = probs.flatten(0, 1) if mask is None else probs[mask]
        mean = all_reduce_sum(steps.sum(0)) / all_reduce_sum(steps.new_tensor(len(steps))).clamp(min=1)
        return self.balance * (mean * (mean.clamp(min=1e-12).log() + math.log(self.classes))).sum()

    def _one_hot(self, chosen: Tensor, like: Tensor) -> Tensor:
        return nn.functional.one_hot(chosen, self.classes).to(like.dtype)
