"""The six networks: modules and parameters, without the loop over time."""

from vrnn.networks.condition import LabelCondition, NoCondition, SeriesCondition
from vrnn.networks.coordinates import Coordinates
from vrnn.networks.forecast import Forecast, NoForecast
from vrnn.networks.mlp import MLP, LatentNetwork, StandardPrior
from vrnn.networks.recurrence import GRU, LSTM, MTRNN, Elman, NoRecurrence, Recurrence
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
    "Forecast",
    "LabelCondition",
    "LatentNetwork",
    "NoCondition",
    "NoForecast",
    "NoRecurrence",
    "Recurrence",
    "Regularisation",
    "SeriesCondition",
    "SixNetworks",
    "StandardPrior",
    "State",
]
