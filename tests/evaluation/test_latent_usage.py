"""The KL along held-out traces, the prior along a trace, and their figure."""

import numpy as np
import torch

from vrnn.data import TraceSet
from vrnn.evaluation import held_out_scores
from vrnn.evaluation.latent_usage import infer_held_out, prior_along
from vrnn.model import VRNN
from vrnn.objective import CategoricalLatent, GaussianCategoricalLatent, GaussianLatent
from vrnn.objective.latents import detached
from vrnn.patterns import Trace
from vrnn.plots import plot_latent, spreads


def test_the_kl_is_that_of_the_scores():
    torch.manual_seed(0)
    vrnn, rng = VRNN(), np.random.default_rng(0)
    traces = [Trace(rng.normal(size=(n, 2)).cumsum(0), np.full(n, -1), np.full(n, -1)) for n in (30, 20)]
    held_out = TraceSet(traces)
    run, mask = infer_held_out(vrnn, held_out, seed=3)
    kl = vrnn.latent.kl(run.q, run.p)
    scores = held_out_scores(vrnn, held_out.x, held_out.mask, torch.Generator().manual_seed(3))
    assert mask.sum() == 50
    assert torch.isclose(kl.sum(-1)[mask].mean(), torch.tensor(scores["kl_nats_per_step"]))


def test_spreads_are_the_parameters_of_the_prior():
    torch.manual_seed(0)
    latent = GaussianCategoricalLatent(GaussianLatent(3), CategoricalLatent(2, 4, estimator="straight_through"))
    vrnn = VRNN(latent=latent)
    prior = detached(vrnn.infer(torch.randn(7, 1, 2)).p)
    deviations, first, second = spreads(prior)
    np.testing.assert_allclose(deviations.values, prior.std[:, 0], rtol=1e-6)
    np.testing.assert_allclose(second.values, prior.log_probs[:, 0, 1].exp(), rtol=1e-6)
    np.testing.assert_allclose(first.values.sum(1), 1.0, rtol=1e-6)
    assert (deviations.stacked, first.stacked, second.stacked) == (False, True, True)
    many = VRNN(latent=CategoricalLatent(6, 4, estimator="straight_through"))
    assert len(spreads(detached(many.infer(torch.randn(7, 1, 2)).p))) == 4


def test_the_figure_shows_the_prior():
    torch.manual_seed(0)
    vrnn = VRNN(latent=CategoricalLatent(1, 5))
    drawn = np.random.default_rng(0).normal(size=(400, 2)).cumsum(0)
    kl = torch.rand(400, 1)
    prior = prior_along(vrnn, drawn[:300], seed=0)
    figure = plot_latent(kl[:300, 0].numpy(), [(20, "wide")], spreads(prior), [])
    top, probabilities = figure.axes
    np.testing.assert_allclose(top.lines[0].get_ydata(), kl[:300, 0], rtol=1e-6)
    assert len(probabilities.collections) == 5
