"""Lightning's Trainer: which of its options a configuration may set, and the fit from the last checkpoint to the last step."""

from __future__ import annotations

import logging
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lightning_fabric.plugins.environments.cluster_environment import ClusterEnvironment
from lightning_fabric.plugins.environments.lightning import LightningEnvironment
from lightning_fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from lightning_fabric.utilities.exceptions import MisconfigurationException
from lightning_fabric.utilities.rank_zero import rank_zero_only
from pytorch_lightning import Callback, Trainer
from pytorch_lightning.loggers import Logger, TensorBoardLogger

from vrnn.data.datamodule import TraceDataModule
from vrnn.data.loader import TraceSet
from vrnn.distributed import is_main_process, world_size
from vrnn.errors import ConfigError
from vrnn.plots.sequences import SEQUENCE_PLOTS
from vrnn.training.callbacks import Figures, ProgressBar, Scalars
from vrnn.training.checkpoint_files import RunCheckpointIO, load_checkpoint, newest_checkpoint
from vrnn.training.checkpoints import RunCheckpoints
from vrnn.training.event_files import put_in_the_past
from vrnn.training.lightning_module import VRNNModule
from vrnn.training.scalars_file import ScalarsFile
from vrnn.training.signals import Interruption
from vrnn.training.time_limit import seconds_of
from vrnn.verbosity import is_verbose

logger = logging.getLogger(__name__)

# Lightning 2.6 asks torch's pytree a question that torch 2.13 answers with a deprecation warning.
warnings.filterwarnings("ignore", message=".*LeafSpec.*", category=FutureWarning)
if not is_verbose():
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)  # its hints and tips are not about this run


def ignore_cluster_rank() -> None:
    """Undo Lightning's guess of a rank from Slurm's environment: each of srun's processes makes runs of its own."""
    if world_size() == 1:
        rank_zero_only.rank = 0  # type: ignore[attr-defined]


def fit(
    module: VRNNModule,
    data: TraceDataModule,
    directory: Path,
    settings_digest: str,
    pace: Mapping[str, int],
    trainer_options: Mapping[str, Any],
    interruption: Interruption,
    extra_callbacks: Sequence[Callback],
    extra_loggers: Sequence[Logger] = (),
) -> Trainer:
    """Train to the last step, from the last checkpoint if there is one.

    Args:
        module: The LightningModule.
        data: The LightningDataModule.
        directory: The run's.
        settings_digest: Of the settings that the checkpoints belong to.
        pace: The configuration's `training`: how long, and how often to validate, save and look.
        trainer_options: The configuration's `trainer`.
        interruption: Asked after every step whether a signal came.
        extra_callbacks: In addition to those every run has.
        extra_loggers: Likewise.

    Returns:
        The Trainer, for what comes after training.

    Raises:
        ConfigError: Lightning refuses the options.
        DamagedError: There are checkpoints, but none that can be used.
        NonFiniteError: The loss, a gradient or the validation's ELBO became NaN or infinite.
    """
    val_every = min(pace["val_every"], pace["steps"])
    newest = newest_checkpoint(directory / "checkpoints", settings_digest)
    resume_step = load_checkpoint(newest)["global_step"] if newest else None
    if resume_step is not None:
        logger.info("The run is resumed at step %d.", resume_step)
    # Purge what an earlier process wrote beyond its last checkpoint.
    purge_step = 0 if resume_step is None else resume_step + 1
    if is_main_process():
        put_in_the_past(directory)
    tensorboard = TensorBoardLogger(directory, name="", version="", default_hp_metric=False, purge_step=purge_step)
    sequence_plots = SEQUENCE_PLOTS[data.pattern.form]
    shown = TraceSet(data.traces("val")[: sequence_plots.per_panel])
    options = dict(trainer_options)
    if max_time := options.pop("max_time", None):
        # Lightning's own timer would count the time of all commands together, and end with the exit code of a finished run.
        interruption.deadline = time.monotonic() + seconds_of(max_time)
    trainer = make_trainer(
        options,
        default_root_dir=directory,
        max_steps=pace["steps"],
        val_check_interval=val_every * module.windows,
        check_val_every_n_epoch=None,
        num_sanity_val_steps=0,
        log_every_n_steps=pace["log_every"],
        logger=[tensorboard, ScalarsFile(directory, resume_step or 0), *extra_loggers],
        plugins=[RunCheckpointIO(settings_digest), cluster_environment()],
        enable_model_summary=is_verbose(),
        enable_progress_bar=any(isinstance(callback, ProgressBar) for callback in extra_callbacks),
        callbacks=[
            Scalars(),
            Figures(directory / "figures", pace["figure_every"], val_every, shown, sequence_plots),
            RunCheckpoints(directory / "checkpoints", pace["checkpoint_every"], val_every, interruption),
            *extra_callbacks,
        ],
    )
    # Lightning's own handler of SIGTERM would end the process with exit code 0 and without a checkpoint.
    trainer._signal_connector.register_signal_handlers = lambda: None  # type: ignore[method-assign]
    with signals_wait_for_step(interruption):
        trainer.fit(module, datamodule=data, ckpt_path=newest, weights_only=True)
    if trainer.global_step < pace["steps"]:
        ended = f"after {trainer.global_step} steps, not after training.steps={pace['steps']}"
        if not trainer.should_stop:
            raise RuntimeError(f"Training ended {ended}.")
        logger.info("A callback ended the training %s.", ended)
    return trainer


def make_trainer(options: Mapping[str, Any], **fixed: Any) -> Trainer:
    """Make a Trainer of the configuration's options and of what a run itself decides.

    Raises:
        ConfigError: Lightning refuses the options: there is no such device here, for example.
    """
    try:
        return Trainer(**options, **fixed)
    except (MisconfigurationException, ImportError, TypeError, ValueError) as error:
        raise ConfigError(f"Lightning's Trainer cannot be made of trainer = {dict(options)}: {error}") from error


def cluster_environment() -> ClusterEnvironment:
    """Return who started the run's processes: torchrun, or nobody. Slurm's processes are runs by themselves."""
    return TorchElasticEnvironment() if TorchElasticEnvironment.detect() else LightningEnvironment()


@contextmanager
def signals_wait_for_step(interruption: Interruption) -> Iterator[None]:
    """Let a signal wait for the end of the training step for the duration of the context."""
    interruption.training = True
    with warnings.catch_warnings():
        # Where Slurm is installed, Lightning recommends to start everything by srun; a run here is one process anywhere.
        warnings.filterwarnings("ignore", message="The `srun` command is available")
        # All of a run's processes validate on all held-out traces, and compute the same.
        warnings.filterwarnings("ignore", message=r"It is recommended to use `self.log")
        yield
    interruption.training = False
    interruption.exit_if_pending()
