"""The parts of a run that need no Lightning: its VRNN, and a trial of all of them before anything is made."""

from __future__ import annotations

import numpy as np
import torch

from vrnn.errors import ConfigError
from vrnn.model.particles import check_bound
from vrnn.model.vrnn import VRNN
from vrnn.patterns import Pattern, Units
from vrnn.runs.instantiate import instantiate
from vrnn.runs.pattern import Settings, as_config_error, pattern_class
from vrnn.training.compatibility import check_compatible, check_trainer

DEFAULT_UNITS = Units()

# The config groups that hold a part of the VRNN, and the argument each one becomes.
VRNN_ARGUMENTS = {
    "recurrence": "recurrence",
    "latent": "latent",
    "prior": "prior_network",
    "frame": "coordinates",
    "likelihood": "likelihood",
}


def build_vrnn(settings: Settings, units: Units = DEFAULT_UNITS) -> VRNN:
    """Build the VRNN alone.

    Args:
        settings: The run's.
        units: Those of its data, one per coordinate where the pattern's class says nothing about the width of its sequences.

    Raises:
        ConfigError: Settings that a part refuses, or parts that contradict each other.
    """
    x_dim = pattern_class(settings).x_dim or len(units.mean)
    parts = {argument: instantiate(settings[group], settings["allow"]) for group, argument in VRNN_ARGUMENTS.items()}
    with as_config_error():
        return VRNN(x_dim=x_dim, engine=settings["engine"], **parts, **settings["model"])


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
    bound, w_schedule = (instantiate(settings[group], settings["allow"]) for group in ("bound", "w_schedule"))
    vrnn = build_vrnn(settings, DEFAULT_UNITS if pattern is None else pattern.units)
    with as_config_error():
        instantiate(settings["forecast"], settings["allow"])(vrnn.h_dim, vrnn.x_dim)
        if settings["evaluation"]["particles"]:
            check_bound(vrnn)
        check_compatible(vrnn, w_schedule, bound)
        if settings["data"]["gaps"]["share"]:
            vrnn.coordinates.check_gaps()
        if pattern is not None:
            steps = min(settings["data"]["steps"], 256)
            trace = pattern.draw("train", 1, steps, np.random.default_rng(settings["seed"]))[0]
            vrnn.likelihood.check(torch.as_tensor(trace.points))
