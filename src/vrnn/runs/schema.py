"""The typed schemas of all commands, and where the config groups are. Nothing here needs torch."""

from __future__ import annotations

import typing
from dataclasses import dataclass, field, is_dataclass
from pathlib import Path
from typing import Any

from hydra.core.config_store import ConfigStore
from omegaconf import MISSING, OmegaConf

import vrnn
from vrnn.runs.name import run_name
from vrnn.runs.types import in_words


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
