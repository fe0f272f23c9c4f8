"""Choose the engine that runs a model over time.

"auto" takes the native engine if its kernels support the model, and otherwise the reference engine.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import cache
from typing import Literal, TypeVar

from torch import Tensor

from vrnn.engine import reference
from vrnn.engine.interface import Filtered, Noise, Sampling, Unrolled, UnsupportedError, Weighing
from vrnn.networks.recurrence import Recurrence
from vrnn.networks.six_networks import SixNetworks
from vrnn.networks.state import State

logger = logging.getLogger(__name__)

EngineName = Literal["auto", "reference", "native"]
ENGINES = ("auto", "reference", "native")

Result = TypeVar("Result")


def unroll(
    networks: SixNetworks,
    engine: EngineName,
    features: Tensor,
    noise: Tensor,
    memory: Tensor,
    context: Tensor | None = None,
    summary: Tensor | None = None,
) -> Unrolled:
    """Run the six networks over time: see `reference.unroll`.

    Raises:
        ValueError: engine="native" and the kernels do not support these networks.
    """

    def native() -> Unrolled:
        from vrnn.engine.native import autograd  # imported only when needed: numba takes a second

        return autograd.unroll(networks, features, noise, memory, context, summary)

    def plain() -> Unrolled:
        return reference.unroll(networks, features, noise, memory, context, summary)

    return _run("Inference", engine, native, plain)


def filter_particles(
    networks: SixNetworks,
    engine: EngineName,
    features: Tensor,
    noise: Tensor,
    memory: Tensor,
    weighing: Weighing,
    context: Tensor | None = None,
    summary: Tensor | None = None,
) -> Filtered:
    """Run K particles of each trace, resampled on the way: see `reference.filter_particles`.

    Raises:
        ValueError: engine="native" and the kernels do not support these networks.
    """

    def native() -> Filtered:
        from vrnn.engine.native import filtering

        return filtering.filter_particles(networks, features, noise, memory, weighing, context, summary)

    def plain() -> Filtered:
        return reference.filter_particles(networks, features, noise, memory, weighing, context, summary)

    return _run("The particle filter", engine, native, plain)


def fill(
    networks: SixNetworks,
    engine: EngineName,
    x: Tensor,
    mask: Tensor,
    noise: Noise,
    state: State,
    context: Tensor | None = None,
    summary: Tensor | None = None,
) -> tuple[Unrolled, Tensor]:
    """Run the six networks along points of which some are missing: see `reference.fill`.

    Raises:
        ValueError: engine="native" and the kernels do not support these networks.
    """

    def native() -> tuple[Unrolled, Tensor]:
        from vrnn.engine.native import filling

        return filling.fill(networks, x, mask, noise, state, context, summary)

    def plain() -> tuple[Unrolled, Tensor]:
        return reference.fill(networks, x, mask, noise, state, context, summary)

    return _run("Inference with missing points", engine, native, plain)


def generate(
    networks: SixNetworks,
    engine: EngineName,
    noise: Noise,
    state: State,
    sampling: Sampling,
    context: Tensor | None = None,
) -> tuple[Tensor, State]:
    """Draw points from the prior: see `reference.generate`.

    Raises:
        ValueError: engine="native" and the kernels do not support these networks.
    """

    def native() -> tuple[Tensor, State]:
        from vrnn.engine.native import autograd

        return autograd.generate(networks, noise, state, sampling, context)

    return _run("Generation", engine, native, lambda: reference.generate(networks, noise, state, sampling, context))


def scan(recurrence: Recurrence, engine: EngineName, inputs: Tensor) -> Tensor:
    """Return the outputs of a recurrence before its first input and after each one: see `reference.scan`.

    Raises:
        ValueError: engine="native" and the kernels do not support this recurrence.
    """

    def native() -> Tensor:
        from vrnn.engine.native import scanning

        return scanning.scan(recurrence, inputs)

    return _run("The posterior's recurrence", engine, native, lambda: reference.scan(recurrence, inputs))


def _run(task: str, engine: EngineName, native: Callable[[], Result], plain: Callable[[], Result]) -> Result:
    """Call `native` unless the engine is "reference" or the kernels do not support the networks; then call `plain`."""
    if engine == "reference":
        return plain()
    try:
        result = native()
    except UnsupportedError as error:
        if engine == "native":
            raise ValueError(f"engine='native' cannot run this model: {error}. Choose engine='auto'.") from error
        log_once(f"{task} uses the reference engine, which is slow. The compiled kernels do not apply: {error}.")
        return plain()
    log_once(f"{task} uses the native engine, in compiled kernels.")
    return result


@cache
def log_once(message: str) -> None:
    """Log the message unless this process has logged it before."""
    logger.info(message)
