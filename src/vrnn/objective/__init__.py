from vrnn.objective.distributions import Gaussian, GaussianMixture, gaussian_kl, gaussian_log_prob
from vrnn.objective.likelihoods import GaussianLikelihood, GaussianMixtureLikelihood, Likelihood, MSELikelihood
from vrnn.objective.reduction import mean_per_step, mean_per_trace
from vrnn.objective.w_schedules import AdaptiveW, ConstantW, LinearW, Terms, Weighted, WSchedule

__all__ = [
    "AdaptiveW",
    "ConstantW",
    "Gaussian",
    "GaussianLikelihood",
    "GaussianMixture",
    "GaussianMixtureLikelihood",
    "Likelihood",
    "LinearW",
    "MSELikelihood",
    "Terms",
    "WSchedule",
    "Weighted",
    "gaussian_kl",
    "gaussian_log_prob",
    "mean_per_step",
    "mean_per_trace",
]
