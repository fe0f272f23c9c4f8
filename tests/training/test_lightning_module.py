"""The optimiser's path: learning rate, clipping before the step, batches of any size."""

import math

import pytest
import torch
from torch.distributions import Categorical, Normal, kl_divergence

from vrnn.data import Batch
from vrnn.errors import NonFiniteError
from vrnn.model import VRNN
from vrnn.model.inference import concatenate
from vrnn.model.particles import infer_particles
from vrnn.networks import Coordinates
from vrnn.objective import (
    FIVO,
    IWAE,
    AdaptiveW,
    BernoulliLikelihood,
    BivariateLikelihood,
    CategoricalLatent,
    ConstantW,
    GaussianCategoricalLatent,
    GaussianLatent,
    GaussianLikelihood,
    GaussianMixtureLikelihood,
    LinearW,
    MSELikelihood,
    MSEMeanLikelihood,
    SharedGaussianLikelihood,
)
from vrnn.objective.loss import elbo_loss
from vrnn.training.lightning_module import VRNNModule


@pytest.fixture
def module():
    torch.manual_seed(0)
    return VRNNModule(VRNN(), ConstantW(), steps=100, learning_rate=1e-2, warmup_steps=9, final_fraction=0.1, clip=0.5)


def batch(steps=5, size=3, seed=0) -> Batch:
    x = 0.1 * torch.randn(steps, size, 2, generator=torch.Generator().manual_seed(seed)).cumsum(0)
    return Batch(x, torch.ones(steps, size, dtype=torch.bool), torch.ones(size, dtype=torch.bool))


def test_learning_rate_warms_up_and_decays_along_a_cosine(module):
    rates = [module.learning_rate_factor(n) for n in range(101)]
    assert rates[0] == pytest.approx(0.1)
    assert max(rates) == pytest.approx(1.0, abs=0.03)
    assert rates[50] == pytest.approx(0.1 + 0.9 * 0.5)
    assert rates[100] == pytest.approx(0.1)


def test_gradients_are_clipped_to_the_global_norm(module):
    optimizer = module.configure_optimizers()["optimizer"]
    optimizer.zero_grad()
    (1e3 * module.training_step(batch(), 0)).backward()
    module.configure_gradient_clipping(optimizer)
    norm = math.sqrt(sum(float(p.grad.square().sum()) for p in module.vrnn.parameters()))
    assert norm == pytest.approx(0.5, rel=1e-3)


def test_gradients_are_clipped_by_value(module):
    optimizer = module.configure_optimizers()["optimizer"]
    gradients = []
    for algorithm in (None, "value"):
        optimizer.zero_grad()
        torch.manual_seed(0)
        module.carried = None
        (1e3 * module.training_step(batch(), 0)).backward()
        if algorithm:
            module.configure_gradient_clipping(optimizer, None, algorithm)
        gradients.append(torch.cat([p.grad.reshape(-1).clone() for p in module.vrnn.parameters()]))
    assert gradients[0].abs().max() > 0.5
    assert torch.equal(gradients[1], gradients[0].clamp(-0.5, 0.5))


def test_a_gradient_that_is_not_finite_stops_training(module):
    optimizer = module.configure_optimizers()["optimizer"]
    optimizer.zero_grad()
    module.training_step(batch(), 0).backward()
    module.vrnn.decoder[1].bias.grad[0] = math.inf
    with pytest.raises(NonFiniteError, match="gradient norm became"):
        module.configure_gradient_clipping(optimizer)


def test_loss_does_not_grow_with_the_batch(module):
    """Twice the same traces: the same loss but for z's noise, which a tiny posterior deviation silences."""
    with torch.no_grad():
        module.vrnn.encoder.head.weight[8:] = 0
        module.vrnn.encoder.head.bias[8:] = -20
    one = batch()
    two = Batch(one.x.repeat(1, 2, 1), one.mask.repeat(1, 2), one.start.repeat(2))
    loss = module.training_step(one, 0)
    module.carried = None
    torch.testing.assert_close(module.training_step(two, 0), loss, rtol=1e-3, atol=1e-3)


