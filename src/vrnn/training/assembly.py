"""From a configuration's settings to the objects of a run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import seed_everything

from vrnn.config import ConfigError, build, named_class
from vrnn.data.module import TraceDataModule
from vrnn.data.windows import TraceSet
from vrnn.engine.threads import set_threads
from vrnn.identity import digest
from vrnn.networks.particles import check_bound
from vrnn.networks.vrnn import VRNN
from vrnn.objective.distributions import has_gaps
from vrnn.patterns import Pattern
from vrnn.rundir import CONFIG, read_settings
from vrnn.training.module import VRNNModule

Settings = dict[str, Any]


def assemble(settings: Settings) -> tuple[Pattern, VRNNModule, TraceDataModule]:
    """Build the pattern, the model and the data; the weights are a function of the seed."""
    seed_everything(settings["seed"], verbose=False)
    torch.set_num_threads(1)  # its threads spin: beside a busy core they cost more than they give
    set_threads(settings["threads"])
    dataset = dict(settings["dataset"])
    known = dataset.pop("digest", None)
    if known not in (None, digest(dataset)):
        given = ", ".join(map(str, dataset.get("files") or [dataset.get("directory")]))
        raise ConfigError(f"{given}: not there any more, or not as when the run began.")
    pattern: Pattern = build(dataset, settings["allow"])
    with choices_that_fit():
        data = TraceDataModule(pattern, settings["training"]["steps"], settings["seed"], **settings["data"])
    schedule = build(settings["w_schedule"], settings["allow"])
    pace = {key: settings["training"][key] for key in ("steps", "log_every")}
    options = {"seed": settings["seed"], **pace, **settings["optim"]}
    vrnn, bound = build_vrnn(settings), build(settings["bound"], settings["allow"])
    with choices_that_fit():
        if settings["evaluation"]["particles"]:
            check_bound(vrnn)
        module = VRNNModule(vrnn, schedule, bound=bound, **options)
    return pattern, module, data


def introduce(module: VRNNModule, data: TraceDataModule) -> None:
    """Draw the training traces, see that the likelihood can be one of theirs, and have the module fill their gaps, if any.

    Raises:
        ConfigError: it cannot, or there is nothing to learn from.
    """
    with choices_that_fit():
        traces = TraceSet(data.traces("train"))
        module.vrnn.likelihood.check(traces.x)
        if has_gaps(traces.mask):
            module.vrnn.frame.check_gaps()
            module.fill = True


@contextmanager
def choices_that_fit() -> Iterator[None]:
    """Turn what parts say of each other, each good by itself, into an error of the configuration."""
    try:
        yield
    except ValueError as error:
        raise ConfigError(str(error)) from error


def build_vrnn(settings: Settings) -> VRNN:
    """Build the VRNN alone."""
    pattern = pattern_class(settings)
    parts = {name: build(settings[name], settings["allow"]) for name in ("recurrence", "latent", "frame", "likelihood")}
    prior = build(settings["prior"], settings["allow"])
    options = {"prior_network": prior, "engine": settings["engine"], **settings["model"]}
    with choices_that_fit():
        return VRNN(x_dim=pattern.x_dim, **parts, **options)


def pattern_class(settings: Settings) -> type[Pattern]:
    """Return the class of a run's pattern: it knows what its sequences are like without reading any data.

    Raises:
        ConfigError: the class lacks an attribute of `Pattern`.
    """
    found = named_class(settings["dataset"], settings["allow"])
    for name in ("x_dim", "form", "names"):
        if not hasattr(found, name):
            raise ConfigError(
                f"{settings['dataset']['_target_']} has no class attribute {name}: derive it from vrnn.patterns.Pattern, and "
                "state there what differs from x_dim = 2, form = 'plane' and names = ()."
            )
    return found


def stored_settings(directory: Path) -> Settings:
    """Read the settings of a run from its directory.

    Raises:
        ConfigError: the directory holds no run.
        DamagedError: its config.yaml cannot be read.
    """
    if not (directory / CONFIG).is_file():
        raise ConfigError(
            f"run={directory} is not a run's directory: it has no config.yaml. Runs lie in outputs/<task>/."
        )
    return read_settings(directory)
