"""What a configuration is: its typed schema, and the ranges of its values. Nothing here needs torch."""

from __future__ import annotations

import math
import os
import re
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import MISSING, DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

import vrnn
from vrnn.errors import ConfigError, DamagedError
from vrnn.runs.instantiate import check_plain
from vrnn.runs.legacy import upgrade_settings
from vrnn.runs.limits import check_limits
from vrnn.runs.name import digest, flat, run_name
from vrnn.runs.types import in_words
from vrnn.training.time_limit import seconds_of

# What a model is conditioned on. By name: to import the classes takes seconds, and files are checked before that.
CONDITIONS = {"vrnn.networks.LabelCondition": "label", "vrnn.networks.SeriesCondition": "series"}


@dataclass
class ModelConfig:
    """Sizes of the six networks; see vrnn.networks.VRNN."""

    h_dim: int = MISSING
    z_dim: int = MISSING
    phi_x: list[int] = MISSING
    phi_z: list[int] = MISSING
    prior: list[int] = MISSING
    encoder: list[int] = MISSING
    decoder: list[int] = MISSING
    activation: str = "relu"
    std: str = "softplus"
    std_floor: float = 1e-4
    x_to_h: bool = True
    h_to_x: bool = True
    first_points: int = 0


@dataclass
class GapsConfig:
    """Which share of the points is hidden from the model, in stretches of how many steps; see vrnn.data.gaps."""

    share: float = 0.0
    length: int = 10


@dataclass
class DataConfig:
    """How many traces, and how they are served; see vrnn.data.TraceDataModule."""

    traces: int = 256
    steps: int = 2048
    min_steps: int | None = None
    window: int | None = 64
    batch_size: int = 32
    val_traces: int = 16
    test_traces: int = 64
    eval_steps: int = 1024
    gaps: GapsConfig = field(default_factory=GapsConfig)


@dataclass
class OptimConfig:
    """The learning rate, its warm-up, the smallest share of its peak, and clipping; see vrnn.training.lightning_module."""

    learning_rate: float = 1e-2
    warmup_steps: int = 200
    final_fraction: float = 0.02
    clip: float | None = 1.0


@dataclass
class TrainingConfig:
    """How long, and how often to validate, save and look (in optimiser steps)."""

    steps: int = 2000
    log_every: int = 25
    val_every: int = 250
    checkpoint_every: int = 100
    figure_every: int = 500


@dataclass
class EvaluationConfig:
    """How the finished model is measured; see vrnn.evaluation. checkpoint: last or best.

    sample: whether generated points are drawn from the decoder; false feeds back its means (z is drawn all the same).
    particles: how many the bounds IWAE and FIVO take; None: leave these out.
    thorough: whether to score what takes some seconds more, too: see `thorough` in vrnn.runs.evaluate.
    """

    traces: int = 128
    steps: int = 2048
    sample: bool = True
    checkpoint: str = "last"
    particles: int | None = None
    thorough: bool = False


@dataclass
class TrainConfig:
    """One run. The groups typed Any name a class (`_target_`) and its arguments: a new one needs no change here."""

    seed: int = 0
    fresh: bool = False
    sweep: str | None = None
    name: str | None = None
    start_from: str | None = None
    freeze: list[str] = field(default_factory=list)
    threads: int = 1
    engine: str = "auto"
    allow: list[str] = field(default_factory=lambda: ["vrnn"])
    model: ModelConfig = field(default_factory=ModelConfig)
    recurrence: Any = MISSING
    latent: Any = MISSING
    prior: Any = MISSING
    frame: Any = MISSING
    likelihood: Any = MISSING
    w_schedule: Any = MISSING
    bound: Any = MISSING
    condition: Any = MISSING
    forecast: Any = MISSING
    posterior: Any = MISSING
    optimizer: Any = MISSING
    lr_schedule: Any = MISSING
    callbacks: dict[str, Any] = field(default_factory=dict)
    regularisation: Any = MISSING
    dataset: Any = MISSING
    data: DataConfig = field(default_factory=DataConfig)
    optim: OptimConfig = field(default_factory=OptimConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)
    evaluation: EvaluationConfig = field(default_factory=EvaluationConfig)
    trainer: dict[str, Any] = field(default_factory=dict)
    logger: dict[str, Any] = field(default_factory=dict)


@dataclass
class EvaluateConfig:
    """`vrnn evaluate`: a run's directory, and what to change about its evaluation."""

    run: str = MISSING
    traces: int | None = None
    steps: int | None = None
    sample: bool | None = None
    checkpoint: str | None = None
    seed: int | None = None
    particles: int | None = None
    thorough: bool | None = None
    format: str = "png"
    allow: list[str] = field(default_factory=lambda: ["vrnn"])


