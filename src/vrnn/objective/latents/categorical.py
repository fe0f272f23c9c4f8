"""A categorical z: one or several one-hot variables."""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from vrnn.distributed import all_reduce_sum, sample_noise
from vrnn.objective.latents.base import Latent

Estimator = Literal["straight_through", "gumbel_softmax", "exact"]


class Categorical(NamedTuple):
    """Independent one-hot variables. log_probs: (…, variables, classes), normalised."""

    log_probs: Tensor


class CategoricalLatent(Latent):
    """One or several one-hot variables, z their concatenation; a KL group is one variable.

    How the gradient passes a draw, which has none:
      "straight_through": as if z were the probabilities (Bengio et al. 2013, arXiv 1308.3432; DreamerV2, arXiv 2010.02193);
      "gumbel_softmax": in training z = softmax((log p + Gumbel noise) / temperature), soft (Jang et al. 2017, arXiv
        1611.01144), so that bounds over several samples cannot be trained with it; else a hard draw;
      "exact": as "straight_through" for what follows in time, and the step's own decoder is summed over all classes, weighted
        by their probabilities; for one variable.
    uniform: share of a uniform distribution mixed into every one, so that no class is impossible (DreamerV3, arXiv 2301.04104).
    balance: how much KL(mean q of a batch || uniform), against classes that nobody uses, weighs while w < 1: it is multiplied
      by 1 - w.
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
        if variables < 1 or classes < 2:
            raise ValueError(
                f"latent wants variables >= 1 and classes >= 2, but got variables={variables} and classes={classes}."
            )
        if estimator not in ("straight_through", "gumbel_softmax", "exact"):
            raise ValueError(
                f"latent.estimator must be straight_through, gumbel_softmax or exact, but is {estimator!r}."
            )
        if estimator == "exact" and variables > 1:
            raise ValueError(
                f"latent.estimator=exact sums over the classes of one variable, but latent.variables is {variables}."
            )
        if temperature <= 0 or not 0 <= uniform < 1 or balance < 0:
            raise ValueError(
                "latent wants temperature > 0, 0 <= uniform < 1 and balance >= 0, "
                f"but got {temperature}, {uniform} and {balance}."
            )
        size = variables * classes
        soft = estimator == "gumbel_softmax"
        super().__init__(size, groups=variables, n_outputs=size, n_noise=size if soft else variables)
        self.variables, self.classes, self.estimator = variables, classes, estimator
        self.temperature, self.uniform, self.balance = temperature, uniform, balance

    def from_raw(self, raw: Tensor) -> Categorical:
        """Logits, a variable's classes side by side."""
        log_probs = raw.unflatten(-1, (self.variables, self.classes)).log_softmax(-1)
        if self.uniform:
            mixed = log_probs + math.log1p(-self.uniform)
            log_probs = torch.logaddexp(mixed, mixed.new_tensor(math.log(self.uniform / self.classes)))
        return Categorical(log_probs)

    def standard(self, like: Tensor) -> Categorical:
        """All classes alike."""
        shape = (*like.shape[:-1], self.variables, self.classes)
        return Categorical(like.new_full(shape, -math.log(self.classes)))

    def noise(self, *shape: int, like: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Uniform in [0, 1)."""
        return sample_noise(torch.rand, *shape, self.n_noise, like=like, generator=generator)

    def sample(self, dist: tuple[Tensor, ...], noise: Tensor) -> Tensor:
        """One-hot up to a gradient; soft in training with gumbel_softmax."""
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

    def kl(self, q: tuple[Tensor, ...], p: tuple[Tensor, ...]) -> Tensor:
        """Sum over the classes of q (log q - log p)."""
        (log_q,), (log_p,) = q, p
        return (log_q.exp() * (log_q - log_p)).sum(-1)

    def log_prob(self, dist: tuple[Tensor, ...], z: Tensor) -> Tensor:
        """The chosen classes' log probabilities.

        Linear in z, so that its straight-through gradient makes log q(z) - log p(z) differentiate as the exact KL on average.
        """
        (log_probs,) = dist
        return (z.unflatten(-1, (self.variables, self.classes)) * log_probs).sum((-1, -2))

    def embedding(self, dist: tuple[Tensor, ...]) -> Tensor:
        """The probabilities."""
        return dist[0].exp().flatten(-2)

    def usage_penalty(self, q: tuple[Tensor, ...], mask: Tensor | None) -> Tensor:
        """Return balance * KL(mean of q over all observed steps || uniform), summed over the variables; 0 without any step."""
        if not self.balance:
            return super().usage_penalty(q, mask)
        probs = q[0].exp()
        steps = probs.flatten(0, 1) if mask is None else probs[mask]
        mean = all_reduce_sum(steps.sum(0)) / all_reduce_sum(steps.new_tensor(len(steps))).clamp(min=1)
        return self.balance * (mean * (mean.clamp(min=1e-12).log() + math.log(self.classes))).sum()

    def _one_hot(self, chosen: Tensor, like: Tensor) -> Tensor:
        return nn.functional.one_hot(chosen, self.classes).to(like.dtype)
