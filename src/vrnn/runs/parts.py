"""The parts of a run that need no Lightning: its VRNN, and a trial of all of them before anything is made."""

from __future__ import annotations

import functools
from collections.abc import Callable
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from vrnn.errors import ConfigError
from vrnn.model.particles import check_bound
from vrnn.model.vrnn import VRNN
from vrnn.networks import (
    Coordinates,
    FilteringPosterior,
    Forecast,
    LabelCondition,
    LatentNetwork,
    NoCondition,
    NoForecast,
    Recurrence,
    RecurrentPosterior,
    Regularisation,
    SeriesCondition,
    StandardPrior,
)
from vrnn.objective import Bound, Latent, Likelihood, WSchedule
from vrnn.patterns import Pattern, Units
from vrnn.runs.instantiate import PARTIAL, TARGET, check_arguments, check_plain, instantiate, target_class
from vrnn.runs.loggers import check_loggers
from vrnn.runs.pattern import Settings, as_config_error, pattern_class
from vrnn.training.compatibility import (
    check_accumulation,
    check_compatible,
    check_input_noise,
    check_trainer,
)
from vrnn.training.lr_schedules import LRSchedule
from vrnn.training.optimizer import NOT_BY_WEIGHT

if TYPE_CHECKING:
    from pytorch_lightning import Callback

DEFAULT_UNITS = Units()

# The config groups that hold a part of the VRNN, and the argument each one becomes.
VRNN_ARGUMENTS = {
    "recurrence": "recurrence",
    "latent": "latent",
    "prior": "prior_network",
    "posterior": "posterior",
    "frame": "coordinates",
    "likelihood": "likelihood",
}

# What vrnn's own classes of each config group are. One of another group could be made, too, and would fail only when used.
KINDS: dict[str, tuple[type, ...]] = {
    "recurrence": (Recurrence,),
    "latent": (Latent,),
    "prior": (LatentNetwork, StandardPrior),
    "posterior": (FilteringPosterior, RecurrentPosterior),
    "frame": (Coordinates,),
    "likelihood": (Likelihood,),
    "condition": (NoCondition, LabelCondition, SeriesCondition),
    "forecast": (Forecast, NoForecast),
    "bound": (Bound,),
    "w_schedule": (WSchedule,),
    "lr_schedule": (LRSchedule,),
    "regularisation": (Regularisation,),
}
BASES = (Recurrence, Latent, Likelihood, Bound, WSchedule, LRSchedule)  # of classes: alone they do nothing
# Groups whose classes are made by the model, with sizes that the settings do not hold.
PARTIAL_GROUPS = ("recurrence", "prior", "posterior", "condition", "forecast")


def make_part(settings: Settings, group: str) -> Any:
    """Make what the settings of a config group name: an object, or of PARTIAL_GROUPS a class that lacks its sizes.

    Args:
        settings: The run's.
        group: A key of KINDS.

    Raises:
        ConfigError: Anything but plain data, a class outside `allow` or of another group, or arguments that it refuses.
    """
    node, allow = settings[group], settings["allow"]
    found, partial = target_class(node, allow), group in PARTIAL_GROUPS
    if found.__module__.startswith("vrnn.") and (found in BASES or not issubclass(found, KINDS[group])):
        raise ConfigError(
            f"{group}._target_ must be a class that a file of conf/{group} names, or one of your own, but is {node[TARGET]}."
        )
    if node.get(PARTIAL, False) is not partial:
        raise ConfigError(f"{group}._partial_ must be {str(partial).lower()}, but is {node.get(PARTIAL, False)!r}.")
    return instantiate(node, allow)


def build_vrnn(settings: Settings, units: Units = DEFAULT_UNITS) -> VRNN:
    """Build the VRNN alone.

    Args:
        settings: The run's.
        units: Those of its data, one per coordinate where the pattern's class says nothing about the width of its sequences.

    Raises:
        ConfigError: Settings that a part refuses, or parts that contradict each other.
    """
    x_dim = pattern_class(settings).x_dim or len(units.mean)
    parts = {argument: make_part(settings, group) for group, argument in VRNN_ARGUMENTS.items()}
    condition = make_part(settings, "condition")
    try:
        with as_config_error():
            vrnn = VRNN(
                x_dim=x_dim,
                engine=settings["engine"],
                condition=condition(labels=units.labels, exogenous=units.exogenous_names),
                **parts,
                **settings["model"],
            )
    except TypeError as error:  # settings give an argument that the model itself gives
        raise ConfigError(f"{error}: leave it out of the settings.") from error
    return vrnn.to(precision(settings))


def make_forecast(settings: Settings, vrnn: VRNN) -> Forecast | NoForecast:
    """Make the forecast of a VRNN.

    Args:
        settings: The run's.
        vrnn: The model whose h the forecast sees.

    Raises:
        ConfigError: A class that is no forecast, or settings that it refuses.
    """
    try:
        with as_config_error():
            made: Forecast | NoForecast = make_part(settings, "forecast")(vrnn.h_dim, vrnn.x_dim)
    except TypeError as error:  # settings give an argument that the model itself gives
        raise ConfigError(f"{error}: leave it out of the settings.") from error
    return made


