"""NADE against its definition, coordinate by coordinate, and over all points that there are."""

import itertools
import math

import pytest
import torch
from torch.nn.functional import logsigmoid

from vrnn import VRNN
from vrnn.objective import BernoulliLikelihood, NADELikelihood

X_DIM, HIDDEN, ROWS = 5, 7, 3
POINTS = torch.tensor(list(itertools.product([0.0, 1.0], repeat=X_DIM)), dtype=torch.float64)


@pytest.fixture
def likelihood():
    torch.manual_seed(0)
    likelihood = NADELikelihood(X_DIM, HIDDEN).double()
    with torch.no_grad():
        likelihood.v.mul_(20)  # so that the coordinates depend on each other
    return likelihood


@pytest.fixture
def raw(likelihood):
    return torch.randn(ROWS, likelihood.n_outputs(X_DIM)).double()


def defined(likelihood, raw, x):
    """The definition, one coordinate after the other: log p(x) of one row."""
    total = raw.new_zeros(())
    for i in range(X_DIM):
        hidden = torch.sigmoid(raw[X_DIM:] + sum(x[j] * likelihood.w[j] for j in range(i)))
        total = total + logsigmoid((2 * x[i] - 1) * (raw[i] + hidden @ likelihood.v[:, i]))
    return total


def test_density_and_gradients_are_those_of_the_definition(likelihood, raw):
    raw.requires_grad_()
    weights = [raw, likelihood.w, likelihood.v]
    given = POINTS[torch.randperm(len(POINTS))[: 4 * ROWS]].reshape(4, ROWS, X_DIM)
    ours = likelihood.log_prob(likelihood.from_raw(raw, raw, 1.0), given)
    theirs = torch.stack([torch.stack([defined(likelihood, raw[n], x[n]) for n in range(ROWS)]) for x in given])
    torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)
    factors = torch.randn(4, ROWS).double()
    for one, other in zip(
        torch.autograd.grad((factors * ours).sum(), weights),
        torch.autograd.grad((factors * theirs).sum(), weights),
        strict=True,
    ):
        torch.testing.assert_close(one, other, rtol=1e-11, atol=1e-11)


def test_the_probabilities_of_all_points_sum_to_one(likelihood, raw):
    dist = likelihood.from_raw(raw, raw, 1.0)
    for tempered in (dist, likelihood.temper(dist, 0.3)):
        total = likelihood.log_prob(tempered, POINTS.unsqueeze(1)).exp().sum(0)
        torch.testing.assert_close(total, torch.ones(ROWS).double())


def test_a_temperature_divides_every_logit(likelihood, raw):
    dist = likelihood.from_raw(raw, raw, 1.0)
    first = [likelihood.moments(d).mean[:, 0].logit() for d in (dist, likelihood.temper(dist, 0.3))]
    torch.testing.assert_close(first[0], 0.3 * first[1])


def test_samples_are_as_frequent_as_they_are_probable(likelihood, raw):
    """200 000 samples of 32 points, each within 6 standard errors: fails by chance less than once in 10^7."""
    n = 200_000
    dist = tuple(part.expand(n, -1) for part in likelihood.from_raw(raw[:1], raw, 1.0))
    drawn = likelihood.sample(dist, torch.randn(n, X_DIM).double(), torch.rand(n))
    p = likelihood.log_prob(likelihood.from_raw(raw[:1], raw, 1.0), POINTS).exp().detach()
    found = (drawn.unsqueeze(1) == POINTS).all(-1).double().mean(0)
    assert ((found - p).abs() < 6 * (p * (1 - p) / n).sqrt()).all()


def test_without_weights_it_is_bernoulli(likelihood, raw):
    with torch.no_grad():
        likelihood.v.zero_()
    dist, independent = likelihood.from_raw(raw, raw, 1.0), BernoulliLikelihood()
    x = POINTS[:ROWS]
    torch.testing.assert_close(likelihood.log_prob(dist, x), independent.log_prob((raw[:, :X_DIM],), x))
    for one, other in zip(likelihood.moments(dist), independent.moments((raw[:, :X_DIM],)), strict=True):
        torch.testing.assert_close(one, other)


def test_it_starts_at_the_means_of_the_data(likelihood):
    x = POINTS[:6]
    bias = likelihood.start_bias(x)
    assert torch.equal(bias[:X_DIM], BernoulliLikelihood("means").start_bias(x))
    assert torch.equal(bias[X_DIM:], torch.zeros(HIDDEN).double())


def test_a_step_that_the_mask_hides_changes_nothing(likelihood):
    vrnn = VRNN(X_DIM, h_dim=4, z_dim=2, likelihood=likelihood).double()
    x = POINTS[torch.randint(len(POINTS), (6, 2))]
    mask = torch.ones(6, 2, dtype=torch.bool)
    mask[4:, 0] = False
    found = []
    for hidden in (0.0, math.nan):
        given = torch.where(mask.unsqueeze(-1), x, hidden)
        run = vrnn.infer(given, mask=mask, generator=torch.Generator().manual_seed(0))
        value = vrnn.distortion(run)[mask].sum()
        found.append([value, *torch.autograd.grad(value, list(likelihood.parameters()))])
    assert all(map(torch.equal, *found))
    assert all(part.isfinite().all() for part in found[0])


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (lambda: NADELikelihood(0), "likelihood.x_dim must be at least 1, but is 0"),
        (lambda: NADELikelihood(5, hidden=0), "likelihood.hidden must be at least 1, but is 0"),
        (lambda: VRNN(4, likelihood=NADELikelihood(5)), "likelihood.x_dim must be that of the data, 4, but is 5"),
        (lambda: NADELikelihood(2).check(torch.tensor([[0.0, 0.5]])), "data of 0 and 1, but these have others"),
    ],
)
def test_what_cannot_be_is_refused(act, message):
    with pytest.raises(ValueError, match=message):
        act()
