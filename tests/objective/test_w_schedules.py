import logging

import pytest
import torch

from vrnn.objective import AdaptiveW, ConstantW, LinearW, Terms

T, B, Z = 5, 3, 2


@pytest.fixture
def terms():
    generator = torch.Generator().manual_seed(0)
    return terms_of(torch.rand(T, B, generator=generator), torch.rand(T, B, Z, generator=generator))


def terms_of(distortion, kl):
    return Terms(distortion, kl, lambda: (kl, kl))


def test_constant_is_beta_times_the_kl(terms):
    distortion, kl = terms.distortion, terms.kl
    weighted = ConstantW(4.0).weigh(terms)
    assert float(weighted.loss) == pytest.approx(float(distortion.mean() + 4 * kl.sum(-1).mean()))
    assert float(weighted.w) == 4.0


def test_linear_counts_training_steps_only(terms):
    schedule = LinearW(0.0, 1.0, steps=4)
    ws = []
    for _ in range(6):
        ws.append(float(schedule.weigh(terms).w))
        schedule.eval()
        schedule.weigh(terms)
        schedule.train()
    assert ws == [0.0, 0.25, 0.5, 0.75, 1.0, 1.0]


def test_free_nats_cost_nothing_and_give_no_gradient(terms):
    distortion, kl = terms.distortion, terms.kl
    rate = float(kl.sum(-1).mean())
    for free_nats, cost, slope in ((2 * rate, 2 * rate, 0.0), (rate / 2, rate, 1 / (T * B))):
        leaf = kl.clone().requires_grad_()
        loss = LinearW(1.0, 1.0, free_nats=free_nats).weigh(terms_of(distortion, leaf)).loss
        loss.backward()
        assert loss.item() == pytest.approx(float(distortion.mean()) + cost, rel=1e-5)
        torch.testing.assert_close(leaf.grad, torch.full_like(leaf, slope))


@pytest.mark.parametrize("reduction", ["sum", "mean"])
@pytest.mark.parametrize(("kl_offset", "missing_half"), [("blog", 0.5), ("exact", 0.0)])
def test_adaptive_follows_the_blog_s_rule(terms, reduction, kl_offset, missing_half):
    """Twenty steps by hand, in plain floats."""
    distortion, kl = terms.distortion, terms.kl
    schedule = AdaptiveW(r=10, alpha=1e-3, w_0=0.01, kl_offset=kl_offset, reduction=reduction).double()
    re = sum(distortion.flatten().tolist()) / (T * B)
    de = sum(kl.flatten().tolist()) / B + T * Z * missing_half
    de = de if reduction == "sum" else de / T
    w = 0.01
    for _ in range(20):
        weighted = schedule.weigh(terms_of(distortion.double(), kl.double()))
        assert float(weighted.w) == pytest.approx(w, rel=1e-6)
        assert float(weighted.loss) == pytest.approx(re + w * de, rel=1e-6)
        assert float(weighted.w_per_step) == pytest.approx(w * T if reduction == "sum" else w, rel=1e-6)
        w += 1e-3 * (10 * re - w * de)


def test_adaptive_moves_up_with_the_reconstruction_error(terms):
    """Positive feedback: more RE, more w (GECO does the opposite)."""
    distortion, kl = terms.distortion, terms.kl
    little, much = AdaptiveW(alpha=1e-3), AdaptiveW(alpha=1e-3)
    little.weigh(terms)
    much.weigh(terms_of(2 * distortion, kl))
    assert float(much.w) > float(little.w) > 0


def test_adaptive_settles_at_the_ratio(terms):
    """The fixed point is w DE = r RE; its time constant is 1 / (alpha DE) steps."""
    distortion, kl = terms.distortion, terms.kl
    schedule = AdaptiveW(r=2.0, alpha=0.01, kl_offset="exact")
    for _ in range(1000):
        weighted = schedule.weigh(terms)
    de = kl.sum() / B
    assert float(weighted.w * de) == pytest.approx(2 * float(distortion.mean()), rel=1e-4)


def test_adaptive_clamps_and_says_so_once(terms, caplog):
    schedule = AdaptiveW(alpha=1.0, w_max=0.5)
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            schedule.weigh(terms)
    assert float(schedule.w) == 0.5
    assert [record.levelname for record in caplog.records] == ["WARNING"]


@pytest.mark.parametrize("make", [LinearW, AdaptiveW])
def test_state_is_in_the_state_dict(make, terms):
    one, two = make(), make()
    for _ in range(3):
        one.weigh(terms)
    two.load_state_dict(one.state_dict())
    assert torch.equal(one.weigh(terms).loss, two.weigh(terms).loss)
    assert float(make().weigh(terms).w) != float(two.weigh(terms).w)


@pytest.mark.parametrize(
    "make",
    [
        lambda: LinearW(start=-1),
        lambda: LinearW(steps=-1),
        lambda: LinearW(free_nats=-1),
        lambda: AdaptiveW(kl_offset="none"),
        lambda: AdaptiveW(alpha=0),
        lambda: AdaptiveW(w_0=2, w_max=1),
    ],
)
def test_bad_schedules_are_refused(make):
    with pytest.raises(ValueError, match=r"w_schedule|w must"):
        make()
