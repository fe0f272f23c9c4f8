"""The largest sizes that a run may ask for: beyond them it would fill the memory or never end."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

from vrnn.errors import ConfigError
from vrnn.runs.name import flat

# {setting, or the end of one below any group: its largest value}
LARGEST = {
    "model.h_dim": 100_000,
    "model.z_dim": 10_000,
    "model.first_points": 10_000,
    "data.batch_size": 1_000_000,
    "data.window": 10_000_000,
    "evaluation.particles": 100_000,
    "training.steps": 10**9,
    "bound.particles": 10_000,
    "latent.variables": 1_000,
    "latent.classes": 10_000,
    "likelihood.components": 1_000,
    "likelihood.x_dim": 10_000,
    "likelihood.hidden": 10_000,
    "condition.dim": 10_000,
    "posterior.width": 5_000,
    "w_schedule.samples": 10_000,
    ".laps": 1_000,
    ".smooth_steps": 10_000,
}
MOST_WEIGHTS = 100_000_000  # 400 MB; training takes four times as much
MOST_POINTS = 100_000_000  # of all traces together
MOST_LAYERS = 100
WIDEST = 10_000  # layer of a network that a group adds
POINTS = (
    ("data.traces", "data.steps"),
    ("data.val_traces", "data.eval_steps"),
    ("data.test_traces", "data.eval_steps"),
    ("evaluation.traces", "evaluation.steps"),
)
MLPS = ("phi_x", "phi_z", "prior", "encoder", "decoder")


def check_limits(settings: Mapping[str, Any]) -> None:
    """Refuse sizes that no machine can serve.

    Args:
        settings: A run's, with the types of the schema.

    Raises:
        ConfigError: The message names the setting and its limit.
    """
    leaves = flat(settings)
    for key, value in leaves.items():
        limit = LARGEST.get(key) or LARGEST.get("." + key.rpartition(".")[2])
        if limit is not None and isinstance(value, int | float) and value > limit:
            raise ConfigError(f"{key} must be at most {limit}, but is {value:.6g}.")
    added = {group: settings[group].get("hidden") for group in ("forecast", "condition")}
    layers = {group: widths for group, widths in added.items() if isinstance(widths, list)}
    for group, widths in layers.items():
        if (widest := max(widths, default=0)) > WIDEST:
            raise ConfigError(f"{group}.hidden must be at most {WIDEST} in each layer, but has {widest}.")
    for traces, steps in POINTS:
        check_points(f"{traces} * {steps}", leaves[traces], leaves[steps])
    for name in MLPS:
        if len(settings["model"][name]) > MOST_LAYERS:
            raise ConfigError(
                f"model.{name} must have at most {MOST_LAYERS} layers, but has {len(settings['model'][name])}."
            )
    weights = sum(_weights(settings["model"])) + sum(a * b for own in layers.values() for a, b in pairwise(own))
    if weights > MOST_WEIGHTS:
        raise ConfigError(
            f"model must have at most {MOST_WEIGHTS:,} weights, but these sizes make {weights:,}: lower model.h_dim or the "
            "widths of the layers."
        )


def check_points(what: str, traces: int, steps: int) -> None:
    """Refuse more points than fit the memory.

    Args:
        what: The settings' names, for the message.
        traces: How many traces.
        steps: Points in each.

    Raises:
        ConfigError: There are too many.
    """
    if traces * steps > MOST_POINTS:
        raise ConfigError(
            f"{what} must be at most {MOST_POINTS:,} points, but is {traces * steps:,}: lower one of them."
        )


def _weights(model: Mapping[str, Any]) -> Iterator[int]:
    """Yield the numbers of weights of the six networks, roughly: the widths of data and heads are left out."""
    h, z, phi_x, phi_z = model["h_dim"], model["z_dim"], model["phi_x"][-1], model["phi_z"][-1]
    begins = {"phi_x": 1, "phi_z": z, "prior": h, "encoder": h + phi_x, "decoder": h + phi_z}
    for name, begin in begins.items():
        yield from (a * b for a, b in pairwise([begin, *model[name]]))
    yield 4 * h * (h + phi_x + phi_z)
