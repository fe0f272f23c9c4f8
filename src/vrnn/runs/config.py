"""Which values a run's settings may have, of a new run and of a stored one. Nothing here needs torch."""

from __future__ import annotations

import math
import os
import re
import typing
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from vrnn.errors import ConfigError, DamagedError
from vrnn.runs.instantiate import check_plain
from vrnn.runs.legacy import upgrade_settings
from vrnn.runs.limits import check_limits
from vrnn.runs.name import digest, flat
from vrnn.runs.schema import OptimConfig, TrainConfig
from vrnn.training.time_limit import seconds_of

# What a model is conditioned on. By name: to import the classes takes seconds, and files are checked before that.
CONDITIONS = {"vrnn.networks.LabelCondition": "label", "vrnn.networks.SeriesCondition": "series"}

MINIMA = {
    "threads": 1,
    "model.z_dim": 1,
    "model.first_points": 0,
    "data.traces": 1,
    "data.steps": 2,
    "data.min_steps": 1,
    "data.gaps.length": 1,
    "data.window": 1,
    "data.batch_size": 1,
    "data.val_traces": 1,
    "data.test_traces": 1,
    "data.eval_steps": 2,
    "optim.warmup_steps": 0,
    "training.steps": 1,
    "training.log_every": 1,
    "training.val_every": 1,
    "training.checkpoint_every": 1,
    "training.figure_every": 1,
    "evaluation.traces": 1,
    "evaluation.steps": 2,
    "evaluation.particles": 1,
    "seed": 0,
}
GROUPS = (
    "recurrence",
    "latent",
    "prior",
    "frame",
    "likelihood",
    "w_schedule",
    "bound",
    "condition",
    "forecast",
    "posterior",
    "optimizer",
    "lr_schedule",
    "regularisation",
    "dataset",
)  # each names a class
SEVERAL = ("callbacks", "logger")  # each holds any number of settings that name a class
# Recipes with two threads run everywhere: the number of threads is part of what a run computes, by rounding.
MOST_THREADS = max(2, os.cpu_count() or 1)
# Options of Lightning's Trainer that a run honours exactly.
TRAINER_OPTIONS = (
    "accelerator",
    "accumulate_grad_batches",
    "benchmark",
    "detect_anomaly",
    "deterministic",
    "devices",
    "gradient_clip_algorithm",
    "max_time",
    "num_nodes",
    "precision",
    "profiler",
    "strategy",
    "use_distributed_sampler",
)
MOST_WINDOWS = 10_000  # per optimiser step
ACCELERATORS = ("cpu", "gpu", "cuda", "mps", "auto")
PRECISIONS = ("32-true", "64-true", "32", "64")
WIDTHS = ("phi_x", "phi_z", "prior", "encoder", "decoder")
NETWORKS = (*WIDTHS, "recurrence")
MOST_SEED = 2**32 - 1  # numpy's


def check_keys(settings: Mapping[str, Any], schema: type, prefix: str = "") -> None:
    """Raise ConfigError for a key that the schema does not have, and for one that is missing."""
    hints = typing.get_type_hints(schema)
    names = [entry.name for entry in fields(schema)]
    for key in settings:
        if key not in names:
            raise ConfigError(f"{prefix}{key} is not a setting: {_nearest(str(key), names, prefix)}")
    for name in names:
        if name not in settings:
            raise ConfigError(f"{prefix}{name} must be given, as in {prefix}{name}=….")
        if is_dataclass(hints[name]):
            check_keys(settings[name], hints[name], f"{prefix}{name}.")


def _nearest(key: str, names: list[str], prefix: str) -> str:
    if found := get_close_matches(key, names, n=2, cutoff=0.6):
        return f"did you mean {' or '.join(prefix + name for name in found)}?"
    return f"{prefix.rstrip('.') or 'a configuration'} has {', '.join(names)}."


