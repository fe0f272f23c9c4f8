"""A posterior that sees all points: exact where the exact one is known, and deaf to what lies outside of a trace."""

from functools import partial

import pytest
import torch
from torch import nn
from torch.distributions import MultivariateNormal

from vrnn.model import VRNN
from vrnn.model.particles import log_evidence
from vrnn.networks import Coordinates, FilteringPosterior, Recurrence, RecurrentPosterior
from vrnn.objective import ELBO, FIVO, IWAE, CategoricalLatent, FixedGaussianLikelihood, KLBalancingW, LinearW, WakeW
from vrnn.objective.distributions import Gaussian
from vrnn.training.compatibility import check_compatible

# z_t = A z_{t-1} + N(0, Q), z_0 = 0; x_t = C z_t + N(0, R), all scalars.
A, Q, C, R = 0.9, 0.5, 1.3, 0.25
LENGTHS = (6, 4, 1)


class LastZ(Recurrence):
    """h_t = z_t."""

    def forward(self, inputs, state):
        return inputs


class Messages(Recurrence):
    """The backward messages p(x_t, …, x_T | z_t) of a Kalman smoother, as precision and precision times mean."""

    def __init__(self):
        super().__init__(1, 2)

    def forward(self, inputs, state):
        precision, shift = state.chunk(2, dim=-1)
        kept = 1 / (1 + Q * precision)
        return torch.cat([C**2 / R + A**2 * kept * precision, C / R * inputs + A * kept * shift], dim=-1)


class KalmanPosterior(FilteringPosterior):
    """Has seen x_t, …, x_T."""

    dim, directions = 2, ("backward",)

    def __init__(self, in_dim):
        super().__init__()
        self.recurrences = nn.ModuleList([Messages()])


class Encoder(nn.Module):
    """q(z_t | z_{t-1}, …) of the message about z_t, given or from x_t alone."""

    def forward(self, inputs):
        *message, x, h = inputs.split(1, dim=-1)
        precision, shift = message or (torch.full_like(x, C**2 / R), C / R * x)
        total = 1 / Q + precision
        return Gaussian((A / Q * h + shift) / total, total**-0.5)


class Prior(nn.Module):
    def forward(self, h):
        return Gaussian(A * h, torch.full_like(h, Q**0.5))


def linear_gaussian(posterior):
    """A VRNN that is this model, with the exact posterior of what it sees."""
    vrnn = VRNN(
        x_dim=1,
        z_dim=1,
        h_dim=1,
        phi_x=[1],
        phi_z=[1],
        recurrence=LastZ,
        coordinates=Coordinates("position", relative_to="nothing", scale=1.0),
        likelihood=FixedGaussianLikelihood(R**0.5),
        posterior=posterior,
        x_to_h=False,
        h_to_x=False,
    ).double()
    vrnn.phi_x, vrnn.phi_z = nn.Sequential(nn.Linear(1, 1)).double(), nn.Identity()
    vrnn.encoder, vrnn.prior = Encoder(), Prior()
    vrnn.decoder = nn.Linear(1, 1).double()
    with torch.no_grad():
        for layer, gain in ((vrnn.phi_x[0], 1.0), (vrnn.decoder, C)):
            layer.weight.fill_(gain)
            layer.bias.zero_()
    return vrnn


def drawn():
    """Traces of the model, of unequal lengths, with NaN behind each; their mask and their log-likelihoods."""
    steps = max(LENGTHS)
    transition = torch.tensor(
        [[A ** (t - s) if s <= t else 0.0 for s in range(steps)] for t in range(steps)], dtype=torch.float64
    )
    covariance = C**2 * Q * transition @ transition.T + R * torch.eye(steps, dtype=torch.float64)
    x, mask = torch.full((steps, len(LENGTHS), 1), torch.nan).double(), torch.zeros(steps, len(LENGTHS), dtype=bool)
    log_likelihoods = []
    for b, n in enumerate(LENGTHS):
        marginal = MultivariateNormal(torch.zeros(n).double(), covariance[:n, :n])
        x[:n, b, 0], mask[:n, b] = marginal.sample(), True
        log_likelihoods.append(marginal.log_prob(x[:n, b, 0]))
    return x, mask, torch.stack(log_likelihoods)


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


