"""One run from config to scores, read top to bottom."""

from __future__ import annotations

import logging
import os
import shutil
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from lightning_fabric.plugins.environments.cluster_environment import ClusterEnvironment
from lightning_fabric.plugins.environments.lightning import LightningEnvironment
from lightning_fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from lightning_fabric.utilities.exceptions import MisconfigurationException
from lightning_fabric.utilities.rank_zero import rank_zero_only
from matplotlib.figure import Figure
from omegaconf import DictConfig
from pytorch_lightning import Callback, Trainer
from pytorch_lightning.loggers import TensorBoardLogger

from vrnn.config import ConfigError, request
from vrnn.data.module import TraceDataModule
from vrnn.data.windows import TraceSet
from vrnn.identity import differences, flat
from vrnn.pictures import PICTURES
from vrnn.processes import leads, meet, part, started, together
from vrnn.rundir import CONFIG, DONE, SAMPLE, SCORES, holding, read_settings, recording_failure, write_atomically
from vrnn.training.assembly import assemble, introduce
from vrnn.training.board import project
from vrnn.training.callbacks import Figures, HyperParameters, ProgressBar, Scalars
from vrnn.training.checkpoints import LAST, AtomicCheckpointIO, RunCheckpoints, load, load_weights
from vrnn.training.interruption import Interruption
from vrnn.training.measure import measure
from vrnn.training.module import VRNNModule
from vrnn.training.outcome import finished
from vrnn.training.report import SCALARS, save_figures, scalar_scores, write_scores

# Lightning 2.6 asks torch's pytree a question that torch 2.13 answers with a deprecation warning.
warnings.filterwarnings("ignore", message=".*LeafSpec.*", category=FutureWarning)
logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)  # its hints and tips are not about this run

TRAINER = (  # options that say where and how exactly to compute; not what a step is, nor how long or what to train
    "accelerator",
    "benchmark",
    "detect_anomaly",
    "deterministic",
    "devices",
    "num_nodes",
    "precision",
    "profiler",
    "strategy",
    "use_distributed_sampler",
)
STARTED_BY = ".started_by"  # file in a run's directory: the job of a cluster that began it

Tree = dict[str, Any]


def run(
    config: DictConfig, directory: Path, asked: Sequence[str] = (), bar: bool = True, more: Sequence[Callback] = ()
) -> Tree:
    """Train, evaluate and score one configuration in `directory`; go on where an earlier call was interrupted.

    Returns the scores. A finished run is not run again. asked: the command line's overrides, TensorBoard's first columns.
    bar: show a progress bar. more: callbacks of the caller's own. Of several processes that torchrun started the first does all
    this; the others help it train, and return nothing.

    Raises:
        ConfigError: the configuration cannot be run, or the directory holds a run of another one.
        BusyError: another process is at work in this directory.
        DamagedError: the checkpoint to go on from cannot be read.
        NonFiniteError: the loss or a gradient became NaN or infinite.
    """
    check_trainer(config)
    if started() == 1:
        # Lightning took the word of whatever cluster this is; but each of srun's processes makes runs of its own.
        rank_zero_only.rank = 0  # type: ignore[attr-defined]
    if not leads():
        return help_train(config, directory)
    with holding(directory), recording_failure(directory), Interruption() as interruption, together():
        scores = finished(config, directory)
        if scores is not None:
            meet()
            return scores
        settings, fresh = request(config)
        pattern, module, data = assemble(settings)
        introduce(module, data)
        claim(directory, settings, fresh)
        meet()
        callbacks: list[Callback] = [HyperParameters(columns(asked, settings), list(SCALARS)), *more]
        callbacks += [ProgressBar(refresh_rate=settings["training"]["log_every"])] if bar else []
        board = train(settings, directory, module, data, interruption, callbacks)
        part()
        load_weights(module, directory / "checkpoints" / f"{settings['evaluation']['checkpoint']}.ckpt")
        scores, figures, sample = measure(module.vrnn, pattern, data, settings["evaluation"], settings["seed"])
        np.save(directory / SAMPLE, sample.astype(np.float32))
        project(module.vrnn, pattern, data.traces("test"), directory)
        publish(scores, figures, directory, board, settings["training"]["steps"] + 1)  # purged if killed before `done`
        write_atomically(directory / DONE, "")
    return scores