@dataclass
class GenerateConfig:
    """`vrnn generate`: a run's directory, how many traces of how many steps, after what, and in which form."""

    run: str = MISSING
    n: int = 8
    steps: int | None = None
    label: str | None = None
    prefix: str | None = None
    format: str | None = None
    out: str | None = None
    sample: bool = True
    temperature: float = 1.0
    z_temperature: float = 1.0
    checkpoint: str = "last"
    seed: int = 0
    allow: list[str] = field(default_factory=lambda: ["vrnn"])


@dataclass
class ImputeConfig:
    """`vrnn impute`: a run's directory, a drawing, which of its points to fill, how often and how well, in which form."""

    run: str = MISSING
    drawing: str = MISSING
    gap: list[int] = MISSING
    n: int = 7
    particles: int = 64
    format: str | None = None
    label: str | None = None
    out: str | None = None
    checkpoint: str = "last"
    seed: int = 0
    allow: list[str] = field(default_factory=lambda: ["vrnn"])


@dataclass
class ScoreConfig:
    """`vrnn score`: a run's directory, files of own sequences, how exactly to score them, where to write."""

    run: str = MISSING
    files: list[str] = MISSING
    particles: int = 64
    label: str | None = None
    out: str | None = None
    checkpoint: str = "last"
    seed: int = 0
    allow: list[str] = field(default_factory=lambda: ["vrnn"])


@dataclass
class RunsConfig:
    """`vrnn runs`: a directory of runs, which of them, and what to do with these."""

    directory: str = "outputs"
    where: str | None = None
    note: str | None = None
    tag: str | None = None
    remove: bool = False
    yes: bool = False


@dataclass
class CompareConfig:
    """`vrnn compare`: a directory of runs, the score to sort by, where to write, how many traces to show."""

    runs: str = MISSING
    sort: str = "elbo_nats_per_step"
    out: str | None = None
    traces: int = 24


@dataclass
class ReportConfig:
    """`vrnn report`: a run or a directory of runs, where to write; of many, the score to sort by and how many traces."""

    run: str | None = None
    runs: str | None = None
    out: str | None = None
    sort: str = "elbo_nats_per_step"
    traces: int = 24


@dataclass
class DrawConfig:
    """`vrnn draw`: where the drawings are, a run that was trained elsewhere, the address of the page."""

    directory: str = "outputs/drawings"
    run: str | None = None
    host: str = "127.0.0.1"
    port: int = 8642
    allow: list[str] = field(default_factory=lambda: ["vrnn"])


@dataclass
class SearchConfig:
    """`vrnn search`: a study, its space, and how many trials; see vrnn.runs.search."""

    sweep: str = MISSING
    trials: int = 20
    score: str = "val_elbo_nats_per_step"
    prune: bool = True
    storage: str | None = None
    root: str = "outputs"
    seed: int = 0
    on_dataset: str | None = None
    base: list[str] = field(default_factory=list)
    space: dict[str, Any] = field(default_factory=dict)


SCHEMAS: dict[str, type] = {
    "train": TrainConfig,
    "evaluate": EvaluateConfig,
    "generate": GenerateConfig,
    "impute": ImputeConfig,
    "score": ScoreConfig,
    "runs": RunsConfig,
    "compare": CompareConfig,
    "report": ReportConfig,
    "draw": DrawConfig,
    "search": SearchConfig,
}
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


def conf_directory() -> Path:
    """Return the directory of the config groups: vrnn/conf in an installed package, conf/ in a clone."""
    package = Path(vrnn.__file__).parent
    installed = package / "conf"
    return installed if installed.is_dir() else package.parents[1] / "conf"


def register() -> None:
    """Register the schemas and the resolvers with Hydra; call it before `hydra.main` or `compose`."""
    store = ConfigStore.instance()
    for command, schema in SCHEMAS.items():
        store.store(name="schema" if command == "train" else f"{command}_schema", node=schema)
    OmegaConf.register_new_resolver("run_name", run_name, replace=True)
    OmegaConf.register_new_resolver("percent", lambda share, of: round(share * of / 100), replace=True)


def expected_type(schema: type, key: str) -> str:
    """Return in words which type a schema expects of a dotted key."""
    expected: Any = schema
    for part in key.split("."):
        expected = typing.get_type_hints(expected).get(part, Any) if is_dataclass(expected) else Any
    return in_words(expected)


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