def check(config: DictConfig) -> dict[str, Any]:
    """Resolve a run's configuration to plain containers, its keys and ranges checked.

    Raises:
        ConfigError: A key is missing or unknown, or a value is out of its range.
    """
    try:
        if missing := sorted(OmegaConf.missing_keys(config)):
            raise ConfigError(f"{' and '.join(missing)} must be given, as in {missing[0]}=…")
        for group in GROUPS:
            if "_target_" not in (config[group] if isinstance(config[group], DictConfig) else ()):
                raise ConfigError(f"{group} must name a class by _target_, but is {config[group]}.")
        for group in SEVERAL:
            for name, node in config[group].items():
                if "_target_" not in (node if isinstance(node, DictConfig) else ()):
                    raise ConfigError(f"{group}.{name} must name a class by _target_, but is {node}.")
        resolved = OmegaConf.to_container(config, resolve=True)
    except OmegaConfBaseException as error:
        raise ConfigError(f"{error.full_key or 'a setting'}: {str(error).splitlines()[0]}.") from error
    assert isinstance(resolved, dict)
    settings = {str(key): value for key, value in resolved.items()}
    check_keys(settings, TrainConfig)
    leaves = flat(settings)
    for key, value in leaves.items():
        if isinstance(value, float) and not math.isfinite(value):
            raise ConfigError(f"{key} must be a finite number, but is {value}.")
    for key, least in MINIMA.items():
        _check_least(key, leaves[key], least)
    _check_model(settings)
    _check_freeze(settings["freeze"])
    _check_data(settings["data"])
    _check_optim(settings["optim"])
    _check_trainer_options(settings["trainer"])
    if settings["seed"] > MOST_SEED:
        raise ConfigError(f"seed must be at most {MOST_SEED}, but is {settings['seed']}.")
    check_sweep(settings["sweep"])
    check_sweep(settings["name"], "name")
    check_choice("engine", settings["engine"], ("auto", "reference", "native"))
    check_choice("evaluation.checkpoint", settings["evaluation"]["checkpoint"], ("last", "best"))
    check_plain(settings)
    check_limits(settings)
    return settings


def check_effects(settings: Mapping[str, Any]) -> None:
    """Refuse settings of a new run that would have no effect. Runs on disk that have such settings still load.

    Args:
        settings: As `check` returns them.

    Raises:
        ConfigError: A setting without effect; the message says what to set instead.
    """
    data, trainer, dropout = settings["data"], settings["trainer"], settings["regularisation"].get("dropout")
    for key, most in (("window", "steps"), ("batch_size", "traces")):
        if data[key] is not None and data[key] > data[most]:
            raise ConfigError(f"data.{key} must be at most data.{most} = {data[most]}, but is {data[key]}.")
    if settings["threads"] > MOST_THREADS:
        raise ConfigError(
            f"threads must be at most {MOST_THREADS} on this machine, but is {settings['threads']}: use threads=1."
        )
    if str(trainer.get("precision", "32-true")) not in PRECISIONS:
        raise ConfigError(
            f"trainer.precision must be 32-true or 64-true, but is {trainer['precision']}: the engines compute in no other."
        )
    accelerator, devices = trainer.get("accelerator", "cpu"), trainer.get("devices", 1)
    check_choice("trainer.accelerator", accelerator, ACCELERATORS)
    if not isinstance(devices, int) or isinstance(devices, bool) or devices < 1:
        raise ConfigError(f"trainer.devices must be a number of devices, at least 1, but is {devices!r}.")
    if devices > 1 and "ddp" not in str(trainer.get("strategy")):
        raise ConfigError(f"trainer.devices must be 1 without trainer=ddp, but is {devices}: add trainer=ddp.")
    _check_lr_schedule(settings)
    if "gradient_clip_algorithm" in trainer and settings["optim"]["clip"] is None:
        raise ConfigError("trainer.gradient_clip_algorithm needs a limit, but optim.clip is null: set optim.clip.")
    _check_early_stopping(settings)
    if dropout and settings["engine"] == "native":
        raise ConfigError(
            f"engine must be auto or reference with regularisation.dropout={dropout}, but is native: use engine=auto."
        )
    if _target(settings["latent"]).endswith(".NoLatent") and not _target(settings["bound"]).endswith(".ELBO"):
        raise ConfigError("bound must be elbo where there is no latent variable to sample: use bound=elbo.")


def _check_least(key: str, value: float | None, least: float) -> None:
    if value is not None and value < least:
        raise ConfigError(f"{key} must be at least {least}, but is {value}.")


