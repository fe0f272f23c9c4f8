"""Weights to begin with: those of another run, a bias from the data; and networks that are not trained."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import cast

import torch
from torch import nn

from vrnn.data.datamodule import TraceDataModule
from vrnn.errors import ConfigError
from vrnn.model.vrnn import VRNN
from vrnn.runs.directory import CHECKPOINTS, CONFIG, settings_digest
from vrnn.runs.pattern import Settings, as_config_error
from vrnn.training.checkpoint_files import BEST, LAST, PREVIOUS, load_checkpoint

logger = logging.getLogger(__name__)

PREFIX = "vrnn."  # of the model's weights in a checkpoint


def start_bias(vrnn: VRNN, data: TraceDataModule) -> None:
    """Set the bias of the decoder's last layer to what the likelihood finds in the training data, if it looks there.

    Raises:
        ConfigError: There are no training traces.
    """
    with as_config_error():
        traces = data.traces("train")
    bias = vrnn.likelihood.start_bias(torch.cat([torch.as_tensor(trace.points[trace.observed]) for trace in traces]))
    if bias is not None:
        with torch.no_grad():
            cast(nn.Linear, vrnn.decoder[-1]).bias.copy_(bias)


def start_weights(vrnn: VRNN, settings: Settings, directory: Path, fresh: bool = False) -> None:
    """Load another run's last weights, where `start_from` names one, and freeze the networks that `freeze` names.

    A run with a checkpoint of its own continues from that, and no longer needs the other.

    Args:
        vrnn: The model.
        settings: The run's.
        directory: The run's.
        fresh: Whether the checkpoints that are there will be discarded.

    Raises:
        ConfigError: There is no such run, or its layers are others; the message names them.
        FileNotFoundError: It has no checkpoint yet.
        DamagedError: Its settings or its checkpoint cannot be read.
    """
    for name in settings["freeze"]:
        getattr(vrnn, name).requires_grad_(False)
    begun = any((directory / CHECKPOINTS / name).exists() for name in (LAST, PREVIOUS, BEST))
    if settings["start_from"] is None or (begun and not fresh):
        return
    source = Path(settings["start_from"])
    if not (source / CONFIG).is_file():
        raise ConfigError(
            f"start_from must be a run's directory, outputs/<task>/<run>, but {source} has no config.yaml."
        )
    checkpoint = load_checkpoint(source / CHECKPOINTS / LAST, settings_digest(source))
    weights = {
        name.removeprefix(PREFIX): weight
        for name, weight in checkpoint["state_dict"].items()
        if name.startswith(PREFIX)
    }
    own = vrnn.state_dict()
    differ = [
        f"{name} ({_shape(weights, name)} there, {_shape(own, name)} here)"
        for name in sorted(weights.keys() | own.keys())
        if _shape(weights, name) != _shape(own, name)
    ]
    if differ:
        more = f" and {len(differ) - 3} more" if len(differ) > 3 else ""
        raise ConfigError(
            f"start_from must be a run of the same layers, but {source} has others: {', '.join(differ[:3])}{more}. Give this "
            "run the same model, recurrence, latent, prior, frame and likelihood."
        )
    vrnn.load_state_dict(weights)
    logger.info("The weights start from %s at step %d.", source, checkpoint["global_step"])


def _shape(weights: dict[str, object], name: str) -> str:
    return "x".join(map(str, getattr(weights[name], "shape", ()))) or "a number" if name in weights else "none"
