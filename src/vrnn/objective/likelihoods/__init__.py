"""Likelihoods p(x_t | z_t, h_{t-1}): one class per likelihood.

A likelihood makes a distribution over a point from the decoder's raw outputs: a raw mean of 1 is `scale` above the mean offset
of the coordinates, and deviations without a ceiling are in units of `scale`, too.
"""

from vrnn.objective.likelihoods.base import Likelihood, Squash, positive
from vrnn.objective.likelihoods.bernoulli import BernoulliLikelihood
from vrnn.objective.likelihoods.gaussian import (
    FixedGaussianLikelihood,
    GaussianLikelihood,
    MSELikelihood,
    MSEMeanLikelihood,
    SharedGaussianLikelihood,
)
from vrnn.objective.likelihoods.mixture import GaussianMixtureLikelihood
from vrnn.objective.likelihoods.nade import NADELikelihood
from vrnn.objective.likelihoods.strokes import BivariateLikelihood, PenLikelihood

__all__ = [
    "BernoulliLikelihood",
    "BivariateLikelihood",
    "FixedGaussianLikelihood",
    "GaussianLikelihood",
    "GaussianMixtureLikelihood",
    "Likelihood",
    "MSELikelihood",
    "MSEMeanLikelihood",
    "NADELikelihood",
    "PenLikelihood",
    "SharedGaussianLikelihood",
    "Squash",
    "positive",
]
