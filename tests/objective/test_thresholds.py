"""What passes for free, and how the KL is divided between prior and posterior: by loops in plain floats."""

import pytest
import torch

from tests.objective.steps import random_terms, terms_of
from vrnn.objective import FreeBitsW, FreeNatsW, KLBalancingW, Terms

MASK = torch.tensor([[1, 1, 1], [1, 1, 0], [1, 1, 0], [1, 0, 0], [1, 0, 0]], dtype=torch.bool)


def observed(values):
    """The rows of (T, B, …) that the mask shows, as floats."""
    return values[MASK].tolist()


def mean(values):
    return sum(values) / len(values)


@pytest.mark.parametrize("clamp", ["before", "after"])
def test_free_nats(clamp):
    terms = random_terms()
    distortion, kl = terms.distortion, terms.kl
    free_nats = float(kl.sum(-1).mean())  # in the midst: some steps lie below
    rates = [sum(row) for row in observed(kl)]
    charged = mean([max(rate, free_nats) for rate in rates]) if clamp == "before" else max(mean(rates), free_nats)
    weighted = FreeNatsW(free_nats, clamp, w=0.5)(terms_of(distortion, kl, MASK))
    assert float(weighted.log["charged_kl"]) == pytest.approx(charged, rel=1e-5)
    assert float(weighted.loss) == pytest.approx(mean(observed(distortion)) + 0.5 * charged, rel=1e-5)


def test_free_nats_before_the_mean_charge_more():
    """Steps below the allowance cannot lend it to those above: convexity of the max."""
    terms = random_terms()
    free_nats = float(terms.mean_kl)
    losses = {clamp: float(FreeNatsW(free_nats, clamp)(terms).loss) for clamp in ("before", "after")}
    assert losses["before"] > losses["after"]


def test_free_bits_of_each_group():
    terms = random_terms()
    distortion, kl = terms.distortion, terms.kl
    groups = [mean(group) for group in zip(*observed(kl), strict=True)]
    free_nats = sum(groups) / 2  # between the two
    assert min(groups) < free_nats < max(groups)
    leaf = kl.clone().requires_grad_()
    weighted = FreeBitsW(free_nats)(terms_of(distortion, leaf, MASK))
    weighted.loss.backward()
    charged = sum(max(free_nats, group) for group in groups)
    assert float(weighted.log["charged_kl"]) == pytest.approx(charged, rel=1e-5)
    free = groups.index(min(groups))
    assert not leaf.grad[..., free].any()
    assert leaf.grad[..., 1 - free].sum() == pytest.approx(1.0)


@pytest.mark.parametrize(("prior", "posterior"), [(0.8, 0.2), (1.0, 0.1)], ids=["v2", "v3"])
def test_kl_balancing(prior, posterior):
    """Each side's gradient has its weight; below the free nats neither has any."""
    kl = random_terms().kl
    to_prior, to_posterior = kl.clone().requires_grad_(), kl.clone().requires_grad_()
    terms = Terms(torch.zeros(5, 3), kl, lambda: (to_prior, to_posterior), MASK)
    weighted = KLBalancingW(prior, posterior)(terms)
    weighted.loss.backward()
    assert weighted.loss.item() == pytest.approx((prior + posterior) * float(terms.mean_kl), rel=1e-5)
    assert float(weighted.w) == float(weighted.w_per_step) == pytest.approx(posterior)
    assert float(weighted.log["w_prior"]) == pytest.approx(prior)
    n = int(MASK.sum())
    torch.testing.assert_close(to_prior.grad[MASK], torch.full((n, 2), prior / n))
    torch.testing.assert_close(to_posterior.grad[MASK], torch.full((n, 2), posterior / n))
    assert not to_prior.grad[~MASK].any()
    free = KLBalancingW(prior, posterior, free_nats=10.0, clamp="before")(terms)
    assert not any(gradient.any() for gradient in torch.autograd.grad(free.loss, [to_prior, to_posterior]))
    assert free.loss.item() == pytest.approx(10 * (prior + posterior))


@pytest.mark.parametrize(
    "make",
    [
        lambda: FreeNatsW(-1),
        lambda: FreeNatsW(clamp="during"),
        lambda: FreeNatsW(w=-1),
        lambda: FreeBitsW(-1),
        lambda: FreeBitsW(w=-1),
        lambda: KLBalancingW(prior=0),
        lambda: KLBalancingW(posterior=-1),
        lambda: KLBalancingW(clamp="during"),
    ],
)
def test_bad_thresholds_are_refused(make):
    with pytest.raises(ValueError, match="w_schedule"):
        make()
