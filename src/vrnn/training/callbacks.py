"""What a run shows while it trains: scalars, figures, a progress bar."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.callbacks import TQDMProgressBar
from pytorch_lightning.callbacks.progress.tqdm_progress import Tqdm
from pytorch_lightning.loggers import TensorBoardLogger

from vrnn import plots
from vrnn.data.loader import TraceSet
from vrnn.plots.sequences import SequencePlots
from vrnn.training.lightning_module import VRNNModule


def tensorboard_logger(trainer: Trainer) -> TensorBoardLogger:
    """Return the run's TensorBoard logger."""
    assert isinstance(trainer.logger, TensorBoardLogger)
    return trainer.logger


class Scalars(Callback):
    """Writes a training step's scalars every `log_every` steps, and the speed since the last time."""

    def __init__(self) -> None:
        self.since: tuple[int, float] | None = None

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        """The module has collected them; they are of this step alone, not a mean."""
        assert isinstance(pl_module, VRNNModule)
        step = trainer.global_step
        if step % pl_module.log_every:
            return
        scalars = dict(pl_module.scalars)
        if self.since is not None and step > self.since[0]:
            scalars["speed/steps_per_second"] = (step - self.since[0]) / (time.perf_counter() - self.since[1])
        self.since = step, time.perf_counter()
        tensorboard_logger(trainer).log_metrics(scalars, step=step)


class Figures(Callback):
    """Plots held-out traces, their reconstruction, and as many generated from the prior, for TensorBoard and the disk.

    Plotted at the first validation (every `val_every` steps) after every `every` steps.

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

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Drawn with noise of its own, so that looking does not change the run."""
        assert isinstance(pl_module, VRNNModule)
        step = trainer.global_step
        if not trainer.is_global_zero or step // self.every == (step - self.val_every) // self.every:
            return
        generator = pl_module.noise_generator()
        shown, mask = self.shown.x.to(pl_module.device), self.shown.mask.to(pl_module.device)
        with torch.no_grad():
            reconstructed = pl_module.vrnn.reconstruct(shown, None if mask.all() else mask, generator)
            generated = pl_module.vrnn.generate(shown.shape[1], len(shown), generator=generator)
        panels = {"shown": shown, "generated from the prior": generated, "reconstructed": reconstructed}
        figure = self.sequence_plots.plot_panels({name: x.transpose(0, 1).cpu().numpy() for name, x in panels.items()})
        tensorboard_logger(trainer).experiment.add_figure("traces", figure, trainer.global_step)
        plots.save(figure, self.directory / "training.png")


class ProgressBar(TQDMProgressBar):
    """Lightning's bar over all steps, showing the bound and the KL in nats per step; validation, a second long, has none."""

    def init_train_tqdm(self) -> Tqdm:
        """A bar that also after a resume knows how far it is to the last step."""
        bar = super().init_train_tqdm()
        bar.total, bar.initial = self.trainer.max_steps, self.trainer.global_step
        return bar

    def on_train_epoch_start(self, *_: Any) -> None:
        """The loader's stream is one epoch, whose number tells nothing."""

    def init_validation_tqdm(self) -> Tqdm:
        """A bar that is not shown."""
        return Tqdm(disable=True)

    def get_metrics(
        self, trainer: Trainer, pl_module: LightningModule
    ) -> dict[str, int | str | float | dict[str, float]]:
        """The scalars last logged."""
        assert isinstance(pl_module, VRNNModule)
        return {name: f"{pl_module.scalars[f'train/{name}']:.3f}" for name in ("elbo", "kl") if pl_module.scalars}
