"""The bounds on a model whose evidence is known, and their parts by brute force."""

import math

import pytest
import torch

from tests.objective.kalman import LinearGaussian, Walkers
from vrnn.objective import FIVO, IWAE, Bound
from vrnn.objective.bounds import (
    effective_size,
    increments,
    log_mean_exp,
    run_particles,
    systematic_resample,
    trace_ancestors,
)

STEPS = 12


def observed(batch: int = 3, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return 0.5 * torch.randn(STEPS, batch, generator=generator).cumsum(0)


def test_the_kalman_filter_gives_the_joint_gaussian_s_density():
    model = LinearGaussian(observed(), K=1)
    torch.testing.assert_close(model.evidence(), model.joint().log_prob(model.x.T))


@pytest.mark.parametrize(
    ("bound", "a"), [(IWAE(1), 0.8), (IWAE(7), 0.8), (FIVO(7), 0.0), (FIVO(4, resample_below=1.0), 0.0)], ids=str
)
def test_the_exact_posterior_gives_the_evidence(bound, a):
    """The increments of any particle add up to log p(x), to rounding; where steps are independent (a = 0), each is constant."""
    model = LinearGaussian(observed(), bound.particles, a=a)
    torch.manual_seed(0)
    found = run_particles(model.exact, model.start(), STEPS, bound)
    torch.testing.assert_close(found.bound, model.evidence(), rtol=0, atol=1e-9)


@pytest.mark.parametrize("bound", [IWAE(16), FIVO(16)], ids=str)
def test_the_likelihood_is_estimated_without_bias(bound):
    """E[exp(bound)] = p(x), over 20 000 copies of one trace, within 4.5 standard errors: by chance once in 10^5."""
    model = LinearGaussian(observed(1)[:6].repeat(1, 20_000), bound.particles)
    torch.manual_seed(1)
    ratio = (run_particles(model.blind, model.start(), 6, bound).bound - model.evidence()).exp()
    assert abs(float(ratio.mean()) - 1) < 4.5 * float(ratio.std()) / math.sqrt(len(ratio))


def test_bounds_of_successive_windows_add_up_without_bias():
    """As in training, where a window's end is the next one's beginning. Same size and chance as above."""
    model = LinearGaussian(observed(1)[:6].repeat(1, 20_000), 8)
    torch.manual_seed(2)
    first = run_particles(model.blind, model.start(), 3, IWAE(8), window=3)
    second = run_particles(lambda a, b, state: model.blind(a + 3, b + 3, state), first.state, 3, IWAE(8), window=3)
    ratio = (first.bound + second.bound - model.evidence()).exp()
    assert abs(float(ratio.mean()) - 1) < 4.5 * float(ratio.std()) / math.sqrt(len(ratio))


@pytest.mark.parametrize("kind", [IWAE, FIVO])
def test_the_mean_bound_grows_with_k_up_to_the_evidence(kind):
    """Over 4000 copies; the steps between the means exceed five standard errors: by chance once in 10^6."""
    x = observed(1).repeat(1, 4000)
    evidence = LinearGaussian(x, 1).evidence().mean()
    torch.manual_seed(3)
    means, errors = [], []
    for K in (1, 4, 16, 64):
        model = LinearGaussian(x, K)
        bound = run_particles(model.blind, model.start(), STEPS, kind(K)).bound
        means.append(float(bound.mean()))
        errors.append(float(bound.std()) / math.sqrt(4000))
    assert all(means[i + 1] - means[i] > 5 * math.hypot(*errors[i : i + 2]) for i in range(3))
    assert means[-1] < evidence + 4 * errors[-1]
    if kind is FIVO:
        assert means[-1] > evidence - 0.2


def test_fivo_without_resampling_is_iwae():
    model = LinearGaussian(observed(), 5)
    found = []
    for bound, window in ((IWAE(5), 4), (FIVO(5, resample_below=0.0), 1)):
        torch.manual_seed(4)
        found.append(run_particles(model.blind, model.start(), STEPS, bound, window).bound)
    assert torch.equal(*found)


def test_a_filter_by_hand():
    """Two traces, three particles, three steps of given weights; the trace with uneven weights is resampled, not the other."""
    given = torch.tensor(
        [
            [[0.0, 0.0], [9.0, 0.1], [0.0, 0.2]],
            [[1.0, 0.3], [2.0, 0.1], [3.0, 0.0]],
            [[0.5, 1.0], [0.1, 1.0], [0.2, 1.0]],
        ]
    ).double()
    seen = []

    def step_fn(begin, end, state):
        seen.append(state.z.view(3, 2))
        return given[begin:end], state, None

    start = Walkers(torch.arange(6).double())
    found = run_particles(step_fn, start, 3, FIVO(3), generator=torch.Generator().manual_seed(0))
    first = given[0, :, 0].exp().mean().log()  # particle 1 holds nearly all the weight: effective size 1
    rest = given[1:, :, 0].sum(0).exp().mean().log()
    assert effective_size(given[1:2, :, 0].T)[0] > 1.5  # so that no resampling follows
    torch.testing.assert_close(found.bound[0], first + rest)
    torch.testing.assert_close(found.bound[1], given[..., 1].sum(0).exp().mean().log())
    assert seen[1].tolist() == [[2, 1], [2, 3], [2, 5]]
    assert found.ancestors[0].tolist() == [[1, 0], [1, 1], [1, 2]]


def test_systematic_resampling_takes_each_its_share():
    """Particle k comes floor(K w_k) or ceil(K w_k) times, and K w_k on average (10 000 draws, 5 standard errors)."""
    weights = torch.tensor([0.05, 0.5, 0.0, 0.33, 0.12])
    uniform = torch.rand(10_000, generator=torch.Generator().manual_seed(0))
    drawn = systematic_resample(weights.log().unsqueeze(1).expand(-1, 10_000), uniform)
    counts = torch.stack([(drawn == k).sum(0) for k in range(5)]).double()
    expected = 5 * weights.unsqueeze(1)
    assert ((counts - expected).abs() < 1 + 1e-5).all()
    assert ((counts.mean(1) - expected[:, 0]).abs() < 5 * 0.5 / 100).all()


def test_effective_size_and_mean():
    log_weights = torch.tensor([[0.0, -800.0], [0.0, 0.0], [math.log(2), -800.0]])
    torch.testing.assert_close(effective_size(log_weights), torch.tensor([16 / 6, 1.0]))
    torch.testing.assert_close(log_mean_exp(log_weights), torch.tensor([math.log(4 / 3), -math.log(3)]))


def test_ancestors_are_traced_back():
    ancestors = torch.tensor([[[0], [0], [2]], [[1], [2], [2]], [[2], [0], [1]]])
    for last in range(3):
        third = int(ancestors[2, last, 0])
        second = int(ancestors[1, third, 0])
        first = int(ancestors[0, second, 0])
        assert trace_ancestors(ancestors, torch.tensor([last])).flatten().tolist() == [first, second, third]


def test_masked_increments_are_zero_in_value_and_gradient():
    parts = [torch.tensor([1.0, value], requires_grad=True) for value in (math.nan, math.inf, 2.0)]
    weights = increments(*parts, torch.tensor([True, False]), w=0.5)
    assert weights.tolist() == [1.0, 0.0]
    weights.sum().backward()
    assert [part.grad.tolist() for part in parts] == [[1.0, 0.0], [0.5, 0.0], [-0.5, 0.0]]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: IWAE(0), "bound.particles must be at least 1, but is 0"),
        (lambda: FIVO(-2), "bound.particles must be at least 1, but is -2"),
        (lambda: Bound(2, 1.5), r"resample_below must be in \[0, 1\], but is 1.5"),
    ],
)
def test_impossible_bounds_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
