"""How likely a point is under the decoder: one class a likelihood.

A likelihood turns the decoder's raw outputs into a distribution over the next point. The outputs are read in the frame's
units: a raw mean of 1 lies `scale` away from the frame's mean_offset, and deviations without a ceiling
are in units of `scale` too.
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
    "PenLikelihood",
    "SharedGaussianLikelihood",
    "Squash",
    "positive",
]
