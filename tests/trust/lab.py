"""A package of somebody's own, as far as a configuration can tell: some of its classes cannot be evaluated."""

from vrnn.objective import ELBO, GaussianLatent, GaussianLikelihood
from vrnn.patterns import AutomatonPattern, Pattern, Trace


class MyBound(ELBO):
    """The ELBO by another name."""


class PerCoordinate(GaussianLikelihood):
    """Its log-likelihood has one number per coordinate."""

    def log_prob(self, dist, x):
        return super().log_prob(dist, x).unsqueeze(-1).expand_as(x)


class CannotDraw(GaussianLikelihood):
    """A mistake in the method that draws points."""

    def sample(self, dist, noise, uniform):
        return dist.mean + dist.deviation * noise


class WithoutMoments(GaussianLikelihood):
    """As if the method had not been written."""

    def moments(self, dist):
        raise NotImplementedError


class OneKL(GaussianLatent):
    """Its KL is summed over the dimensions of z."""

    def kl(self, q, p):
        return super().kl(q, p).sum(-1)


class Spatial(AutomatonPattern):
    """The laps of an automaton with a third coordinate."""

    x_dim, form = 3, "series"

    def draw(self, split, n, steps, rng):
        flat = super().draw(split, n, steps, rng)
        return [Trace(rng.standard_normal((steps, 3)), trace.state, trace.lap) for trace in flat]


class Tall(Pattern):
    """Points of three coordinates that are to be plotted as a plane's."""

    x_dim = 3

    def draw(self, split, n, steps, rng):
        return [Trace.of_unknown_origin(rng.standard_normal((steps, 3))) for _ in range(n)]


class Unplottable(Tall):
    """A form that there is not."""

    form = "volume"
