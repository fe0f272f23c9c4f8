"""The six networks: modules and parameters, without the loop over time."""

from vrnn.networks.condition import LabelCondition, NoCondition, SeriesCondition
from vrnn.networks.coordinates import Coordinates
from vrnn.networks.forecast import Forecast, NoForecast
from vrnn.networks.mlp import MLP, LatentNetwork, StandardPrior
from vrnn.networks.posterior import FilteringPosterior, RecurrentPosterior
from vrnn.networks.recurrence import GRU, LSTM, MTRNN, Elman, Markov, NoRecurrence, Recurrence
from vrnn.networks.regularisation import Regularisation
from vrnn.networks.six_networks import SixNetworks
from vrnn.networks.state import State

__all__ = [
    "GRU",
    "LSTM",
    "MLP",
    "MTRNN",
    "Coordinates",
    "Elman",
    "FilteringPosterior",
    "Forecast",
    "LabelCondition",
    "LatentNetwork",
    "Markov",
    "NoCondition",
    "NoForecast",
    "NoRecurrence",
    "Recurrence",
    "RecurrentPosterior",
    "Regularisation",
    "SeriesCondition",
    "SixNetworks",
    "StandardPrior",
    "State",
]
