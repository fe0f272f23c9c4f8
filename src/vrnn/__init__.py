"""VRNN Lab: variational recurrent neural networks on sequences, scored against the process that made them.

The names below are imported on first use, so that `import vrnn` does not import torch.
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vrnn.errors import BusyError, ConfigError, DamagedError, NonFiniteError
    from vrnn.model import VRNN, Inference, log_evidence
    from vrnn.objective.loss import Loss, elbo_loss, particle_loss
    from vrnn.runs.run import run

try:
    __version__ = version("vrnn-lab")
except PackageNotFoundError:  # the sources without an installation
    __version__ = "0+unknown"

_MODULES = {
    "VRNN": "vrnn.model",
    "Inference": "vrnn.model",
    "log_evidence": "vrnn.model",
    "Loss": "vrnn.objective.loss",
    "elbo_loss": "vrnn.objective.loss",
    "particle_loss": "vrnn.objective.loss",
    "run": "vrnn.runs.run",
    "BusyError": "vrnn.errors",
    "ConfigError": "vrnn.errors",
    "DamagedError": "vrnn.errors",
    "NonFiniteError": "vrnn.errors",
}

__all__ = [
    "VRNN",
    "BusyError",
    "ConfigError",
    "DamagedError",
    "Inference",
    "Loss",
    "NonFiniteError",
    "__version__",
    "elbo_loss",
    "log_evidence",
    "particle_loss",
    "run",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'vrnn' has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