def precision(settings: Settings) -> torch.dtype:
    """Return the precision that a run computes in, with or without Lightning."""
    return torch.float64 if str(settings["trainer"].get("precision")) in ("64", "64-true") else torch.float32


def make_optimizer(settings: Settings) -> Callable[..., torch.optim.Optimizer]:
    """Return the optimiser's class that settings name, with their arguments; it lacks the weights and `lr`.

    It is a class of torch.optim, or one of an allowed package.

    Args:
        settings: The run's.

    Raises:
        ConfigError: Anything but plain data, another class, or arguments that it refuses.
    """
    node = settings["optimizer"]
    check_plain(node)
    target, given = node.get(TARGET), {key: value for key, value in node.items() if key not in (TARGET, PARTIAL)}
    package, _, name = str(target).rpartition(".")
    kind = getattr(torch.optim, name, None) if package == "torch.optim" else target_class(node, settings["allow"])
    if not (isinstance(kind, type) and issubclass(kind, torch.optim.Optimizer)) or name in (
        "Optimizer",
        *NOT_BY_WEIGHT,
    ):
        near = ", ".join(get_close_matches(name, dir(torch.optim))) or "Adam"
        raise ConfigError(
            f"optimizer._target_ must be an optimiser of torch.optim that treats each weight by itself, such as {near}, but is "
            f"{target}."
        )
    if "lr" in given:
        raise ConfigError(f"optimizer.lr must be left out, but is {given['lr']}: set optim.learning_rate.")
    check_arguments(str(target), kind, given, True)
    return functools.partial(kind, **given)


def windows_per_step(settings: Settings) -> int:
    """Return how many batches of windows an optimiser step takes."""
    return int(settings["trainer"].get("accumulate_grad_batches", 1))


def make_callbacks(settings: Settings) -> list[Callback]:
    """Build the callbacks that settings add to the training.

    Args:
        settings: The run's.

    Raises:
        ConfigError: Settings that a class refuses, or a class that is no callback of Lightning's.
    """
    made = {name: instantiate(node, settings["allow"]) for name, node in settings["callbacks"].items()}
    if not made:
        return []
    from pytorch_lightning import Callback  # imported only when needed: it takes seconds

    from vrnn.training.optional_callbacks import EMA

    for name, callback in made.items():
        if not isinstance(callback, Callback):
            raise ConfigError(
                f"callbacks.{name}._target_ must be a subclass of pytorch_lightning.Callback, but is "
                f"{settings['callbacks'][name][TARGET]}."
            )
    # The average of the weights comes last: at the end of a validation it puts those of training back, and what the others
    # do then, such as a film's frame, is to be of the average.
    return sorted(made.values(), key=lambda callback: isinstance(callback, EMA))


def check_parts(settings: Settings, pattern: Pattern | None) -> None:
    """Build what a new run consists of, and discard it, so that what cannot be built is refused before anything is made.

    Args:
        settings: The run's.
        pattern: Its pattern, by one of whose traces the likelihood is checked; None: the run itself checks it.

    Raises:
        ConfigError: Settings that a part refuses, parts that contradict each other, or data that do not go with them.
    """
    check_trainer(settings["trainer"])
    if settings["trainer"].get("accelerator") in ("gpu", "cuda") and not torch.cuda.is_available():
        raise ConfigError("trainer.accelerator must be cpu where torch finds no GPU, but is gpu: use trainer=cpu.")
    bound, w_schedule = (make_part(settings, group) for group in ("bound", "w_schedule"))
    vrnn = build_vrnn(settings, DEFAULT_UNITS if pattern is None else pattern.units)
    with as_config_error():
        make_forecast(settings, vrnn)
        make_part(settings, "lr_schedule")
        make_callbacks(settings)
        check_loggers(settings)
        regularisation = make_part(settings, "regularisation")
        check_input_noise(regularisation, bound, settings["data"]["gaps"]["share"] > 0)
        if settings["evaluation"]["particles"]:
            check_bound(vrnn)
        check_compatible(vrnn, w_schedule, bound)
        check_accumulation(windows_per_step(settings), w_schedule)
        if settings["data"]["gaps"]["share"]:
            vrnn.coordinates.check_gaps()
        if pattern is not None:
            steps = min(settings["data"]["steps"], 256)
            trace = pattern.draw("train", 1, steps, np.random.default_rng(settings["seed"]))[0]
            vrnn.likelihood.check(torch.as_tensor(trace.points))
        # Last: the first optimizer of a process imports torch's compiler, which takes two seconds.
        make_optimizer(settings)([nn.Parameter(torch.zeros(1))], lr=1.0)
