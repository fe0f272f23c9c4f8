"""Each warning appears where its sign is, and none where nothing is wrong."""

import numpy as np
import pytest
import torch

from vrnn import VRNN
from vrnn.evaluation.warning_signs import find_warnings
from vrnn.objective import AdaptiveW, BernoulliLikelihood, ConstantW, GaussianLikelihood, NADELikelihood

MEMORISED = {"elbo_nats_per_step": 1.4, "train_elbo_nats_per_step": 3.5}
SOUND = {"kl_nats_per_step": 0.02, "generated": {"laps": 5000}}


def warnings_of(scores=SOUND, w_schedule=None, likelihood=None, x=None, drawn=None):
    """The first words of the warnings about a new model on 40 steps of noise."""
    torch.manual_seed(0)
    vrnn = VRNN(x_dim=2, z_dim=3, h_dim=8, likelihood=likelihood or GaussianLikelihood(), engine="reference")
    x = torch.randn(40, 4, 2) if x is None else x
    drawn = np.zeros((2, 50, 2)) if drawn is None else drawn
    mask = torch.ones(40, 4, dtype=torch.bool)
    return find_warnings(vrnn, w_schedule or ConstantW(), scores, x, mask, drawn, 0)


def test_nothing_to_warn_about():
    assert warnings_of() == []
    assert warnings_of(SOUND | MEMORISED | {"train_elbo_nats_per_step": 3.3}) == []  # less than a nat per coordinate


def at_limit() -> AdaptiveW:
    schedule = AdaptiveW(w_min=0.5, w_0=1.0)
    schedule.move_to(torch.tensor(0.1))
    return schedule


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"scores": SOUND | {"kl_nats_per_step": 1e-4}}, "The posterior has collapsed: the KL is 0.0001 nats"),
        ({"scores": SOUND | MEMORISED}, "there the ELBO is 3.5 nats per step, on held-out sequences 1.4. Take"),
        ({"w_schedule": at_limit()}, "has ended on its limit: w = w_min = 0.5."),
        ({"likelihood": GaussianLikelihood(floor=100.0)}, "sits on its floor, likelihood.floor = 100, at 100% of"),
        ({"likelihood": GaussianLikelihood(floor=1e-3, ceiling=1e-3 + 1e-9)}, "sits on its ceiling"),
        ({"drawn": np.concatenate([np.zeros((9, 50, 2)), np.full((1, 50, 2), 99.0)])}, "of the data: 10.0% of"),
        ({"drawn": np.full((2, 50, 2), np.nan)}, "of the data: 100.0% of"),
        ({"scores": SOUND | {"generated": {"laps": 99}}}, "from 99 generated laps"),
        ({"scores": SOUND | {"particles": 16}, "x": 30 * torch.randn(40, 4, 2)}, "of its 16 particles"),
    ],
)
def test_a_sign_is_warned_about(given, said):
    assert said in "\n".join(warnings_of(**given))


@pytest.mark.parametrize("likelihood", [BernoulliLikelihood(), NADELikelihood(2)], ids=["bernoulli", "nade"])
def test_keys_that_are_down_for_the_first_time_are_no_sign(likelihood):
    """Binary points do not leave their range, even where the traces looked at never have a 1; real ones do."""
    given = {"x": torch.zeros(40, 4, 2), "drawn": np.ones((2, 50, 2))}
    assert "leave the range" not in "\n".join(warnings_of(likelihood=likelihood, **given))
    assert "leave the range" in "\n".join(warnings_of(**given))
