"""The objects of a run, built from its settings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import seed_everything

from vrnn.data.datamodule import TraceDataModule
from vrnn.data.loader import TraceSet
from vrnn.engine.native.threads import set_threads
from vrnn.errors import ConfigError
from vrnn.model.particles import check_bound
from vrnn.model.vrnn import VRNN
from vrnn.objective.masking import has_gaps
from vrnn.patterns import Pattern
from vrnn.runs.config import check_stored
from vrnn.runs.directory import CONFIG, read_settings
from vrnn.runs.instantiate import instantiate, target_class
from vrnn.runs.name import digest
from vrnn.training.lightning_module import VRNNModule

Settings = dict[str, Any]

# The config groups that hold a part of the VRNN, and the argument each one becomes.
VRNN_ARGUMENTS = {
    "recurrence": "recurrence",
    "latent": "latent",
    "prior": "prior_network",
    "frame": "coordinates",
    "likelihood": "likelihood",
}


def build_run(settings: Settings) -> tuple[Pattern, VRNNModule, TraceDataModule]:
    """Build the pattern, the model and the data of a run. The weights depend only on the settings, `seed` included.

    Raises:
        ConfigError: Settings that a part refuses, parts that contradict each other, or files of data that have changed.
    """
    seed_everything(settings["seed"], verbose=False)
    torch.set_num_threads(1)  # torch's threads wait actively: beside a busy core they cost more than they gain
    set_threads(settings["threads"])
    pattern = build_pattern(settings)
    with as_config_error():
        data = TraceDataModule(pattern, settings["training"]["steps"], settings["seed"], **settings["data"])
    # In this order: each draws from the global generators.
    schedule = instantiate(settings["w_schedule"], settings["allow"])
    vrnn = build_vrnn(settings)
    bound = instantiate(settings["bound"], settings["allow"])
    with as_config_error():
        if settings["evaluation"]["particles"]:
            check_bound(vrnn)
        forecast = instantiate(settings["forecast"], settings["allow"])(vrnn.h_dim, vrnn.x_dim)
        module = VRNNModule(
            vrnn,
            schedule,
            steps=settings["training"]["steps"],
            log_every=settings["training"]["log_every"],
            seed=settings["seed"],
            bound=bound,
            forecast=forecast,
            **settings["optim"],
        )
    return pattern, module, data


def build_pattern(settings: Settings) -> Pattern:
    """Build the pattern alone.

    Raises:
        ConfigError: Settings that it refuses, or files that are not those that the run began with.
    """
    dataset = dict(settings["dataset"])
    stored_digest = dataset.pop("digest", None)
    if stored_digest not in (None, digest(dataset)):
        files = ", ".join(map(str, dataset.get("files") or [dataset.get("directory")]))
        raise ConfigError(
            f"{files} must be as when the run began, but changed or is missing: restore it, or start a new run."
        )
    pattern: Pattern = instantiate(dataset, settings["allow"])
    return pattern


def build_vrnn(settings: Settings) -> VRNN:
    """Build the VRNN alone.

    Raises:
        ConfigError: Settings that a part refuses, or parts that contradict each other.
    """
    x_dim = pattern_class(settings).x_dim
    parts = {argument: instantiate(settings[group], settings["allow"]) for group, argument in VRNN_ARGUMENTS.items()}
    with as_config_error():
        return VRNN(x_dim=x_dim, engine=settings["engine"], **parts, **settings["model"])


def validate_data(module: VRNNModule, data: TraceDataModule) -> None:
    """Draw the training traces and check them against the likelihood. If they have gaps, have the module fill them.

    Raises:
        ConfigError: The likelihood or the coordinates cannot describe these traces, or there are none.
    """
    with as_config_error():
        traces = TraceSet(data.traces("train"))
        module.vrnn.likelihood.check(traces.x)
        if has_gaps(traces.mask):
            module.vrnn.coordinates.check_gaps()
            module.fill = True


@contextmanager
def as_config_error() -> Iterator[None]:
    """Turn a ValueError, by which a part refuses its arguments or another part, into a ConfigError."""
    try:
        yield
    except ValueError as error:
        raise ConfigError(str(error)) from error


def pattern_class(settings: Settings) -> type[Pattern]:
    """Return the class of a run's pattern, whose attributes describe its sequences without any data.

    Raises:
        ConfigError: The class lacks an attribute of `Pattern`.
    """
    found = target_class(settings["dataset"], settings["allow"])
    for name in ("x_dim", "form", "names"):
        if not hasattr(found, name):
            raise ConfigError(
                f"{settings['dataset']['_target_']} has no class attribute {name}: derive it from vrnn.patterns.Pattern, and "
                "set there what differs from x_dim = 2, form = 'plane' and names = ()."
            )
    return found


def stored_settings(directory: Path, allow: Sequence[str] = ("vrnn",)) -> Settings:
    """Return the settings of the run in a directory.

    Args:
        directory: The run's.
        allow: The packages whose classes they may name. The list that the run stored is not used.

    Raises:
        ConfigError: The directory holds no run.
        DamagedError: Its config.yaml cannot be read, or does not hold a run's settings.
    """
    if not (directory / CONFIG).exists():
        raise ConfigError(
            f"run must be the directory of a run, but {directory} has no config.yaml: runs are in outputs/<task>/."
        )
    return check_stored(read_settings(directory), directory / CONFIG, list(allow))
