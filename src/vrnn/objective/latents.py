"""What kind of variable z is: one class a kind.

A latent turns the raw outputs of the prior's and the encoder's last layer into a distribution over z, draws z from it, and
compares two of them. A distribution is a flat tuple of tensors, so that engines can stack, mix and resample it blindly.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, TypeVar

import torch
from torch import Tensor, nn

from vrnn.objective.distributions import Gaussian, gaussian_kl, gaussian_log_prob
from vrnn.objective.likelihoods import Squash, positive
from vrnn.objective.likelihoods.interface import SQUASHES
from vrnn.processes import draw, total

D = TypeVar("D", bound=tuple[Tensor, ...])
Estimator = Literal["straight_through", "gumbel_softmax", "exact"]


class Categorical(NamedTuple):
    """Independent one-hot variables. log_probs: (…, variables, classes), normalised."""

    log_probs: Tensor


class GaussianCategorical(NamedTuple):
    """Independent Gaussians and, beside them, one-hot variables. mean, std: (…, dim); log_probs: (…, variables, classes)."""

    mean: Tensor
    std: Tensor
    log_probs: Tensor


class Nothing(NamedTuple):
    """The distribution of no variable at all. empty: (…, 0)."""

    empty: Tensor


class Latent(nn.Module):
    """The interface.

    z_dim: width of z, as phi_z sees it. groups: the KL comes as so many numbers a step. n_outputs: raw numbers that prior and
    encoder give for a step. n_noise: numbers of chance that one z takes.
    """

    def __init__(self, z_dim: int, groups: int, n_outputs: int, n_noise: int):
        super().__init__()
        self.z_dim, self.groups, self.n_outputs, self.n_noise = z_dim, groups, n_outputs, n_noise

    def read(self, raw: Tensor) -> tuple[Tensor, ...]:
        """Turn raw outputs (…, n_outputs) into a distribution."""
        raise NotImplementedError

    def standard(self, like: Tensor) -> tuple[Tensor, ...]:
        """Return the distribution of z before anything is known, for each row of `like` (…, any)."""
        raise NotImplementedError

    def noise(self, *shape: int, like: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Draw the chance that `sample` needs, (*shape, n_noise)."""
        raise NotImplementedError

    def sample(self, dist: tuple[Tensor, ...], noise: Tensor) -> Tensor:
        """Return z (…, z_dim) made from the noise, differentiable in the distribution."""
        raise NotImplementedError

    def kl(self, q: tuple[Tensor, ...], p: tuple[Tensor, ...]) -> Tensor:
        """Return the exact KL(q || p) in nats, (…, groups)."""
        raise NotImplementedError

    def log_prob(self, dist: tuple[Tensor, ...], z: Tensor) -> Tensor:
        """Return log p(z) in nats, (…); z (…, z_dim) drawn by `sample` with an estimator whose draws are exact."""
        raise NotImplementedError

    def code(self, dist: tuple[Tensor, ...]) -> Tensor:
        """Return where the distribution lies, (…, z_dim): means, probabilities."""
        raise NotImplementedError

    def unused(self, q: tuple[Tensor, ...], mask: Tensor | None) -> Tensor:
        """Return what it costs, while w < 1, that q (T, B, …) leaves values of z unused, () in nats: here nothing."""
        return q[0].new_zeros(())

    def kl_sides(self, q: D, p: D) -> tuple[Tensor, Tensor]:
        """Return KL(sg q || p) and KL(q || sg p), each as `kl`; sg stops the gradient."""
        return self.kl(detached(q), p), self.kl(q, detached(p))