def test_state_is_carried_and_cut_from_the_graph(module):
    module.training_step(batch(), 0)
    assert not module.carried.memory.requires_grad
    assert module.carried.memory.abs().sum() > 0
    following = batch(seed=1)._replace(start=torch.tensor([False, False, True]))
    before = module.carried
    seen = []
    module.vrnn.infer, infer = (
        lambda x, state, mask, **_: seen.append(state) or infer(x, state, mask),
        module.vrnn.infer,
    )
    module.training_step(following, 1)
    torch.testing.assert_close(seen[0].memory[:2], before.memory[:2])
    assert seen[0].memory[2].abs().sum() == 0


def test_a_smaller_group_starts_from_its_own_beginning(module):
    module.training_step(batch(size=3), 0)
    module.training_step(batch(size=2), 1)
    assert module.carried.memory.shape[0] == 2
    smaller = batch(size=2)._replace(start=torch.zeros(2, dtype=torch.bool))
    ends = []
    for carried in (module.vrnn.infer(batch(size=3).x).state.detach(), None):
        module.carried = carried
        torch.manual_seed(1)
        module.training_step(smaller, 1)
        ends.append(module.carried.memory)
    assert torch.equal(*ends)


@pytest.mark.parametrize(
    "likelihood",
    [
        BernoulliLikelihood,
        BivariateLikelihood,
        GaussianLikelihood,
        GaussianMixtureLikelihood,
        MSELikelihood,
        MSEMeanLikelihood,
        lambda: SharedGaussianLikelihood("optimal"),
    ],
)
@pytest.mark.parametrize("engine", ["native", "reference"])
def test_nan_past_a_trace_s_end_reaches_no_gradient(likelihood, engine):
    module = VRNNModule(VRNN(likelihood=likelihood(), engine=engine), ConstantW(), steps=10)
    padded = batch(steps=6)
    padded.x[3:, 1], padded.mask[3:, 1] = math.nan, False
    module.training_step(padded, 0).backward()
    assert all(torch.isfinite(p.grad).all() for p in module.vrnn.parameters())


def test_scalars_mean_what_their_names_say():
    """RE, DE, the ELBO and the implied beta of one step, from its distributions."""
    torch.manual_seed(0)
    vrnn = VRNN(likelihood=MSELikelihood())
    module = VRNNModule(vrnn, AdaptiveW(w_0=0.01), steps=100, log_every=1)
    x = batch(steps=7, size=3).x
    run = vrnn.infer(x)
    kl = kl_divergence(Normal(*run.q), Normal(*run.p))
    mean, std = run.decoder
    distortion = torch.full((7, 3), 0.02)
    scalars = module.summary(run, elbo_loss(distortion, run.q, run.p, vrnn.latent, module.w_schedule))
    log_likelihood = Normal(mean, std).log_prob(x).sum(-1).mean()
    expected = {
        "train/RE": ((x - mean) ** 2 + std**2).mean(),
        "train/DE": kl.sum() / 3 + 7 * 8 / 2,
        "train/kl": kl.sum(-1).mean(),
        "train/elbo": log_likelihood - kl.sum(-1).mean(),
        "w/implied_beta": torch.tensor(0.01 * 7 * 2 / (2 * 0.02)),
        "w/implied_sigma": torch.tensor(0.01 * 7 * 2 / 2).sqrt(),
        "train/mean_sigma": std.mean(),
    }
    assert {name: scalars[name] for name in expected} == pytest.approx(
        {name: float(value.detach()) for name, value in expected.items()}, rel=1e-4
    )