def _check_model(settings: Mapping[str, Any]) -> None:
    model, recurrence = settings["model"], settings["recurrence"]
    for name in WIDTHS:
        if not model[name] or min(model[name]) < 1:
            raise ConfigError(
                f"model.{name} must be the widths of one layer or more, as in [64], but is {model[name]}."
            )
    _check_least("model.h_dim", model["h_dim"], 0 if _target(recurrence).endswith(".NoRecurrence") else 1)
    if model["std"] not in ("softplus", "sigmoid"):
        raise ConfigError(f"model.std must be softplus or sigmoid, but is {model['std']!r}.")
    if model["std_floor"] <= 0:
        raise ConfigError(f"model.std_floor must be positive, but is {model['std_floor']}.")


def _check_freeze(freeze: list[str]) -> None:
    for name in freeze:
        check_choice("each of freeze", name, NETWORKS)
    if {*freeze} == {*NETWORKS}:
        raise ConfigError("freeze must leave one of the six networks to train, but names all: leave one out.")


def _check_data(data: Mapping[str, Any]) -> None:
    if data["min_steps"] is not None and data["min_steps"] > data["steps"]:
        raise ConfigError(f"data.min_steps must be at most data.steps = {data['steps']}, but is {data['min_steps']}.")
    if not 0 <= data["gaps"]["share"] < 1:
        raise ConfigError(
            f"data.gaps.share must be in [0, 1), so that some points are left, but is {data['gaps']['share']}."
        )


def _check_optim(optim: Mapping[str, Any]) -> None:
    for key in ("learning_rate", "clip"):
        if optim[key] is not None and optim[key] <= 0:
            raise ConfigError(f"optim.{key} must be positive, but is {optim[key]}.")
    if not 0 <= optim["final_fraction"] <= 1:
        raise ConfigError(f"optim.final_fraction must be in [0, 1], but is {optim['final_fraction']}.")


def _check_lr_schedule(settings: Mapping[str, Any]) -> None:
    """Refuse what has no effect with a schedule of the learning rate."""
    schedule, optim, training = settings["lr_schedule"], settings["optim"], settings["training"]
    own = OptimConfig()
    if _target(schedule).endswith(".Constant") and optim["final_fraction"] not in (own.final_fraction, 1.0):
        raise ConfigError(
            f"optim.final_fraction must be left out with lr_schedule=constant, but is {optim['final_fraction']}: choose "
            "lr_schedule=cosine, one_cycle or plateau."
        )
    validations = training["steps"] // training["val_every"]
    if _target(schedule).endswith(".Plateau") and validations <= schedule.get("patience", 0) + 1:
        raise ConfigError(
            f"lr_schedule=plateau must see more than lr_schedule.patience + 1 = {schedule.get('patience', 0) + 1} validations "
            f"to lower the rate, but there are {validations}: lower training.val_every."
        )


def _check_early_stopping(settings: Mapping[str, Any]) -> None:
    """Refuse an early stop for which there are too few validations."""
    validations = settings["training"]["steps"] // settings["training"]["val_every"]
    for name, node in settings["callbacks"].items():
        patience = node.get("patience", 1)
        if _target(node).endswith(".EarlyStopping") and isinstance(patience, int) and validations <= patience + 1:
            raise ConfigError(
                f"callbacks.{name} must see more than patience + 1 = {patience + 1} validations to end the training early, but "
                f"there are {validations}: lower training.val_every."
            )


def _check_trainer_options(trainer: Mapping[str, Any]) -> None:
    if unknown := sorted(trainer.keys() - set(TRAINER_OPTIONS)):
        raise ConfigError(
            f"trainer.{unknown[0]} is not a setting: trainer has {', '.join(TRAINER_OPTIONS)}; how long a run trains, when "
            "it validates and what it keeps is set by training, data and optim."
        )
    windows = trainer.get("accumulate_grad_batches", 1)
    if not isinstance(windows, int) or isinstance(windows, bool) or not 1 <= windows <= MOST_WINDOWS:
        raise ConfigError(
            f"trainer.accumulate_grad_batches must be an integer in [1, {MOST_WINDOWS}], but is {windows!r}: it is how many "
            "windows an optimiser step takes."
        )
    if windows > 1 and "ddp" in str(trainer.get("strategy")):
        raise ConfigError(
            f"trainer.accumulate_grad_batches must be 1 with trainer=ddp, but is {windows}: raise data.batch_size instead."
        )
    if "gradient_clip_algorithm" in trainer:
        check_choice("trainer.gradient_clip_algorithm", trainer["gradient_clip_algorithm"], ("norm", "value"))
    if trainer.get("max_time") is not None:
        seconds_of(trainer["max_time"])


