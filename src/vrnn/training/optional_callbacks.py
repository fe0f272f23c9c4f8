"""Callbacks that a configuration may add to a training. What they need to continue is part of the checkpoint."""

from __future__ import annotations

from typing import Any

import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.callbacks import EarlyStopping as LightningEarlyStopping
from torch import Tensor
from torch.optim import Optimizer
from typing_extensions import override

from vrnn.checks import check_at_least, check_positive, require
from vrnn.training.optimizer import FlatWeights


class EarlyStopping(LightningEarlyStopping):
    """End the training when the ELBO on validation data has not become better for some validations.

    Args:
        patience: Validations without a better ELBO after which the training ends, >= 1.
        min_delta: How much better counts, in nats per step, >= 0.

    Raises:
        ValueError: A number is out of its range.
    """

    def __init__(self, patience: int = 5, min_delta: float = 0.0) -> None:
        super().__init__(
            "val/elbo",
            min_delta=check_at_least("min_delta", min_delta, 0),
            patience=int(check_at_least("patience", patience, 1)),
            mode="max",
            check_on_train_epoch_end=False,
        )

    @override
    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        # A run that was killed after its last validation would otherwise train until another one.
        trainer.should_stop = trainer.should_stop or self.wait_count >= self.patience


class EMA(Callback):
    """Average the weights exponentially over the steps, and use the averages for all but training (Polyak & Juditsky 1992).

    After n steps, average <- d * average + (1 - d) * weights with d = min(decay, (1 + n) / (10 + n)), so that the first weights
    are soon forgotten. Validation, figures and the weights in checkpoints, and so evaluation and generation, are the averages.
    A checkpoint holds the weights that training continues from as the state of this callback.

    Args:
        decay: In (0, 1). About the last 1 / (1 - decay) steps count.

    Raises:
        ValueError: `decay` is out of its range.
    """

    def __init__(self, decay: float = 0.999) -> None:
        require(0.0 < decay < 1.0, "decay", "in (0, 1)", decay)
        self.decay = decay
        self.in_training: Tensor | None = None  # the weights of training, while the model has the averages

    @override
    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        # All weights as one, (n,); here they are the first ones, or a checkpoint's averages.
        self.weights = _optimizer(trainer).param_groups[0]["params"][0].detach()
        self.average = self.weights.clone()
        self.steps = trainer.global_step
        self._resume_training()

    @override
    def on_train_batch_end(self, trainer: Trainer, *_: Any) -> None:
        n = trainer.global_step
        if n == self.steps:  # several batches may make one step
            return
        self.steps = n
        self.average.lerp_(self.weights, 1.0 - min(self.decay, (1 + n) / (10 + n)))

    @override
    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.in_training = self.weights.clone()
        self.weights.copy_(self.average)

    @override
    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._resume_training()

    def _resume_training(self) -> None:
        if self.in_training is not None:
            self.weights.copy_(self.in_training)
            self.in_training = None

    @override
    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        weights = _optimizer(trainer).weights
        parts = self.average.split([weight.numel() for weight in weights])
        averages = {weight: part.view_as(weight) for weight, part in zip(weights, parts, strict=True)}
        for name, weight in pl_module.named_parameters():
            checkpoint["state_dict"][name] = averages.get(weight, weight.detach())

    @override
    def state_dict(self) -> dict[str, Any]:
        return {"weights": self.weights}

    @override
    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.in_training = state_dict["weights"]


class GradientNoise(Callback):
    """Add Gaussian noise to the gradient, of variance eta / (1 + n)^gamma after n steps (Neelakantan et al. 2015).

    It is added before the gradient is clipped.

    Args:
        eta: The variance at the first step, > 0.
        gamma: How fast it falls, >= 0.

    Raises:
        ValueError: A number is out of its range.
    """

    def __init__(self, eta: float = 0.01, gamma: float = 0.55) -> None:
        self.eta, self.gamma = check_positive("eta", eta), check_at_least("gamma", gamma, 0)

    @override
    def on_before_optimizer_step(self, trainer: Trainer, pl_module: LightningModule, optimizer: Optimizer) -> None:
        gradient = optimizer.param_groups[0]["params"][0].grad
        sigma = (self.eta / (1 + trainer.global_step) ** self.gamma) ** 0.5
        gradient.add_(torch.randn_like(gradient), alpha=sigma)


def _optimizer(trainer: Trainer) -> FlatWeights:
    (optimizer,) = trainer.optimizers
    assert isinstance(optimizer, FlatWeights)
    return optimizer
