"""The kind of variable that z is: one class per kind."""

from vrnn.objective.latents.base import Latent, detached, rebuild, stacked, where
from vrnn.objective.latents.categorical import Categorical, CategoricalLatent, Estimator
from vrnn.objective.latents.gaussian import GaussianLatent
from vrnn.objective.latents.mixed import GaussianCategorical, GaussianCategoricalLatent
from vrnn.objective.latents.none import NoLatent, Nothing

__all__ = [
    "Categorical",
    "CategoricalLatent",
    "Estimator",
    "GaussianCategorical",
    "GaussianCategoricalLatent",
    "GaussianLatent",
    "Latent",
    "NoLatent",
    "Nothing",
    "detached",
    "rebuild",
    "stacked",
    "where",
]
