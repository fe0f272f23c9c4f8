"""Which engine runs a VRNN: the one its `engine` names, or with "auto" the fast one wherever it can."""

from __future__ import annotations

import logging
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

from torch import Tensor

from vrnn.engine import reference
from vrnn.engine.interface import Noise, State, Unrolled, UnsupportedError

if TYPE_CHECKING:
    from vrnn.networks.vrnn import VRNN

logger = logging.getLogger(__name__)

EngineName = Literal["auto", "reference", "native"]
ENGINES = ("auto", "reference", "native")


def unroll(vrnn: VRNN, features: Tensor, noise: Tensor, memory: Tensor) -> Unrolled:
    """Run the six networks over time by the VRNN's engine: see reference.unroll."""
    return _run("unroll", vrnn, features, noise, memory)


def generate(vrnn: VRNN, noise: Noise, state: State, sample: bool) -> tuple[Tensor, State]:
    """Draw points from the prior by the VRNN's engine: see reference.generate."""
    return _run("generate", vrnn, noise, state, sample)


def _run(task: str, vrnn: VRNN, *arguments: Any) -> Any:
    if vrnn.engine != "reference":
        from vrnn.engine import native  # only now: numba takes a second to import

        try:
            result = getattr(native, task)(vrnn, *arguments)
        except UnsupportedError as error:
            if vrnn.engine == "native":
                raise ValueError(f"engine='native' cannot run this VRNN: {error}. Choose engine='auto'.") from error
            _say(f"{task} runs by the reference engine, which is slow. The compiled kernels do not serve: {error}.")
        else:
            _say(f"{task} runs by the native engine, in compiled kernels.")
            return result
    return getattr(reference, task)(vrnn, *arguments)


@cache
def _say(message: str) -> None:
    logger.info(message)
