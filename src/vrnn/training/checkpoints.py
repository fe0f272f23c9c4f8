"""When a run saves its checkpoints, from which it continues bit for bit: they hold the random generators' states."""

from __future__ import annotations

import logging
import math
import random
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.callbacks import Checkpoint

from vrnn.distributed import all_reduce_max
from vrnn.errors import NonFiniteError
from vrnn.training.checkpoint_files import BEST, LAST
from vrnn.training.lightning_module import VRNNModule
from vrnn.training.signals import Interruption

logger = logging.getLogger(__name__)


class RunCheckpoints(Checkpoint):
    """Keeps checkpoints/last.ckpt and checkpoints/best.ckpt (highest val/elbo) of a run.

    `last` is written every `every` steps and after each validation, never between a step and the validation due at that very
    step, so that a resumed run neither repeats nor skips one. When an interruption is pending, `last` is written and the
    process exits.
    """

    def __init__(self, directory: Path, every: int, val_every: int, interruption: Interruption):
        self.directory, self.every, self.val_every = directory, every, val_every
        self.interruption = interruption
        self.best = float("-inf")
        self.to_restore: dict[str, Any] | None = (
            get_rng_states()
        )  # Lightning seeds anew where there are several processes

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        """Restore the random generators once everything that runs before the first step has drawn from them."""
        if self.to_restore is not None:
            set_rng_states(self.to_restore)
            self.to_restore = None

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Save if it is time, or if somebody wants the process to end. Gradients of an unfinished step are never saved."""
        assert isinstance(pl_module, VRNNModule)
        step = trainer.global_step
        if step % self.val_every == 0 or not pl_module.ends_step(batch_idx):
            return
        asked = self._asked()
        if step % self.every == 0 or asked:
            self.save(trainer, LAST)
        self._end_if(trainer, asked)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Save the best first: killed in between, the run repeats this validation and saves both."""
        elbo = float(trainer.callback_metrics["val/elbo"])
        if not math.isfinite(elbo):
            raise NonFiniteError(
                f"val/elbo became {elbo} at step {trainer.global_step}. The last good checkpoint is kept. Lower "
                "optim.learning_rate, set optim.clip, or raise likelihood.floor, then start again with fresh=true."
            )
        logger.debug("val/elbo is %.4f nats per step at step %d.", elbo, trainer.global_step)
        if elbo > self.best:
            self.best = elbo
            self.save(trainer, BEST)
        self.save(trainer, LAST)
        self._end_if(trainer, self._asked())

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """The end of training need not fall on a multiple of anything."""
        self.save(trainer, LAST)

    def _asked(self) -> int | None:
        """Return the signal that any of the run's processes got, or a time limit stands for."""
        self.interruption.check_deadline()
        return all_reduce_max(self.interruption.pending)

    def _end_if(self, trainer: Trainer, asked: int | None) -> None:
        """End with the signal that any of the run's processes got: they end at the same step."""
        if asked is not None:
            self.interruption.pending = asked
            logger.info("Saved at step %d.", trainer.global_step)
            self.interruption.exit_if_pending()

    def save(self, trainer: Trainer, name: str) -> None:
        """Scalars reach the disk before the checkpoint that will not write them again."""
        for tracker in trainer.loggers:
            # Weights & Biases and MLflow have nothing to flush, and a user's own logger need have no experiment.
            if flush := getattr(getattr(tracker, "experiment", None), "flush", None):
                flush()
        trainer.save_checkpoint(self.directory / name, weights_only=False)
        logger.debug("%s is saved at step %d.", name, trainer.global_step)

    def state_dict(self) -> dict[str, Any]:
        """The best bound so far and the states of all random generators."""
        return {"best": self.best, "rng": self.to_restore or get_rng_states()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take them up again; the generators' turn comes at the first step."""
        self.best, self.to_restore = state_dict["best"], state_dict["rng"]


def get_rng_states() -> dict[str, Any]:
    """Collect the global generators of torch (all devices), numpy and python as tensors and tuples."""
    kind, keys, *rest = np.random.get_state(legacy=True)  # noqa: NPY002
    return {
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all(),
        "numpy": (kind, torch.from_numpy(np.asarray(keys).astype(np.int64)), *rest),
        "python": random.getstate(),
    }


def set_rng_states(states: dict[str, Any]) -> None:
    """Undo `get_rng_states`."""
    kind, keys, *rest = states["numpy"]
    torch.set_rng_state(states["torch"])
    torch.cuda.set_rng_state_all(states["cuda"])
    np.random.set_state((kind, keys.numpy().astype(np.uint32), *rest))  # noqa: NPY002
    random.setstate(states["python"])
