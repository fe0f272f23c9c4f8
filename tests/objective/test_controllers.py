"""Schemes that move w: their rules by hand in plain floats, and which way they move."""

import logging
import math

import pytest
import torch

from tests.objective.steps import B, T, Z, constant_terms, random_terms, terms_of
from vrnn.objective import AdaptiveW, ControlVAEW, GecoW, RateW

TERMS = random_terms()


@pytest.mark.parametrize("reduction", ["sum", "mean"])
@pytest.mark.parametrize(("kl_offset", "missing_half"), [("blog", 0.5), ("exact", 0.0)])
def test_adaptive_follows_the_blog_s_rule(reduction, kl_offset, missing_half):
    """Twenty steps by hand, in plain floats."""
    distortion, kl = TERMS.distortion, TERMS.kl
    schedule = AdaptiveW(r=10, alpha=1e-3, w_0=0.01, kl_offset=kl_offset, reduction=reduction).double()
    re = sum(distortion.flatten().tolist()) / (T * B)
    de = sum(kl.flatten().tolist()) / B + T * Z * missing_half
    de = de if reduction == "sum" else de / T
    w = 0.01
    for _ in range(20):
        weighted = schedule(terms_of(distortion.double(), kl.double()))
        assert float(weighted.w) == pytest.approx(w, rel=1e-6)
        assert float(weighted.loss) == pytest.approx(re + w * de, rel=1e-6)
        assert float(weighted.w_per_step) == pytest.approx(w * T if reduction == "sum" else w, rel=1e-6)
        w += 1e-3 * (10 * re - w * de)


def test_adaptive_moves_up_with_the_reconstruction_error():
    """Positive feedback: more RE, more w (GECO does the opposite)."""
    little, much = AdaptiveW(alpha=1e-3), AdaptiveW(alpha=1e-3)
    little(TERMS)
    much(terms_of(2 * TERMS.distortion, TERMS.kl))
    assert float(much.w) > float(little.w) > 0


def test_adaptive_settles_at_the_ratio():
    """The fixed point is w DE = r RE; its time constant is 1 / (alpha DE) steps."""
    schedule = AdaptiveW(r=2.0, alpha=0.01, kl_offset="exact")
    for _ in range(1000):
        weighted = schedule(TERMS)
    de = TERMS.kl.sum() / B
    assert float(weighted.w * de) == pytest.approx(2 * float(TERMS.distortion.mean()), rel=1e-4)


@pytest.mark.parametrize("make", [lambda: AdaptiveW(alpha=1.0, w_max=0.5), lambda: RateW(0.1, w_max=0.5, w_0=0.5)])
def test_a_clamp_that_binds_says_so_once(make, caplog):
    schedule = make()
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            schedule(TERMS)
    assert float(schedule.w) == 0.5
    assert [record.levelname for record in caplog.records] == ["WARNING"]


RES = [3.0, 2.0, 0.5, -1.0, 0.2, 1.5, -2.0]
RATES = [0.5, 0.1, 0.02, 1.5, 0.7, 0.0, 0.3]


def test_geco_by_hand():
    """C_ma and lambda as the paper has them, and w = 1 / lambda; the first C starts the average."""
    schedule = GecoW(tolerance=1.0, step=0.1, a=0.9, w_0=0.5).double()
    average, lambda_ = None, 2.0
    for re, rate in zip(RES, RATES, strict=True):
        weighted = schedule(constant_terms(re, rate))
        assert float(weighted.w) == pytest.approx(1 / lambda_, rel=1e-6)
        assert float(weighted.loss) == pytest.approx(re + rate / lambda_, rel=1e-6)
        c = re - 1.0
        average = c if average is None else 0.9 * average + 0.1 * c
        lambda_ *= math.exp(0.1 * average)
        assert float(weighted.log["lambda"]) == pytest.approx(1 / float(weighted.w), rel=1e-6)
        assert float(weighted.log["C_ma"]) == pytest.approx(average, rel=1e-5)


def test_geco_s_gradient_is_the_lagrangian_s_over_lambda():
    distortion, kl = (part.clone().requires_grad_() for part in TERMS[:2])
    weighted = GecoW(tolerance=0.3, w_0=0.25)(terms_of(distortion, kl))
    ours = torch.autograd.grad(weighted.loss, (distortion, kl))
    theirs = torch.autograd.grad(kl.sum(-1).mean() + 4.0 * (distortion.mean() - 0.3), (distortion, kl))
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(4.0 * a, b)


def test_geco_lowers_w_above_the_tolerance_only():
    above, below, quick = GecoW(1.0), GecoW(1.0), GecoW(1.0, speedup=10.0)
    above(constant_terms(1.5, 0.1))
    below(constant_terms(0.5, 0.1))
    quick(constant_terms(0.5, 0.1))
    assert float(above.w) < 1 < float(below.w)
    assert math.log(quick.w) == pytest.approx(10 * math.log(below.w), rel=1e-4)