@pytest.mark.parametrize("kind", [IWAE, FIVO])
@pytest.mark.parametrize("engine", ["native", "reference"])
def test_training_on_a_bound_carries_k_copies(kind, engine):
    """loss = -bound / observed steps, from the same noise; then a window that goes on, then one trace begins anew."""
    torch.manual_seed(0)
    vrnn = VRNN(engine=engine)
    module = VRNNModule(vrnn, ConstantW(), steps=100, log_every=1, bound=kind(4))
    first = batch(steps=6)
    first.x[4:, 1], first.mask[4:, 1] = math.nan, False
    torch.manual_seed(1)
    loss = module.training_step(first, 0)
    torch.manual_seed(1)
    expected = infer_particles(vrnn, first.x, kind(4), mask=first.mask)
    assert float(loss.detach()) == pytest.approx(-float(expected.bound.detach().sum()) / 16, rel=1e-5)
    assert all(map(torch.equal, module.carried, expected.state.detach()))
    loss.backward()
    assert all(torch.isfinite(p.grad).all() for p in vrnn.parameters())
    following = batch(seed=1)._replace(start=torch.tensor([False, True, False]))
    torch.manual_seed(2)
    loss = module.training_step(following, 1)
    torch.manual_seed(2)
    state = expected.state.detach().reset(torch.tensor([False, True, False] * 4), vrnn.initial_state(12))
    expected = infer_particles(vrnn, following.x, kind(4), state=state)
    assert float(loss.detach()) == pytest.approx(-float(expected.bound.detach().mean()) / 5, rel=1e-5)
    assert module.carried.memory.shape == (12, 64)
    assert not module.carried.memory.requires_grad
    assert module.scalars["train/loss"] == pytest.approx(float(loss.detach()))


def test_w_tempers_the_weights_and_moves_on():
    """Halfway through a warm-up, one particle: loss = mean(-log p(x | z) + w (log q - log p))."""
    torch.manual_seed(0)
    vrnn, x = VRNN(), batch().x
    module = VRNNModule(vrnn, LinearW(steps=10), steps=100, bound=IWAE(1))
    module.w_schedule.n += 5
    torch.manual_seed(1)
    loss = module.training_step(batch(), 0)
    torch.manual_seed(1)
    run = vrnn.infer(x)
    sampled = (Normal(*run.q).log_prob(run.z) - Normal(*run.p).log_prob(run.z)).sum(-1)
    expected = (0.5 * sampled - Normal(*run.decoder).log_prob(x).sum(-1)).mean()
    torch.testing.assert_close(loss, expected, rtol=1e-5, atol=1e-5)
    assert module.w_schedule.n == 6


def test_gaps_are_trained_on_with_particles():
    """FIVO fills in step by step; an Inference put together from steps with and without a mask has one for all."""
    torch.manual_seed(0)
    vrnn = VRNN()
    gap = batch(steps=6)
    gap.x[2, 1], gap.mask[2, 1] = math.nan, False
    module = VRNNModule(vrnn, ConstantW(), steps=100, log_every=1, gaps=True, bound=FIVO(4))
    module.training_step(gap, 0).backward()
    assert all(torch.isfinite(p.grad).all() for p in vrnn.parameters())
    runs = [vrnn.infer(gap.x[t : t + 1], mask=gap.mask[t : t + 1], fill=True) for t in range(6)]
    whole = concatenate(runs)
    assert torch.equal(whole.mask, gap.mask)
    assert torch.equal(whole.filled[gap.mask], gap.x[gap.mask])
    assert whole.q.mean.shape == (6, 3, 8)


@pytest.mark.parametrize(
    ("vrnn", "schedule", "message"),
    [
        ({}, AdaptiveW(), "AdaptiveW has none"),
        ({}, LinearW(free_nats=0.1), "LinearW has none"),
        ({"likelihood": MSELikelihood()}, ConstantW(), "MSELikelihood trains on something else"),
        ({"coordinates": Coordinates("position", relative_to="nothing", predicts="next")}, ConstantW(), "has no bound"),
    ],
)
def test_what_cannot_train_on_particles_is_refused(vrnn, schedule, message):
    with pytest.raises(ValueError, match=message):
        VRNNModule(VRNN(**vrnn), schedule, steps=10, bound=IWAE(2))


