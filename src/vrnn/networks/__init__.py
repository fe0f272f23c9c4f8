from vrnn.networks.feedforward import MLP, GaussianNetwork
from vrnn.networks.flat import flatten
from vrnn.networks.frame import Frame
from vrnn.networks.recurrence import GRU, LSTM, MTRNN, Elman, Recurrence
from vrnn.networks.vrnn import VRNN, Inference

__all__ = [
    "GRU",
    "LSTM",
    "MLP",
    "MTRNN",
    "VRNN",
    "Elman",
    "Frame",
    "GaussianNetwork",
    "Inference",
    "Recurrence",
    "flatten",
]