def test_rate_by_hand():
    schedule, w = RateW(target=0.2, alpha=0.5, w_0=0.7).double(), 0.7
    for re, rate in zip(RES, RATES, strict=True):
        weighted = schedule(constant_terms(re, rate))
        assert float(weighted.w) == float(weighted.w_per_step) == pytest.approx(w, rel=1e-5)
        assert float(weighted.loss) == pytest.approx(re + w * rate, rel=1e-5)
        w = math.exp(math.log(w) + 0.5 * (rate - 0.2))


def test_rate_holds_a_kl_that_answers_to_w():
    """A model whose KL is 0.3 / w, five steps late: RateW finds the w for the target, ControlVAE the same."""
    for schedule in (RateW(0.6, alpha=0.02, w_0=5.0), ControlVAEW(0.6, Ki=-0.01)):
        rates = [0.06] * 5
        for _ in range(3000):
            w = float(schedule(constant_terms(1.0, rates[-5])).w)
            rates.append(0.3 / max(w, 0.05))
        assert rates[-1] == pytest.approx(0.6, rel=0.02)
        assert w == pytest.approx(0.5, rel=0.02)


def test_control_vae_by_hand():
    """The paper's algorithm 1 while w stays within its bounds."""
    schedule, integral = ControlVAEW(target=0.4, Kp=0.5, Ki=-0.1).double(), 0.0
    for re, rate in zip(RES, RATES, strict=True):
        weighted = schedule(constant_terms(re, rate))
        e = 0.4 - rate
        integral += -0.1 * e
        w = 0.5 / (1 + math.exp(e)) + integral
        assert 0 < w < 1
        assert float(weighted.w) == pytest.approx(w, rel=1e-5)
        assert float(weighted.log["integral"]) == pytest.approx(integral, rel=1e-4, abs=1e-7)
        assert float(weighted.loss) == pytest.approx(re + w * rate, rel=1e-5)


def test_control_vae_raises_w_when_the_kl_exceeds_the_target():
    above, below = ControlVAEW(0.4), ControlVAEW(0.4)
    assert float(above(constant_terms(1.0, 0.8)).w) > float(below(constant_terms(1.0, 0.1)).w)


def test_control_vae_comes_back_from_both_ends():
    """However long w was saturated, its integral has not run on: it answers to the first error of the other sign."""
    schedule = ControlVAEW(0.4, Kp=0.01, Ki=-1e-3)
    for rate, opposite, end in ((9.0, 0.0, 1.0), (0.0, 9.0, 0.0)):
        for _ in range(3000):
            weighted = schedule(constant_terms(1.0, rate))
        assert float(weighted.w) == pytest.approx(end, abs=0.009)
        after = schedule(constant_terms(1.0, opposite)).log["integral"]
        assert float(after - weighted.log["integral"]) == pytest.approx(-1e-3 * (0.4 - opposite), rel=1e-3)


@pytest.mark.parametrize("make", [AdaptiveW, lambda: GecoW(0.3), lambda: RateW(0.2), lambda: ControlVAEW(0.2)])
def test_only_training_moves(make):
    schedule = make()
    schedule(TERMS)
    before = {name: value.clone() for name, value in schedule.state_dict().items()}
    schedule.eval()(TERMS)
    assert all(torch.equal(value, before[name]) for name, value in schedule.state_dict().items())


@pytest.mark.parametrize(
    "make",
    [
        lambda: AdaptiveW(kl_offset="none"),
        lambda: AdaptiveW(alpha=0),
        lambda: AdaptiveW(w_0=2, w_max=1),
        lambda: GecoW(0.1, step=0),
        lambda: GecoW(0.1, a=1.0),
        lambda: GecoW(0.1, w_min=0.0),
        lambda: RateW(0.0),
        lambda: RateW(0.1, alpha=-1),
        lambda: ControlVAEW(0.1, Ki=0.1),
        lambda: ControlVAEW(0.1, w_min=1.0),
        lambda: ControlVAEW(-0.1),
    ],
)
def test_bad_controllers_are_refused(make):
    with pytest.raises(ValueError, match="w_schedule"):
        make()


@pytest.mark.parametrize(
    "schedule", [AdaptiveW(w_0=0.1), GecoW(tolerance=0.5), RateW(target=0.5), ControlVAEW(target=0.5)], ids=type
)
def test_a_batch_without_an_observed_step_moves_nothing(schedule):
    schedule(TERMS)
    before = {name: value.clone() for name, value in schedule.state_dict().items()}
    loss = schedule(TERMS._replace(mask=torch.zeros(T, B, dtype=torch.bool))).loss
    assert float(loss) == 0
    torch.testing.assert_close(schedule.state_dict(), before, rtol=0, atol=0)
    schedule(TERMS)
    assert any(not torch.equal(value, before[name]) for name, value in schedule.state_dict().items())
