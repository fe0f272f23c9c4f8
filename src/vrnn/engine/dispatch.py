"""The choice of the engine: the one that is asked for, or with "auto" the fastest that supports the networks."""

from __future__ import annotations

import logging
from functools import cache
from typing import Any, Literal

from torch import Tensor

from vrnn.engine import reference
from vrnn.engine.interface import Noise, Unrolled, UnsupportedError
from vrnn.networks.six_networks import SixNetworks
from vrnn.networks.state import State

logger = logging.getLogger(__name__)

EngineName = Literal["auto", "reference", "native"]
ENGINES = ("auto", "reference", "native")


def unroll(networks: SixNetworks, engine: EngineName, features: Tensor, noise: Tensor, memory: Tensor) -> Unrolled:
    """Run the six networks over time: see `reference.unroll`.

    Raises:
        ValueError: engine="native" and the kernels do not support these networks.
    """
    return _run("unroll", engine, networks, features, noise, memory)


def generate(
    networks: SixNetworks, engine: EngineName, noise: Noise, state: State, sample: bool
) -> tuple[Tensor, State]:
    """Draw points from the prior: see `reference.generate`.

    Raises:
        ValueError: engine="native" and the kernels do not support these networks.
    """
    return _run("generate", engine, networks, noise, state, sample)


def _run(task: str, engine: EngineName, *arguments: Any) -> Any:
    if engine != "reference":
        from vrnn.engine.native import autograd  # imported only when needed: numba takes a second

        try:
            result = getattr(autograd, task)(*arguments)
        except UnsupportedError as error:
            if engine == "native":
                raise ValueError(f"engine='native' cannot run this model: {error}. Choose engine='auto'.") from error
            _log_once(
                f"{task} runs in the reference engine, which is slow. The compiled kernels do not serve: {error}."
            )
        else:
            _log_once(f"{task} runs in the native engine, in compiled kernels.")
            return result
    return getattr(reference, task)(*arguments)


@cache
def _log_once(message: str) -> None:
    logger.info(message)