def _target(node: Any) -> str:
    return str(node.get("_target_", "")) if isinstance(node, Mapping) else ""


NOT_STORED = ("fresh", "sweep", "name", "allow", "logger")  # settings of a request, not of a run


def check_stored(settings: dict[str, Any], path: Path, allow: list[str]) -> dict[str, Any]:
    """Return a run's stored settings, checked as those of a new run are. They are plain data: nothing is resolved.

    Args:
        settings: As `read_settings` returns them.
        path: The file they come from, for the message.
        allow: The packages that the command line allows.

    Raises:
        DamagedError: A setting is missing, unknown, of another type or out of its range; the message names it.
    """
    schema: Any = OmegaConf.structured(TrainConfig)
    try:
        check_plain(settings)
        if missing := _missing(OmegaConf.to_container(schema), settings):
            raise ConfigError(f"{missing[0]} must be there, but is missing.")
        checked = check(OmegaConf.merge(schema, settings, {"allow": allow}))  # type: ignore[arg-type]
    except (ConfigError, OmegaConfBaseException, TypeError, ValueError) as error:
        key = getattr(error, "full_key", None)
        said = f"{key}: {getattr(error, 'msg', error)}" if key else str(error)
        raise DamagedError(
            f"{path} does not hold a run's settings: {said.splitlines()[0]} Restore it, or start the run over with fresh=true."
        ) from error
    return {key: value for key, value in checked.items() if key == "allow" or key not in NOT_STORED}


def _missing(schema: Any, settings: Any, prefix: str = "") -> list[str]:
    """Return the keys of a schema that settings lack."""
    found = []
    for key, value in schema.items():
        if key not in settings:
            found += [] if prefix + key in NOT_STORED else [prefix + key]
        elif isinstance(value, dict) and value:
            found += _missing(value, settings[key] if isinstance(settings[key], dict) else {}, f"{prefix}{key}.")
    return found


def check_allow(config: DictConfig, overrides: Sequence[str]) -> None:
    """Refuse a list of allowed packages that comes from a file: whoever runs a command says whom they trust.

    Args:
        config: A composed configuration.
        overrides: Those of the command line.

    Raises:
        ConfigError: `allow` differs from ["vrnn"] and from what the command line asks.
    """
    parsed = [o for o in OverridesParser.create().parse_overrides(list(overrides)) if o.key_or_group == "allow"]
    given = parsed[-1].value() if parsed else ["vrnn"]
    if list(config.allow) != given:
        raise ConfigError(
            f"allow must be given on the command line, but a file sets it to {list(config.allow)}: if you trust these "
            f"packages, add allow=[{','.join(map(str, config.allow))}]."
        )


def check_sweep(name: str | None, key: str = "sweep") -> None:
    """Raise ConfigError if a sweep's name, or a run's, is none for a directory under outputs/."""
    if name is not None and not re.fullmatch(r"\w[\w.-]{0,99}", name):
        shown = name if len(name) < 40 else f"{name[:30]}… of {len(name)} characters"
        raise ConfigError(f"{key} must be a directory's name of at most 100 letters, digits and _.-, but is {shown!r}.")


def run_settings(config: DictConfig, overrides: Sequence[str] = ()) -> tuple[dict[str, Any], bool]:
    """Return the settings a run is known by, checked (see `check`), and whether it is to start over.

    Args:
        config: A composed configuration.
        overrides: Those of the command line, which alone may allow packages.
    """
    check_allow(config, overrides)
    settings = upgrade_settings(check(config))
    check_effects(settings)
    for key in ("sweep", "name"):  # where the run lies, not what it is
        del settings[key]
    if found := digest(settings["dataset"]):
        settings["dataset"]["digest"] = found
    return settings, settings.pop("fresh")


def check_choice(key: str, value: str, choices: tuple[str, ...]) -> None:
    """Raise ConfigError if a value is none of its choices."""
    if value not in choices:
        raise ConfigError(f"{key} must be one of {', '.join(choices)}, but is {value!r}.")
