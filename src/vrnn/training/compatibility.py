"""What can be trained together: a model, a w schedule and a bound; processes and a Trainer.

Importing this module does not import Lightning.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vrnn.distributed import world_size
from vrnn.errors import ConfigError
from vrnn.model.particles import check_trainable, check_wake
from vrnn.model.vrnn import VRNN
from vrnn.networks.regularisation import Regularisation
from vrnn.objective.bounds import ELBO, Bound
from vrnn.objective.w_schedules import ConstantW, WakeW, WarmUp, WSchedule


def check_compatible(vrnn: VRNN, w_schedule: WSchedule, bound: Bound) -> None:
    """Refuse a model, a schedule and a bound that do not go together.

    Raises:
        ValueError: They do not.
    """
    if not vrnn.latent.groups and type(w_schedule) is not ConstantW:
        raise ValueError("latent=none leaves no KL to weigh: choose w_schedule=constant.")
    if isinstance(w_schedule, WakeW):
        check_wake(vrnn)
    if w_schedule.stops_gradients and vrnn.posterior.residual:
        raise ValueError(
            f"{type(w_schedule).__name__} trains prior and posterior by separate terms, but with posterior.residual=true the "
            "posterior's mean contains the prior's: set posterior.residual=false, or choose w_schedule=linear without "
            "prior_at_once."
        )
    if isinstance(bound, ELBO):
        return
    check_trainable(vrnn)
    if w_schedule.scalar_weight() is None:
        raise ValueError(
            f"A bound by particles needs one weight known before the step for all of the KL, but "
            f"{type(w_schedule).__name__} has none: choose w_schedule=constant, or linear without free_nats and "
            "prior_at_once, or bound=elbo."
        )


def check_accumulation(windows: int, w_schedule: WSchedule) -> None:
    """Refuse a schedule that moves w by every window where a step takes several: it would move too often.

    Args:
        windows: Per optimiser step.
        w_schedule: Those that count steps, or have no state, are fit for several windows.

    Raises:
        ValueError: It is another one.
    """
    if windows > 1 and not isinstance(w_schedule, WarmUp | WakeW) and any(True for _ in w_schedule.buffers()):
        raise ValueError(
            f"trainer.accumulate_grad_batches must be 1 with {type(w_schedule).__name__}, which moves w by every window, but "
            f"is {windows}: choose w_schedule=linear, or raise data.batch_size instead."
        )


def check_input_noise(regularisation: Regularisation, bound: Bound, gaps: bool) -> None:
    """Refuse noise on the inputs where points are filled in or followed by particles.

    Raises:
        ValueError: There is such noise, and gaps or a bound by particles.
    """
    if regularisation.input_noise and (gaps or not isinstance(bound, ELBO)):
        found = "traces with missing points" if gaps else f"bound={type(bound).__name__.lower()}"
        raise ValueError(f"regularisation.input_noise must be 0 with {found}, but is {regularisation.input_noise}.")


def check_trainer(options: Mapping[str, Any]) -> None:
    """Compare the number of processes with that of the trainer's options.

    Raises:
        ConfigError: They differ.
    """
    is_ddp = "ddp" in str(options.get("strategy"))
    expected = options.get("devices", 1) * options.get("num_nodes", 1) if is_ddp else 1
    if is_ddp and world_size() == 1:
        raise ConfigError(
            "trainer.strategy=ddp needs torchrun: torchrun --standalone --nproc-per-node=2 --no-python vrnn train trainer=ddp …"
        )
    if world_size() not in (1, expected):
        raise ConfigError(
            f"torchrun started {world_size()} processes, but the trainer is for {expected}; add trainer=ddp, or leave out "
            "torchrun."
        )


def check_processes(bound: Bound, gaps: bool) -> None:
    """Refuse several processes where they would not draw the same random numbers.

    What is drawn for gaps and for particles depends on them, so that the processes' generators would drift apart.

    Raises:
        ConfigError: There are several processes, and gaps or a bound by particles.
    """
    if world_size() > 1 and (gaps or not isinstance(bound, ELBO)):
        found = "traces with missing points" if gaps else f"bound={type(bound).__name__.lower()}"
        raise ConfigError(f"{found} must be trained by one process, but torchrun started {world_size()}: leave it out.")