def help_train(config: DictConfig, directory: Path) -> Tree:
    """What the other processes of a run do: train with the first, which alone writes the directory."""
    with Interruption() as interruption, together():
        settings, _ = request(config)
        _, module, data = assemble(settings)
        introduce(module, data)
        meet()  # the first has made the directory this run's
        if not (directory / DONE).exists():
            train(settings, directory, module, data, interruption, [])
    return {}


def check_trainer(config: DictConfig) -> None:
    """Raise ConfigError if the trainer has an option that is the run's to decide, or wants other processes than there are."""
    trainer = config.trainer
    if odd := sorted(trainer.keys() - TRAINER):
        raise ConfigError(
            f"trainer.{odd[0]}: expected {', '.join(TRAINER)}; how long a run trains, when it validates and what it keeps "
            "is said by training, data and optim."
        )
    wanted = trainer.get("devices", 1) * trainer.get("num_nodes", 1) if str(trainer.get("strategy")) == "ddp" else 1
    if "ddp" in str(trainer.get("strategy")) and started() == 1:
        raise ConfigError(
            "trainer.strategy=ddp wants torchrun: torchrun --standalone --nproc-per-node=2 scripts/train.py trainer=ddp …"
        )
    if started() not in (1, wanted):
        raise ConfigError(
            f"torchrun started {started()} processes, but the trainer is for {wanted}; add trainer=ddp, or leave out torchrun."
        )


def claim(directory: Path, settings: Tree, fresh: bool) -> None:
    """Make the directory this configuration's: write config.yaml, or compare with the one that is there.

    Raises:
        ConfigError: it is another one's.
        DamagedError: nobody can tell whose it is.
    """
    path = directory / CONFIG
    if fresh and not started_over_by_this_job(directory):
        discard(directory)
    if path.exists():
        changed = differences(read_settings(directory), settings)
        if changed:
            raise ConfigError(
                f"{directory} holds a run with other settings (old -> new):\n  " + "\n  ".join(changed) + "\n"
                "Give the new one a name of its own by stating a setting on the command line, or use fresh=true to replace it."
            )
    else:
        directory.mkdir(parents=True, exist_ok=True)
        if job := cluster_job():
            write_atomically(directory / STARTED_BY, " ".join(job))
        write_atomically(path, yaml.safe_dump(settings, sort_keys=False))


def started_over_by_this_job(directory: Path) -> bool:
    """Whether an earlier attempt of this same job of a cluster began this run: asked for again, it is to go on."""
    path, now = directory / STARTED_BY, cluster_job()
    if now is None or not path.exists():
        return False
    job, attempt = path.read_text().split()
    return job == now[0] and attempt != now[1]


def cluster_job() -> tuple[str, str] | None:
    """Return the job of Slurm or of submitit's local executor that this is, and which attempt at it; None if it is none."""
    if job := os.environ.get("SUBMITIT_LOCAL_JOB_ID"):
        return job, str(os.getpid())
    if job := os.environ.get("SLURM_JOB_ID"):
        return job, os.environ.get("SLURM_RESTART_COUNT", "0")
    return None


def discard(directory: Path) -> None:
    """Remove what a run leaves in its directory, and nothing else that may lie there."""
    # `done` and `last` first: killed in between, the run is neither finished nor gone on with. The settings go last, so that
    # meanwhile it is nobody else's.
    for name in (STARTED_BY, DONE, f"checkpoints/{LAST}", SCORES, SAMPLE, "hparams.yaml", "projector_config.pbtxt"):
        (directory / name).unlink(missing_ok=True)
    for name in ("checkpoints", "figures", "projector"):
        if (directory / name).exists():
            shutil.rmtree(directory / name)
    for events in directory.glob("events.out.tfevents.*"):
        events.unlink()
    (directory / CONFIG).unlink(missing_ok=True)