@torch.no_grad()
def test_the_exact_smoother_closes_the_bound():
    """log p(x, z) - log q(z | x) is log p(x) whatever z is; with the best posterior that does not look ahead, it is not."""
    x, mask, exact = drawn()
    smoothing, filtering = linear_gaussian(KalmanPosterior), linear_gaussian(FilteringPosterior)
    for bound in (IWAE(1), IWAE(3), FIVO(1)):
        torch.testing.assert_close(log_evidence(smoothing, x, bound, mask), exact, rtol=0, atol=1e-10)
    copies, masks = x.repeat(1, 2000, 1), mask.repeat(1, 2000)
    elbo = log_evidence(filtering, copies, IWAE(1), masks).unflatten(0, (-1, len(LENGTHS))).mean(0)
    assert (elbo[:2] < exact[:2] - 0.05).all()
    torch.testing.assert_close(elbo[2], exact[2])  # of one step, both posteriors are the exact one
    many = FIVO(4000)  # whose particles look ahead: still an estimate of log p(x)
    torch.testing.assert_close(log_evidence(smoothing, x, many, mask), exact, rtol=0, atol=0.05)


@pytest.mark.parametrize("direction", ["backward", "forward"])
def test_a_recurrent_posterior_sees_one_direction(direction):
    """By the gradients: which points the summary of each step depends on. Missing ones are skipped, NaN or not."""
    vrnn = VRNN(
        h_dim=3, engine="reference", posterior=partial(RecurrentPosterior, width=4, directions=[direction])
    ).double()
    x = torch.randn(5, 1, 2, dtype=torch.float64, requires_grad=True)
    mask = torch.tensor([[True], [True], [False], [True], [False]])
    with_nan = torch.where(mask.unsqueeze(-1), x, torch.nan)
    summary = vrnn.summarise(with_nan, mask)
    seen = torch.stack([torch.autograd.grad(a.sum(), x, retain_graph=True)[0].abs().sum((1, 2)) > 0 for a in summary])
    order = torch.ones(5, 5, dtype=bool)
    expected = (order.triu() if direction == "backward" else order.tril()) & mask.squeeze(1)
    assert torch.equal(seen, expected)
    torch.testing.assert_close(
        vrnn.summarise(x[[0, 1, 3]])[0 if direction == "backward" else 2], summary[0 if direction == "backward" else 4]
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"posterior": partial(RecurrentPosterior, directions=["up"])}, "posterior.directions must be one or both"),
        ({"posterior": RecurrentPosterior, "latent": CategoricalLatent(1, 3)}, "set posterior.residual=false"),
        ({"posterior": RecurrentPosterior, "z_dim": 0}, "model.z_dim must be at least 1"),
        (
            {"posterior": RecurrentPosterior, "first_points": 2},
            "must be without backward, but is \\['backward'\\]: set model.first_points=0",
        ),
    ],
)
def test_refused(options, message):
    with pytest.raises(ValueError, match=message):
        VRNN(**options)


@pytest.mark.parametrize("w_schedule", [KLBalancingW(), LinearW(prior_at_once=True), WakeW()])
def test_schedules_that_stop_gradients_need_means_of_their_own(w_schedule):
    """With mu_q = mu_p + r the term that is to train the posterior alone moves the prior, too."""
    vrnn = VRNN(posterior=RecurrentPosterior).double()
    run = vrnn.infer(torch.randn(5, 3, 2, dtype=torch.float64))
    _, for_posterior = vrnn.latent.stop_gradient_kls(run.q, run.p)
    (moved,) = torch.autograd.grad(for_posterior.sum(), list(vrnn.prior.parameters())[-1])
    assert moved.abs().max() > 0
    with pytest.raises(ValueError, match=r"set posterior\.residual=false"):
        check_compatible(vrnn, w_schedule, ELBO())
    check_compatible(VRNN(posterior=partial(RecurrentPosterior, residual=False)), KLBalancingW(), ELBO())
