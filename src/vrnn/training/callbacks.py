"""What a run shows while it trains: scalars, figures, a progress bar."""

from __future__ import annotations

import logging
import os
import sys
import time
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.callbacks import TQDMProgressBar
from pytorch_lightning.callbacks.progress.tqdm_progress import Tqdm
from pytorch_lightning.loggers import TensorBoardLogger
from typing_extensions import override

from vrnn import plots
from vrnn.data.loader import TraceSet
from vrnn.plots.sequences import SequencePlots
from vrnn.text import duration
from vrnn.training.lightning_module import VRNNModule
from vrnn.verbosity import is_quiet, is_verbose

logger = logging.getLogger(__name__)


def tensorboard_logger(trainer: Trainer) -> TensorBoardLogger:
    """Return the run's TensorBoard logger."""
    assert isinstance(trainer.logger, TensorBoardLogger)
    return trainer.logger


class Scalars(Callback):
    """Writes the scalars of one training step in every `log_every`, and the speed since the last of them."""

    def __init__(self) -> None:
        self.last_logged: tuple[int, float] | None = None  # step, seconds

    @override
    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        assert isinstance(pl_module, VRNNModule)
        step = trainer.global_step
        if step % pl_module.log_every or not pl_module.ends_step(batch_idx):
            return
        scalars = dict(pl_module.scalars)
        if self.last_logged is not None and step > self.last_logged[0]:
            last_step, last_time = self.last_logged
            scalars["speed/steps_per_second"] = (step - last_step) / (time.perf_counter() - last_time)
        self.last_logged = step, time.perf_counter()
        for logger in trainer.loggers:
            logger.log_metrics(scalars, step=step)


class Figures(Callback):
    """Plots held-out traces, their reconstruction, and as many generated from the prior, for TensorBoard and the disk.

    They are plotted at the first validation after every `every` steps.

    Args:
        directory: Where the figure is written.
        every: Steps between two figures.
        val_every: Steps between two validations.
        shown: The held-out traces. Missing points are not plotted, but are reconstructed.
        sequence_plots: How sequences are plotted.
    """

    def __init__(self, directory: Path, every: int, val_every: int, shown: TraceSet, sequence_plots: SequencePlots):
        self.directory, self.every, self.val_every = directory, every, val_every
        self.shown, self.sequence_plots = shown, sequence_plots

    @override
    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        assert isinstance(pl_module, VRNNModule)
        step = trainer.global_step
        if not trainer.is_global_zero or step // self.every == (step - self.val_every) // self.every:
            return
        # A generator of its own, so that the figure does not change the run.
        generator = pl_module.noise_generator()
        shown, mask = self.shown.x.to(pl_module.device), self.shown.mask.to(pl_module.device)
        with torch.no_grad():
            condition = None if self.shown.condition is None else self.shown.condition.to(pl_module.device)
            reconstructed = pl_module.vrnn.reconstruct(shown, None if mask.all() else mask, generator, condition)
            generated = pl_module.vrnn.generate(shown.shape[1], len(shown), generator=generator, condition=condition)
        panels = {"shown": shown, "generated from the prior": generated, "reconstructed": reconstructed}
        figure = self.sequence_plots.plot_panels({name: x.transpose(0, 1).cpu().numpy() for name, x in panels.items()})
        tensorboard_logger(trainer).experiment.add_figure("traces", figure, step)
        plots.save(figure, self.directory / "training.png")


def progress_callback(log_every: int) -> Callback:
    """Return what shows a training's progress: a bar on a terminal; elsewhere, and with -v or -q, a line per validation.

    With -q these lines are in run.log alone.

    Args:
        log_every: Steps between two changes of the bar.
    """
    has_bar = sys.stdout.isatty() and not os.environ.get("NO_COLOR") and not is_verbose() and not is_quiet()
    return ProgressBar(refresh_rate=log_every) if has_bar else ProgressLines()


class ProgressBar(TQDMProgressBar):
    """Lightning's bar over all steps, with the bound and the KL in nats per step. Validation is short and has none."""

    # Whether a step has been taken. The first may compile kernels, so the time left is that of the others.
    is_timed = False

    @override
    def init_train_tqdm(self) -> Tqdm:
        # All windows of the training, also where it was resumed.
        bar, windows = super().init_train_tqdm(), self.trainer.accumulate_grad_batches
        bar.total, bar.initial = self.trainer.max_steps * windows, self.trainer.global_step * windows
        return bar

    @override
    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if not self.is_timed:
            self.is_timed, bar = True, self.train_progress_bar
            bar.initial, bar.start_t = batch_idx + 1, time.time()
        super().on_train_batch_end(trainer, pl_module, outputs, batch, batch_idx)

    @override
    def on_train_epoch_start(self, *_: Any) -> None:
        # Shows no epoch: all of the loader's stream is one.
        pass

    @override
    def init_validation_tqdm(self) -> Tqdm:
        return Tqdm(disable=True)

    @override
    def get_metrics(
        self, trainer: Trainer, pl_module: LightningModule
    ) -> dict[str, int | str | float | dict[str, float]]:
        assert isinstance(pl_module, VRNNModule)
        return {name: f"{pl_module.scalars[f'train/{name}']:.3f}" for name in ("elbo", "kl") if pl_module.scalars}


class ProgressLines(Callback):
    """Logs a line per validation: the step, the bound in nats per step, the time left."""

    def __init__(self) -> None:
        # Step and time after the first step, which may have compiled kernels.
        self.first: tuple[int, float] | None = None

    @override
    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if self.first is None:
            self.first = trainer.global_step, time.monotonic()

    @override
    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        step, steps = trainer.global_step, trainer.max_steps
        line = f"Step {step} of {steps}: ELBO {float(trainer.callback_metrics['val/elbo']):.4f} nats per step"
        if self.first and self.first[0] < step < steps:
            seconds = (time.monotonic() - self.first[1]) / (step - self.first[0]) * (steps - step)
            line += f", {duration(seconds)} to go"
        logger.info("%s.", line)