def silent(module):
    """Take the noise out of z: a tiny posterior deviation."""
    with torch.no_grad():
        module.vrnn.encoder.head.weight[8:] = 0
        module.vrnn.encoder.head.bias[8:] = -20
    return module


def without_points(one: Batch, trace: int) -> Batch:
    """The batch with all of a trace's points taken away."""
    gone = torch.zeros_like(one.mask)
    gone[:, trace] = True
    return Batch(one.x.masked_fill(gone.unsqueeze(-1), math.nan), one.mask & ~gone, one.start)


def test_a_trace_that_has_ended_leaves_the_others_alone(module):
    """A window in which trace 1 has no points: loss and state are those of the other two by themselves."""
    ended, others = without_points(batch(), 1), [0, 2]
    loss = silent(module).training_step(ended, 0)
    state, module.carried = module.carried, None
    alone = module.training_step(Batch(ended.x[:, others], ended.mask[:, others], ended.start[others]), 0)
    torch.testing.assert_close(loss, alone, rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(state.memory[others], module.carried.memory, rtol=0, atol=1e-3)
    loss.backward()
    assert all(torch.isfinite(p.grad).all() for p in module.parameters())


def test_the_next_trace_begins_afresh_after_one_that_has_ended(module):
    """Whatever the padding did to the carried state, `start` forgets it."""
    silent(module).training_step(without_points(batch(), 1), 0)
    loss, module.carried = module.training_step(batch(seed=1), 1), None
    torch.testing.assert_close(module.training_step(batch(seed=1), 1), loss, rtol=1e-3, atol=1e-3)


def test_a_window_that_is_all_gap_costs_nothing(module):
    """One trace, hidden from the window's begin to its end: no loss, no gradient, and the state goes on without a NaN."""
    module.fill = True
    module.training_step(batch(size=1), 0)
    hidden = without_points(batch(size=1, seed=1), 0)._replace(start=torch.tensor([False]))
    loss = module.training_step(hidden, 1)
    loss.backward()
    assert loss == 0
    assert all(p.grad is None or not p.grad.any() for p in module.parameters())
    assert all(torch.isfinite(part).all() for part in module.carried[:3])
    following = batch(size=1, seed=2)._replace(start=hidden.start)
    assert math.isfinite(module.training_step(following, 2).item())


BALANCED = {
    "alone": lambda balance: CategoricalLatent(variables=2, classes=3, balance=balance),
    "beside a Gaussian": lambda balance: GaussianCategoricalLatent(
        GaussianLatent(4), CategoricalLatent(2, 3, balance=balance)
    ),
}


@pytest.mark.parametrize("kind", BALANCED)
def test_unused_classes_cost_the_loss(kind):
    """balance (1 - w) KL(mean q || uniform), the mean over what is observed; nothing where nothing is."""
    seen = batch()
    seen.x[3:, 1], seen.mask[3:, 1] = math.nan, False
    losses = []
    for balance in (0.0, 5.0):
        torch.manual_seed(0)
        module = VRNNModule(VRNN(latent=BALANCED[kind](balance)), ConstantW(0.2), steps=100)
        torch.manual_seed(1)
        losses.append(module.training_step(seen, 0).detach())
    torch.manual_seed(1)
    probs = module.vrnn.infer(seen.x, mask=seen.mask).q[-1].detach().exp()[seen.mask]
    uniform = torch.full((2, 3), 1 / 3)
    cost = kl_divergence(Categorical(probs.mean(0)), Categorical(uniform)).sum()
    assert cost > 1e-4
    torch.testing.assert_close(losses[1] - losses[0], 5.0 * 0.8 * cost, rtol=1e-2, atol=1e-4)
    hidden = without_points(batch(size=1), 0)
    module.fill, module.carried = True, None
    assert module.training_step(hidden, 1) == 0
