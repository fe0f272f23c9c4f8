"""The VRNN against the paper's equations, written out once more by pen."""

import math

import pytest
import torch
from torch.distributions import Independent, Normal

from vrnn.model import VRNN
from vrnn.networks import GRU, LSTM, MTRNN, Coordinates, Elman
from vrnn.objective import GaussianMixtureLikelihood, gaussian_kl

RECURRENCES = [Elman, GRU, LSTM, MTRNN]
ENGINES = ["native", "reference"]
FRAMES = [
    Coordinates("position", relative_to="nothing", scale=1.0),
    Coordinates("position_difference", relative_to="last_point", scale=0.3),
    Coordinates("position_difference", relative_to="velocity", scale=0.1),
]


def small(recurrence=GRU, coordinates=None, **options) -> VRNN:
    torch.manual_seed(0)
    sizes = {"z_dim": 3, "h_dim": 5, "phi_x": [4, 4], "phi_z": [3], "prior": [6], "encoder": [7], "decoder": [6]}
    return VRNN(**sizes, recurrence=recurrence, coordinates=coordinates, **options).double()


def walk(steps: int, batch: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return 0.1 * torch.randn(steps, batch, 2, dtype=torch.float64, generator=generator).cumsum(0)


@pytest.mark.parametrize("recurrence", RECURRENCES)
@pytest.mark.parametrize("coordinates", FRAMES, ids=lambda coordinates: coordinates.relative_to)
@pytest.mark.parametrize("engine", ENGINES)
def test_infer_against_the_equations(recurrence, coordinates, engine):
    """One trace, one step at a time, every quantity from its definition."""
    vrnn, x = small(recurrence, coordinates, engine=engine), walk(6, 2)
    run = vrnn.infer(x, generator=torch.Generator().manual_seed(2))
    eps = torch.randn(6, 2, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    memory = torch.zeros(2, vrnn.recurrence.state_dim, dtype=torch.float64)
    for t in range(6):
        last = x[t - 1] if t else torch.zeros_like(x[0])
        previous2 = x[t - 2] if t > 1 else (x[0] if t else torch.zeros_like(x[0]))
        seen = x[t] if coordinates.inputs == "position" else torch.cat([x[t], 4 * (x[t] - last)], -1)
        origin = {"nothing": 0 * last, "last_point": last, "velocity": 2 * last - previous2}[coordinates.relative_to]
        h = memory[:, :5]
        phi_x = vrnn.phi_x(seen)
        q = vrnn.encoder(torch.cat([phi_x, h], -1))
        z = q.mean + q.std * eps[t]
        phi_z = vrnn.phi_z(z)
        mean, std = vrnn.decoder(torch.cat([phi_z, h], -1)).chunk(2, -1)
        std = coordinates.scale * torch.nn.functional.softplus(std) + 1e-3
        for ours, expected in [
            (run.h[t], h),
            (run.z[t], z),
            (run.q.mean[t], q.mean),
            (run.p.std[t], vrnn.prior(h).std),
            (run.decoder[0][t], origin + coordinates.scale * mean),
            (run.decoder[1][t], std),
        ]:
            torch.testing.assert_close(ours, expected)
        memory = vrnn.recurrence(torch.cat([phi_x, phi_z], -1), memory)
    torch.testing.assert_close(run.state.memory, memory)


@pytest.mark.parametrize("cut", [1, 2, 5])
@pytest.mark.parametrize("coordinates", FRAMES, ids=lambda coordinates: coordinates.relative_to)
def test_two_windows_with_carried_state_are_one(coordinates, cut):
    """Posterior means do not depend on the noise where the encoder's deviation is nil."""
    vrnn, x = small(LSTM, coordinates), walk(6, 3)
    with torch.no_grad():
        vrnn.encoder.head.weight[3:] = 0
        vrnn.encoder.head.bias[3:] = -60
    vrnn.latent.floor = 0.0
    whole = vrnn.infer(x)
    first = vrnn.infer(x[:cut])
    second = vrnn.infer(x[cut:], first.state)
    for part in (0, 1):
        joined = torch.cat([first.decoder[part], second.decoder[part]])
        torch.testing.assert_close(joined, whole.decoder[part])
    for ours, theirs in zip(second.state, whole.state, strict=True):
        torch.testing.assert_close(ours, theirs)


def test_a_reset_trace_is_a_new_one():
    vrnn, x = small(), walk(4, 2)
    state = vrnn.infer(x).state.reset(torch.tensor([True, False]), vrnn.initial_state(2))
    fresh = vrnn.initial_state(2)
    for part, zero in zip(state, fresh, strict=True):
        assert torch.equal(part[0], zero[0])
    assert not torch.equal(state.memory[1], fresh.memory[1])
    assert not state.is_start[1]


def test_masked_points_are_not_looked_at():
    """NaN past a trace's end changes neither what comes before nor any gradient."""
    vrnn, x = small(), walk(5, 2)
    mask = torch.ones(5, 2, dtype=torch.bool)
    mask[3:, 1] = False
    padded = x.clone()
    padded[3:, 1] = torch.nan
    runs = [vrnn.infer(points, mask=mask, generator=torch.Generator().manual_seed(0)) for points in (x, padded)]
    torch.testing.assert_close(runs[0].q.mean, runs[1].q.mean)
    kl = gaussian_kl(runs[1].q, runs[1].p).sum(-1)
    torch.where(mask, kl, 0.0).sum().backward()
    assert all(torch.isfinite(p.grad).all() for p in vrnn.parameters() if p.grad is not None)


def test_elbo_is_below_the_evidence():
    """One step, one latent dimension: log p(x) by the trapezoid rule over z; the bound's gap is KL(q || p(z | x))."""
    torch.manual_seed(3)
    vrnn = VRNN(x_dim=1, z_dim=1, h_dim=4, phi_x=[4], phi_z=[4], prior=[4], encoder=[4], decoder=[4]).double()
    x = torch.full((1, 1, 1), 0.05, dtype=torch.float64)
    z = torch.linspace(-12, 12, 20001, dtype=torch.float64)[:, None]
    state = vrnn.initial_state(len(z))
    h = vrnn.recurrence.output(state.memory)
    with torch.no_grad():
        p, q = vrnn.prior(h), vrnn.infer(x).q
        dist = vrnn.decode(vrnn.phi_z(z), h, state.previous, state.previous2)
        log_x = Independent(Normal(*dist), 1).log_prob(x[0].expand_as(z))
        joint = log_x + Normal(*p).log_prob(z)[:, 0]
        evidence = torch.trapezoid(joint.exp(), z[:, 0]).log()
        log_q = Normal(q.mean[0], q.std[0]).log_prob(z)[:, 0]
        gap = torch.trapezoid(log_q.exp() * (log_q - (joint - evidence)), z[:, 0])
        expected_log_x = torch.trapezoid(log_q.exp() * log_x, z[:, 0])
        run = vrnn.infer(x)
        elbo = expected_log_x - gaussian_kl(run.q, run.p).sum()
    assert float(elbo) == pytest.approx(float(evidence - gap), abs=1e-6)
    assert elbo < evidence


@pytest.mark.parametrize("likelihood", [None, GaussianMixtureLikelihood(components=3)], ids=["gaussian", "mixture"])
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("sample", [True, False])
def test_generate_against_the_equations(likelihood, sample, engine):
    """What is fed back is the sample where samples are claimed, the mean where means are."""
    vrnn = small(LSTM, likelihood=likelihood, engine=engine)
    drawn = vrnn.generate(2, 5, sample=sample, generator=torch.Generator().manual_seed(4))
    chance = torch.Generator().manual_seed(4)
    eps, noise = (torch.randn(5, 2, n, dtype=torch.float64, generator=chance) for n in (3, 2))
    uniform = torch.rand(5, 2, dtype=torch.float64, generator=chance)
    memory = torch.zeros(2, 10, dtype=torch.float64)
    points = []
    for t in range(5):
        h = memory[:, :5]
        p = vrnn.prior(h)
        phi_z = vrnn.phi_z(p.mean + p.std * eps[t])
        last = points[-1] if t else torch.zeros(2, 2, dtype=torch.float64)
        previous2 = points[-2] if t > 1 else last
        dist = vrnn.decode(phi_z, h, last, previous2)
        x = vrnn.likelihood.sample(dist, noise[t], uniform[t]) if sample else vrnn.likelihood.moments(dist).mean
        memory = vrnn.recurrence(torch.cat([vrnn.phi_x(vrnn.coordinates.features(x, last)), phi_z], -1), memory)
        points.append(x)
    torch.testing.assert_close(drawn, torch.stack(points))


def test_generation_samples_the_decoder():
    """Feeding back means while claiming samples: two draws that share z must differ by the decoder's deviation.

    The first point is N(mean, std^2) with z integrated out by its sharing: (x - mean) / std over 20 000 traces has variance
    1 within 5 %; the standard error is 1 %, so this fails by chance less than once in 10^6.
    """
    vrnn = small(coordinates=FRAMES[0])
    sampled, mean = (
        vrnn.generate(20_000, 1, sample=sample, generator=torch.Generator().manual_seed(5))[0]
        for sample in (True, False)
    )
    eps = torch.Generator().manual_seed(5)
    z_noise = torch.randn(1, 20_000, 3, dtype=torch.float64, generator=eps)[0]
    state = vrnn.initial_state(20_000)
    p = vrnn.prior(vrnn.recurrence.output(state.memory))
    dist = vrnn.decode(vrnn.phi_z(p.mean + p.std * z_noise), state.memory, state.previous, state.previous2)
    standardised = ((sampled - mean) / dist[1]).detach()
    assert float(standardised.var()) == pytest.approx(1.0, rel=0.05)


def test_a_prefix_is_continued():
    vrnn, prefix = small(), walk(8, 1)[:, 0]
    shared = vrnn.generate(3, 4, prefix=prefix, generator=torch.Generator().manual_seed(6))
    each = vrnn.generate(3, 4, prefix=prefix[:, None].expand(-1, 3, -1), generator=torch.Generator().manual_seed(6))
    assert torch.equal(shared, each)
    onward = vrnn.infer(prefix[:, None].expand(-1, 3, -1), generator=torch.Generator().manual_seed(6)).state
    assert torch.equal(onward.previous, prefix[-1].expand(3, -1))
    assert not torch.allclose(shared, vrnn.generate(3, 4, generator=torch.Generator().manual_seed(6)), atol=1e-3)


def test_batches_of_one_and_reconstruction():
    vrnn, x = small(), walk(7, 1)
    assert vrnn.generate(1, 1).shape == (1, 1, 2)
    assert vrnn.reconstruct(x).shape == x.shape


@pytest.mark.parametrize(
    "call",
    [
        lambda vrnn: vrnn.infer(torch.zeros(4, 2)),
        lambda vrnn: vrnn.infer(torch.zeros(4, 2, 3)),
        lambda vrnn: vrnn.infer(torch.zeros(0, 2, 2)),
        lambda vrnn: vrnn.generate(0, 3),
    ],
)
def test_wrong_shapes_are_refused(call):
    with pytest.raises(ValueError, match=r"shape|must be at least 1"):
        call(small())


@pytest.mark.parametrize(
    "options", [{"z_dim": 0}, {"std_floor": 0.0}, {"activation": "sine"}, {"phi_x": []}, {"h_dim": 0}]
)
def test_wrong_sizes_are_refused(options):
    with pytest.raises(ValueError, match=r"must be|at least"):
        VRNN(**options)


def test_prior_and_posterior_reach_both_signs_and_small_std():
    """Over random inputs, every head gives means of both signs and deviations below 1."""
    vrnn = small()
    h = torch.randn(500, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(7))
    p = vrnn.prior(10 * h)
    assert (p.mean > 0).any(0).all()
    assert (p.mean < 0).any(0).all()
    assert (p.std < 1).any()
    assert math.isclose(float(vrnn.latent.floor), 1e-4)
