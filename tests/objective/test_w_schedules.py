"""What holds for every scheme in conf/w_schedule, found by listing: a new YAML is covered by itself."""

import math

import pytest
import torch

from tests.conftest import ROOT
from tests.objective.steps import random_terms, terms_of
from vrnn.objective import Terms
from vrnn.objective.wake import WakeTerms
from vrnn.runs.config import check
from vrnn.runs.instantiate import instantiate

NAMES = sorted(
    str(path.relative_to(ROOT / "conf/w_schedule"))[:-5] for path in (ROOT / "conf/w_schedule").rglob("*.yaml")
)


@pytest.fixture(params=NAMES)
def make(request, composed):
    """Makes the schedule of a YAML, as a run does."""
    settings = check(composed(f"w_schedule={request.param}"))
    return lambda: instantiate(settings["w_schedule"], settings["allow"])


def losses(schedule, seeds):
    return [schedule(random_terms(seed)).loss for seed in seeds]


def test_a_schedule_goes_on_from_its_state_bit_for_bit(make):
    whole, first, second = make(), make(), make()
    expected = losses(whole, range(8))
    losses(first, range(5))
    second.load_state_dict(first.state_dict(), strict=True)
    assert losses(second, range(5, 8)) == expected[5:]


def test_the_state_is_plain_buffers(make):
    """So that a checkpoint holds all of it: nothing but tensors tells a used schedule from a new one."""
    used, new = make(), make()
    losses(used, range(5))
    known = dict(used.named_buffers())
    assert set(used.state_dict()) == set(known)
    plain = {name: value for name, value in vars(used).items() if name not in ("_buffers", "warned")}
    assert plain == {name: value for name, value in vars(new).items() if name in plain}


def test_what_is_reported(make):
    weighted = make()(random_terms())
    for value in (weighted.loss, weighted.w, weighted.w_per_step, *weighted.log.values()):
        assert value.shape == ()
        assert torch.isfinite(value)
    assert not {"kl", "elbo"} & set(weighted.log)
    assert not any(value.requires_grad for value in (weighted.w, weighted.w_per_step, *weighted.log.values()))


def test_nan_past_a_trace_s_end_leaks_nowhere(make):
    mask = torch.ones(5, 3, dtype=torch.bool)
    mask[3:, 1] = mask[1:, 2] = False
    terms = random_terms()
    results = []
    for padding in (0.0, math.nan):
        leaves = [part.clone() for part in (terms.distortion, terms.kl, terms.kl, terms.kl, *terms.wake(16))]
        for leaf in leaves:
            leaf[~mask] = padding
            leaf.requires_grad_()
        distortion, kl, to_prior, to_posterior, *wake = leaves
        schedule = make()
        for _ in range(3):
            sides = lambda pair=(to_prior, to_posterior): pair  # noqa: E731
            weighted = schedule(Terms(distortion, kl, sides, mask, lambda _, wake=wake: WakeTerms(*wake)))
        gradients = torch.autograd.grad(weighted.loss, leaves, allow_unused=True)
        results.append([weighted.loss, *weighted.log.values(), *schedule.state_dict().values()])
        results[-1] += [gradient for gradient in gradients if gradient is not None]
    for clean, padded in zip(*results, strict=True):
        assert torch.isfinite(padded).all()
        assert torch.equal(clean, padded)


def test_the_kl_is_discouraged(make):
    """Above every threshold, and once a warm-up has begun, a nat of KL costs w_per_step, and what the prior's side costs."""
    schedule = make()
    for _ in range(5):
        schedule(random_terms())
    terms = random_terms()
    still = (terms.kl + 2.0).requires_grad_()
    steps = terms_of(terms.distortion, still)
    flat = WakeTerms(*(part.requires_grad_() for part in steps.wake(16)))
    weighted = schedule(steps._replace(wake=lambda _: flat))
    slope = torch.autograd.grad(weighted.loss, still, materialize_grads=True)[0].sum() / still.shape[-1]
    prior = weighted.log.get("w_prior", 0.0)
    assert float(slope) == pytest.approx(float(weighted.w_per_step + prior), rel=1e-4)
