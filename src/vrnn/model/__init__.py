"""The VRNN, and bounds on its likelihood by particles."""

from vrnn.model.inference import Inference, InferenceModel
from vrnn.model.particles import log_evidence
from vrnn.model.vrnn import VRNN

__all__ = ["VRNN", "Inference", "InferenceModel", "log_evidence"]
