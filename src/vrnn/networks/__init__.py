from vrnn.networks.feedforward import MLP, LatentNetwork, StandardPrior
from vrnn.networks.frame import Frame
from vrnn.networks.particles import log_evidence
from vrnn.networks.recurrence import GRU, LSTM, MTRNN, Elman, NoRecurrence, Recurrence
from vrnn.networks.vrnn import VRNN, Inference

__all__ = [
    "GRU",
    "LSTM",
    "MLP",
    "MTRNN",
    "VRNN",
    "Elman",
    "Frame",
    "Inference",
    "LatentNetwork",
    "NoRecurrence",
    "Recurrence",
    "StandardPrior",
    "log_evidence",
]
