"""The objects of a run, built from its settings."""

from __future__ import annotations

import torch
from pytorch_lightning import seed_everything

from vrnn.data.datamodule import TraceDataModule
from vrnn.data.loader import TraceSet
from vrnn.model.particles import check_bound
from vrnn.objective.masking import has_gaps
from vrnn.patterns import Pattern, Units
from vrnn.runs.parts import build_vrnn, make_forecast, make_optimizer, make_part, precision, windows_per_step
from vrnn.runs.pattern import Settings, as_config_error, build_pattern
from vrnn.threads import set_threads
from vrnn.training.compatibility import check_input_noise, check_processes
from vrnn.training.lightning_module import VRNNModule


def build_run(settings: Settings) -> tuple[Pattern, VRNNModule, TraceDataModule]:
    """Build the pattern, the model and the data of a run. The weights depend only on the settings, `seed` included.

    Raises:
        ConfigError: Settings that a part refuses, parts that contradict each other, or files of data that have changed.
    """
    seed_everything(settings["seed"], verbose=False)
    torch.set_num_threads(1)  # torch's threads wait actively: beside a busy core they cost more than they gain
    set_threads(settings["threads"])
    pattern = build_pattern(settings)
    data = build_data(settings, pattern)
    return pattern, build_module(settings, pattern.units), data


def build_module(settings: Settings, units: Units) -> VRNNModule:
    """Build the model with its w schedule, bound and forecast. The weights are drawn from the global generators.

    Args:
        settings: The run's.
        units: Those of its data.

    Raises:
        ConfigError: Settings that a part refuses, or parts that contradict each other.
    """
    # In this order: each draws from the global generators.
    schedule = make_part(settings, "w_schedule")
    vrnn = build_vrnn(settings, units)
    bound = make_part(settings, "bound")
    with as_config_error():
        if settings["evaluation"]["particles"]:
            check_bound(vrnn)
        return VRNNModule(
            vrnn,
            schedule,
            steps=settings["training"]["steps"],
            log_every=settings["training"]["log_every"],
            seed=settings["seed"],
            bound=bound,
            forecast=make_forecast(settings, vrnn),
            optimizer=make_optimizer(settings),
            lr_schedule=make_part(settings, "lr_schedule"),
            windows=windows_per_step(settings),
            regularisation=make_part(settings, "regularisation"),
            **settings["optim"],
        ).to(precision(settings))


def build_data(settings: Settings, pattern: Pattern) -> TraceDataModule:
    """Build the data of a run; its traces are drawn when they are asked for.

    Raises:
        ConfigError: Settings that it refuses.
    """
    with as_config_error():
        batches = settings["training"]["steps"] * windows_per_step(settings)
        return TraceDataModule(pattern, batches, settings["seed"], **settings["data"])


def validate_data(module: VRNNModule, data: TraceDataModule) -> None:
    """Draw the training traces and check them against the likelihood. If they have gaps, have the module fill them.

    Raises:
        ConfigError: The likelihood or the coordinates cannot describe these traces, or there are none; or several processes
            would train what is for one.
    """
    with as_config_error():
        traces = TraceSet(data.traces("train"))
        module.vrnn.likelihood.check(traces.x)
        if has_gaps(traces.mask):
            module.vrnn.coordinates.check_gaps()
            module.fill = True
        check_input_noise(module.regularisation, module.bound, module.fill)
    check_processes(module.bound, module.fill)