def train(
    settings: Tree,
    directory: Path,
    module: VRNNModule,
    data: TraceDataModule,
    interruption: Interruption,
    more: Sequence[Callback],
) -> TensorBoardLogger:
    """Fit to the last step, from the last checkpoint if there is one; return the logger for what comes after."""
    pace = settings["training"] | {"val_every": min(settings["training"]["val_every"], settings["training"]["steps"])}
    last = directory / "checkpoints" / LAST
    resume = load(last)["global_step"] if last.exists() else None
    purge = 0 if resume is None else resume + 1  # what an earlier process wrote beyond its last checkpoint
    board = TensorBoardLogger(directory, name="", version="", default_hp_metric=False, purge_step=purge)
    picture = PICTURES[data.pattern.form]
    shown = TraceSet(data.traces("val")[: picture.together])
    trainer = make_trainer(
        settings["trainer"],
        default_root_dir=directory,
        max_steps=pace["steps"],
        val_check_interval=pace["val_every"],
        check_val_every_n_epoch=None,
        num_sanity_val_steps=0,
        log_every_n_steps=pace["log_every"],
        logger=board,
        plugins=[AtomicCheckpointIO(), cluster()],
        enable_model_summary=False,
        enable_progress_bar=any(isinstance(callback, ProgressBar) for callback in more),
        callbacks=[
            Scalars(),
            Figures(directory / "figures", pace["figure_every"], pace["val_every"], shown, picture),
            RunCheckpoints(directory / "checkpoints", pace["checkpoint_every"], pace["val_every"], interruption),
            *more,
        ],
    )
    # Lightning would put a handler of its own before ours, whose way to end on SIGTERM keeps nothing and gives 0.
    trainer._signal_connector.register_signal_handlers = lambda: None  # type: ignore[method-assign]
    with training(interruption):
        trainer.fit(module, datamodule=data, ckpt_path=last if resume is not None else None, weights_only=True)
    if trainer.global_step != pace["steps"]:
        raise RuntimeError(
            f"Training ended after {trainer.global_step} steps, not after training.steps={pace['steps']}."
        )
    return board


def make_trainer(options: Tree, **ours: Any) -> Trainer:
    """Make Lightning's Trainer from the configuration's `trainer` and what a run itself decides.

    Raises:
        ConfigError: Lightning refuses the options: there is no such device here.
    """
    try:
        return Trainer(**options, **ours)
    except (MisconfigurationException, ImportError, TypeError, ValueError) as error:
        raise ConfigError(f"Lightning's Trainer cannot be made of trainer = {options}: {error}") from error


def columns(asked: Sequence[str], settings: Tree) -> Tree:
    """The run's columns in TensorBoard's HPARAMS: what was asked comes first in the alphabet, since five are shown."""
    named = dict(override.split("=", 1) for override in asked if "=" in override)
    first = {
        f"asked.{key.lstrip('+')}": yaml.safe_load(value)
        for key, value in named.items()
        if key not in ("sweep", "fresh")
    }
    plain = {key: value for key, value in settings.items() if key not in ("allow", "trainer")}
    return {
        key: str(value) if isinstance(value, list | dict) else value for key, value in (first | flat(plain)).items()
    }


def cluster() -> ClusterEnvironment:
    """Who started the processes of a run: torchrun, or nobody. Slurm's are runs by themselves, which submitit requeues."""
    return TorchElasticEnvironment() if TorchElasticEnvironment.detect() else LightningEnvironment()


@contextmanager
def training(interruption: Interruption) -> Iterator[None]:
    """Within it, a signal waits for the step's end."""
    interruption.training = True
    with warnings.catch_warnings():
        # Where Slurm is installed, Lightning wants everything started by srun; a run here is one process anywhere.
        warnings.filterwarnings("ignore", message="The `srun` command is available")
        # Every one of a run's processes validates on all held-out traces, and finds the same.
        warnings.filterwarnings("ignore", message=r"It is recommended to use `self.log")
        yield
    interruption.training = False
    interruption.exit_if_pending()


def publish(scores: Tree, figures: dict[str, Figure], directory: Path, board: TensorBoardLogger, step: int) -> None:
    """Write scores.json and the figures, and show them in TensorBoard; the scores are the run's columns in HPARAMS."""
    save_figures(figures, directory / "figures")
    write_scores(scores, directory / "scores.json")
    for name, figure in figures.items():
        board.experiment.add_figure(name, figure, step)
    board.log_metrics(scalar_scores(scores), step=step)
    board.finalize("success")
