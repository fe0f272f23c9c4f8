from vrnn.objective.bounds import ELBO, FIVO, IWAE, Bound
from vrnn.objective.distributions import Gaussian, GaussianMixture, gaussian_kl, gaussian_log_prob
from vrnn.objective.latents import (
    CategoricalLatent,
    GaussianCategoricalLatent,
    GaussianLatent,
    Latent,
    NoLatent,
)
from vrnn.objective.likelihoods import GaussianLikelihood, GaussianMixtureLikelihood, Likelihood, MSELikelihood
from vrnn.objective.reduction import mean_per_step, mean_per_trace
from vrnn.objective.w_schedules import AdaptiveW, ConstantW, LinearW, Terms, Weighted, WSchedule

__all__ = [
    "ELBO",
    "FIVO",
    "IWAE",
    "AdaptiveW",
    "Bound",
    "CategoricalLatent",
    "ConstantW",
    "Gaussian",
    "GaussianCategoricalLatent",
    "GaussianLatent",
    "GaussianLikelihood",
    "GaussianMixture",
    "GaussianMixtureLikelihood",
    "Latent",
    "Likelihood",
    "LinearW",
    "MSELikelihood",
    "NoLatent",
    "Terms",
    "WSchedule",
    "Weighted",
    "gaussian_kl",
    "gaussian_log_prob",
    "mean_per_step",
    "mean_per_trace",
]
