"""Each w against its source's formula, written again in plain floats."""

import math

import pytest
import torch

from tests.objective.steps import constant_terms, random_terms, terms_of
from vrnn.objective import ConstantW, CosineW, CyclicalW, ExponentialW, LinearW, LogisticW, Terms

STEPS = 40

TABLE = {
    "constant": (ConstantW(3.0), lambda n: 3.0),
    "linear": (LinearW(steps=8), lambda n: min(1.0, n / 8)),
    "linear, down": (LinearW(2.0, 0.5, steps=10), lambda n: max(0.5, 2 - 0.15 * n)),
    "logistic": (LogisticW(midpoint=20, sharpness=5.0), lambda n: 1 / (1 + math.exp(-0.25 * (n - 20)))),
    "cosine": (
        CosineW(0.2, 0.9, steps=16, hold=5),
        lambda n: 0.9 + (0.2 - 0.9) * (1 + math.cos(math.pi * min(max(n - 5, 0), 16) / 16)) / 2,
    ),
    "cosine, at once": (CosineW(0.2, 0.9, steps=0, hold=5), lambda n: 0.9 if n >= 5 else 0.2),
    "exponential": (
        ExponentialW(0.01, 0.5, steps=10, free_nats=0.0),
        lambda n: 0.5 - (0.5 - 0.01) * math.exp(-1 / 10) ** n,
    ),
    "cyclical": (
        CyclicalW(steps=40, cycles=4, ramp=0.5),
        lambda n: min(((n % (40 / 4)) / (40 / 4)) / 0.5, 1.0),
    ),
}


@pytest.mark.parametrize("name", TABLE)
def test_w_equals_the_source_s_formula(name):
    schedule, formula = TABLE[name]
    terms = constant_terms(2.0, 0.5)
    for n in range(STEPS):
        weighted = schedule(terms)
        assert float(weighted.w) == float(weighted.w_per_step) == pytest.approx(formula(n), rel=1e-5, abs=1e-7), n
        assert float(weighted.loss) == pytest.approx(2.0 + formula(n) * 0.5, rel=1e-5)


def test_sketch_rnn_s_own_numbers():
    """rho 0.99995 a step is e every 20 000 steps, to 2.5e-5; after 10 000 steps w is as sketch-rnn has it."""
    schedule = ExponentialW(0.01, 0.5, steps=20_000)
    schedule.n += 10_000
    theirs = 0.5 - (0.5 - 0.01) * 0.99995**10_000
    assert float(schedule(constant_terms(1.0, 0.5)).w) == pytest.approx(theirs, rel=1e-4)


def test_sentence_vae_s_own_numbers():
    schedule = LogisticW()
    for n in (0, 1000, 2500, 4000):
        schedule.n.fill_(n)
        theirs = 1 / (1 + math.exp(-0.0025 * (n - 2500)))
        assert float(schedule(constant_terms(1.0, 0.5)).w) == pytest.approx(theirs, rel=1e-5)


@pytest.mark.parametrize(
    "make",
    [
        lambda: LinearW(steps=0),
        lambda: LogisticW(midpoint=0),
        lambda: CosineW(steps=0),
        lambda: ExponentialW(end=1.0, steps=0),
    ],
)
def test_no_steps_to_wait_for(make):
    """What a share of very few steps rounds to: w is at its end from the start."""
    assert float(make()(random_terms()).w) == 1.0


def test_steps_are_counted_in_training_only():
    schedule, terms, ws = LinearW(0.0, 1.0, steps=4), random_terms(), []
    for _ in range(6):
        ws.append(float(schedule(terms).w))
        schedule.eval()
        schedule(terms)
        schedule.train()
    assert ws == [0.0, 0.25, 0.5, 0.75, 1.0, 1.0]


def test_free_nats_cost_nothing_and_give_no_gradient():
    terms = random_terms()
    distortion, kl = terms.distortion, terms.kl
    rate = float(kl.sum(-1).mean())
    for free_nats, cost, slope in ((2 * rate, 2 * rate, 0.0), (rate / 2, rate, 1 / kl[..., 0].numel())):
        leaf = kl.clone().requires_grad_()
        weighted = LinearW(1.0, 1.0, free_nats=free_nats)(terms_of(distortion, leaf))
        weighted.loss.backward()
        assert weighted.loss.item() == pytest.approx(float(distortion.mean()) + cost, rel=1e-5)
        assert float(weighted.log["charged_kl"]) == pytest.approx(cost, rel=1e-5)
        torch.testing.assert_close(leaf.grad, torch.full_like(leaf, slope))


@pytest.mark.parametrize("w", [0.0, 0.25, 1.0])
def test_the_prior_may_learn_at_once(w):
    """The prior's side has weight 1, the posterior's w; at w = 1 the loss is the ELBO's."""
    q, p = torch.tensor(0.7, requires_grad=True), torch.tensor(-0.2, requires_grad=True)

    def kl(q, p):  # of two Gaussians of deviation 1
        return (0.5 * (q - p) ** 2).expand(4, 2, 1)

    terms = Terms(torch.zeros(4, 2), kl(q, p), lambda: (kl(q.detach(), p), kl(q, p.detach())))
    loss = LinearW(w, w, prior_at_once=True)(terms).loss
    d_q, d_p = torch.autograd.grad(loss, (q, p), allow_unused=True)
    assert loss.item() == pytest.approx(0.5 * 0.9**2)
    assert float(d_q) == pytest.approx(w * 0.9, abs=1e-7)
    assert float(d_p) == pytest.approx(-0.9)


@pytest.mark.parametrize(
    "make",
    [
        lambda: LinearW(start=-1),
        lambda: LinearW(steps=-1),
        lambda: LinearW(free_nats=-1),
        lambda: LogisticW(midpoint=-1),
        lambda: LogisticW(sharpness=0),
        lambda: CosineW(hold=-1),
        lambda: ExponentialW(steps=-1),
        lambda: CyclicalW(cycles=0),
        lambda: CyclicalW(ramp=0),
        lambda: ConstantW(-1),
    ],
)
def test_bad_warm_ups_are_refused(make):
    with pytest.raises(ValueError, match=r"w_schedule|w must"):
        make()
