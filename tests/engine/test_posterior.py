"""Posteriors that see all points, and paths that are cut: both engines give the same numbers, forward, backward, in bounds."""

from functools import partial

import pytest
import torch

from tests.engine.engine_pairs import model
from vrnn.model.particles import log_evidence
from vrnn.networks import LabelCondition, Markov, RecurrentPosterior, StandardPrior
from vrnn.objective import FIVO, IWAE, CategoricalLatent

NARROW = partial(RecurrentPosterior, width=6)
STATE_SPACE = {"recurrence": Markov, "x_to_h": False, "h_to_x": False}
PARTS = {
    "smoothing": {"posterior": NARROW},
    "storn": {
        "posterior": partial(NARROW, directions=["forward"], residual=False, sees_h=False),
        "prior_network": StandardPrior,
    },
    "dmm, with labels": {"posterior": NARROW, **STATE_SPACE, "condition": LabelCondition(["a", "b"], 5)},
    "classes, both ways": {
        "posterior": partial(NARROW, directions=["backward", "forward"], residual=False),
        "latent": CategoricalLatent(1, 5),
        "h_to_x": False,
    },
}


def results(vrnn, x, mask, condition):
    """Return the bounds of unequal traces with a gap, points that are generated, and the bounds' gradients for all weights."""
    generator = torch.Generator().manual_seed(1)
    run = vrnn.infer(x, mask=mask, condition=condition, generator=generator)
    losses = [vrnn.latent.kl(run.q, run.p).sum() + vrnn.distortion(run).sum()]
    losses += [log_evidence(vrnn, x, bound, mask, generator, condition).sum() for bound in (IWAE(3), FIVO(3, 0.9))]
    weights = list(vrnn.parameters())
    gradients = [
        part
        for loss in losses
        for part in torch.autograd.grad(loss, weights, allow_unused=True, materialize_grads=True)
    ]
    return [*losses, *gradients, vrnn.generate(3, 4, condition=condition, generator=generator)]


@pytest.mark.parametrize("gap", [False, True], ids=["whole", "gap"])
@pytest.mark.parametrize("options", PARTS.values(), ids=PARTS.keys())
def test_posterior_in_the_kernels(options, gap):
    torch.manual_seed(0)
    vrnn = model(**options)
    mask = torch.arange(7).unsqueeze(1) < torch.tensor([7, 5, 3])
    mask[2, 0] = not gap
    x = torch.where(mask.unsqueeze(-1), torch.randn(7, 3, 2, dtype=torch.float64), torch.nan)
    condition = torch.tensor([0, 1, 1]) if vrnn.condition.labels else None
    found = []
    for vrnn.engine in ("reference", "auto" if gap else "native"):
        found.append(results(vrnn, x, mask, condition))
    for theirs, ours in zip(*found, strict=True):
        assert theirs.isfinite().all()
        scale = max(1.0, float(theirs.detach().abs().max()))
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-10 * scale)