class GaussianLatent(Latent):
    """z = mean + std * noise; a KL group is one dimension (Kingma & Welling 2014, arXiv 1312.6114).

    std, floor: how the standard deviation is made: floor + softplus or sigmoid of the raw output.
    """

    def __init__(self, z_dim: int = 8, std: Squash = "softplus", floor: float = 1e-4):
        if z_dim < 1:
            raise ValueError(f"model.z_dim must be at least 1, but is {z_dim}; a model without z has latent=none.")
        if std not in SQUASHES:
            raise ValueError(f"model.std must be {' or '.join(SQUASHES)}, but is {std!r}.")
        if floor <= 0:
            raise ValueError(f"model.std_floor must be positive, but is {floor}.")
        super().__init__(z_dim, groups=z_dim, n_outputs=2 * z_dim, n_noise=z_dim)
        self.std: Squash = std
        self.floor = floor

    def read(self, raw: Tensor) -> Gaussian:
        """Means first."""
        mean, std = raw.chunk(2, dim=-1)
        return Gaussian(mean, positive(std, self.std, self.floor))

    def standard(self, like: Tensor) -> Gaussian:
        """N(0, 1)."""
        zeros = like.new_zeros(*like.shape[:-1], self.z_dim)
        return Gaussian(zeros, zeros + 1)

    def noise(self, *shape: int, like: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Standard normal."""
        return draw(torch.randn, *shape, self.n_noise, like=like, generator=generator)

    def sample(self, dist: tuple[Tensor, ...], noise: Tensor) -> Tensor:
        """mean + std * noise."""
        mean, std = dist
        return mean + std * noise

    def kl(self, q: tuple[Tensor, ...], p: tuple[Tensor, ...]) -> Tensor:
        """See gaussian_kl."""
        return gaussian_kl(Gaussian(*q), Gaussian(*p))

    def log_prob(self, dist: tuple[Tensor, ...], z: Tensor) -> Tensor:
        """See gaussian_log_prob."""
        return gaussian_log_prob(z, *dist)

    def code(self, dist: tuple[Tensor, ...]) -> Tensor:
        """The means."""
        return dist[0]


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

    def read(self, raw: Tensor) -> Categorical:
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
        return draw(torch.rand, *shape, self.n_noise, like=like, generator=generator)

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

    def code(self, dist: tuple[Tensor, ...]) -> Tensor:
        """The probabilities."""
        return dist[0].exp().flatten(-2)

    def unused(self, q: tuple[Tensor, ...], mask: Tensor | None) -> Tensor:
        """Return balance * KL(mean of q over all observed steps || uniform), summed over the variables; 0 without any step."""
        if not self.balance:
            return super().unused(q, mask)
        probs = q[0].exp()
        steps = probs.flatten(0, 1) if mask is None else probs[mask]
        mean = total(steps.sum(0)) / total(steps.new_tensor(len(steps))).clamp(min=1)
        return self.balance * (mean * (mean.clamp(min=1e-12).log() + math.log(self.classes))).sum()

    def _one_hot(self, chosen: Tensor, like: Tensor) -> Tensor:
        return nn.functional.one_hot(chosen, self.classes).to(like.dtype)


class GaussianCategoricalLatent(Latent):
    """Both side by side: z = [Gaussian part, one-hot part], independent given h. The KL's groups are those of both."""

    def __init__(self, gaussian: GaussianLatent, categorical: CategoricalLatent):
        if categorical.estimator == "exact":
            raise ValueError(
                "latent.categorical.estimator=exact sums over classes alone; beside a Gaussian use straight_through."
            )
        parts: Sequence[Latent] = (gaussian, categorical)
        sums = {
            name: sum(getattr(part, name) for part in parts) for name in ("z_dim", "groups", "n_outputs", "n_noise")
        }
        super().__init__(**sums)
        self.gaussian, self.categorical = gaussian, categorical

    def read(self, raw: Tensor) -> GaussianCategorical:
        """The Gaussian's raw outputs first."""
        a, b = raw.split([self.gaussian.n_outputs, self.categorical.n_outputs], dim=-1)
        return GaussianCategorical(*self.gaussian.read(a), *self.categorical.read(b))

    def standard(self, like: Tensor) -> GaussianCategorical:
        """N(0, 1), and all classes alike."""
        return GaussianCategorical(*self.gaussian.standard(like), *self.categorical.standard(like))

    def noise(self, *shape: int, like: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Standard normal, then uniform."""
        parts = (self.gaussian, self.categorical)
        return torch.cat([part.noise(*shape, like=like, generator=generator) for part in parts], dim=-1)

    def sample(self, dist: tuple[Tensor, ...], noise: Tensor) -> Tensor:
        """Each its own way."""
        a, b = noise.split([self.gaussian.n_noise, self.categorical.n_noise], dim=-1)
        return torch.cat([self.gaussian.sample(dist[:2], a), self.categorical.sample(dist[2:], b)], dim=-1)

    def kl(self, q: tuple[Tensor, ...], p: tuple[Tensor, ...]) -> Tensor:
        """The Gaussian's dimensions, then the variables."""
        return torch.cat([self.gaussian.kl(q[:2], p[:2]), self.categorical.kl(q[2:], p[2:])], dim=-1)

    def log_prob(self, dist: tuple[Tensor, ...], z: Tensor) -> Tensor:
        """The sum of both."""
        a, b = z.split([self.gaussian.z_dim, self.categorical.z_dim], dim=-1)
        return self.gaussian.log_prob(dist[:2], a) + self.categorical.log_prob(dist[2:], b)

    def unused(self, q: tuple[Tensor, ...], mask: Tensor | None) -> Tensor:
        """Of the classes; a Gaussian has none."""
        return self.categorical.unused(q[2:], mask)

    def code(self, dist: tuple[Tensor, ...]) -> Tensor:
        """Means, then probabilities."""
        return torch.cat([self.gaussian.code(dist[:2]), self.categorical.code(dist[2:])], dim=-1)


class NoLatent(Latent):
    """No z: what is left of a VRNN is a recurrent network that predicts the next point. Its KL has no groups and sums to 0."""

    def __init__(self) -> None:
        super().__init__(z_dim=0, groups=0, n_outputs=0, n_noise=0)

    def read(self, raw: Tensor) -> Nothing:
        """Nothing to read."""
        return Nothing(raw)

    def standard(self, like: Tensor) -> Nothing:
        """Nothing."""
        return Nothing(like[..., :0])

    def noise(self, *shape: int, like: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """No chance is needed."""
        return like.new_zeros(*shape, 0)

    def sample(self, dist: tuple[Tensor, ...], noise: Tensor) -> Tensor:
        """(…, 0)."""
        return dist[0]

    def kl(self, q: tuple[Tensor, ...], p: tuple[Tensor, ...]) -> Tensor:
        """(…, 0)."""
        return q[0]

    def log_prob(self, dist: tuple[Tensor, ...], z: Tensor) -> Tensor:
        """0 everywhere."""
        return z.sum(-1)

    def code(self, dist: tuple[Tensor, ...]) -> Tensor:
        """(…, 0)."""
        return dist[0]


def detached(dist: D) -> D:
    """Return a distribution cut off from the graph that made it."""
    return like_tuple(dist, (part.detach() for part in dist))


def where(condition: Tensor, a: D, b: D) -> D:
    """Return distribution a where the condition (…) holds, else b."""
    pairs = zip(a, b, strict=True)
    return like_tuple(
        a, (torch.where(condition[(...,) + (None,) * (x.dim() - condition.dim())], x, y) for x, y in pairs)
    )


def stacked(dists: Sequence[D]) -> D:
    """Return the distributions of successive steps as one, time first."""
    return like_tuple(dists[0], (torch.stack(parts) for parts in zip(*dists, strict=True)))


def like_tuple(dist: D, parts: Any) -> D:
    """Return the parts as a distribution of the same kind."""
    return type(dist)(*parts)
