"""From a configuration's settings to the objects of a run."""

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


def build_run(settings: Settings) -> tuple[Pattern, VRNNModule, TraceDataModule]:
    """Build the pattern, the model and the data; the weights are a function of the seed."""
    seed_everything(settings["seed"], verbose=False)
    torch.set_num_threads(1)  # its threads spin: beside a busy core they cost more than they give
    set_threads(settings["threads"])
    dataset = dict(settings["dataset"])
    known = dataset.pop("digest", None)
    if known not in (None, digest(dataset)):
        given = ", ".join(map(str, dataset.get("files") or [dataset.get("directory")]))
        raise ConfigError(f"{given}: not there any more, or not as when the run began.")
    pattern: Pattern = instantiate(dataset, settings["allow"])
    with as_config_error():
        data = TraceDataModule(pattern, settings["training"]["steps"], settings["seed"], **settings["data"])
    schedule = instantiate(settings["w_schedule"], settings["allow"])
    pace = {key: settings["training"][key] for key in ("steps", "log_every")}
    options = {"seed": settings["seed"], **pace, **settings["optim"]}
    vrnn, bound = build_vrnn(settings), instantiate(settings["bound"], settings["allow"])
    with as_config_error():
        if settings["evaluation"]["particles"]:
            check_bound(vrnn)
        module = VRNNModule(vrnn, schedule, bound=bound, **options)
    return pattern, module, data


def validate_data(module: VRNNModule, data: TraceDataModule) -> None:
    """Draw the training traces, see that the likelihood can be one of theirs, and have the module fill their gaps, if any.

    Raises:
        ConfigError: it cannot, or there is nothing to learn from.
    """
    with as_config_error():
        traces = TraceSet(data.traces("train"))
        module.vrnn.likelihood.check(traces.x)
        if has_gaps(traces.mask):
            module.vrnn.coordinates.check_gaps()
            module.fill = True


@contextmanager
def as_config_error() -> Iterator[None]:
    """Turn what parts say of each other, each good by itself, into an error of the configuration."""
    try:
        yield
    except ValueError as error:
        raise ConfigError(str(error)) from error


def build_vrnn(settings: Settings) -> VRNN:
    """Build the VRNN alone."""
    pattern = pattern_class(settings)
    argument_of_group = {
        "recurrence": "recurrence",
        "latent": "latent",
        "prior": "prior_network",
        "frame": "coordinates",
        "likelihood": "likelihood",
    }
    parts = {argument: instantiate(settings[group], settings["allow"]) for group, argument in argument_of_group.items()}
    with as_config_error():
        return VRNN(x_dim=pattern.x_dim, engine=settings["engine"], **parts, **settings["model"])


def pattern_class(settings: Settings) -> type[Pattern]:
    """Return the class of a run's pattern: it knows what its sequences are like without reading any data.

    Raises:
        ConfigError: the class lacks an attribute of `Pattern`.
    """
    found = target_class(settings["dataset"], settings["allow"])
    for name in ("x_dim", "form", "names"):
        if not hasattr(found, name):
            raise ConfigError(
                f"{settings['dataset']['_target_']} has no class attribute {name}: derive it from vrnn.patterns.Pattern, and "
                "state there what differs from x_dim = 2, form = 'plane' and names = ()."
            )
    return found


def stored_settings(directory: Path, allow: Sequence[str] = ("vrnn",)) -> Settings:
    """Read the settings of a run from its directory.

    Args:
        directory: The run's.
        allow: The packages whose classes they may name; what the run itself allowed does not count.

    Raises:
        ConfigError: The directory holds no run.
        DamagedError: Its config.yaml cannot be read, or holds something else than a run's settings.
    """
    if not (directory / CONFIG).exists():
        raise ConfigError(
            f"run={directory} is not a run's directory: it has no config.yaml. Runs lie in outputs/<task>/."
        )
    return check_stored(read_settings(directory), directory / CONFIG, list(allow))
