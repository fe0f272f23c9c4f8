"""The LightningModule: the VRNN, its loss and its optimiser."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import LightningModule
from pytorch_lightning.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor
from typing_extensions import override

import vrnn
from vrnn.data.loader import Batch
from vrnn.distributed import gather, local_shard, shard_batch
from vrnn.errors import NonFiniteError
from vrnn.model.inference import Inference, concatenate
from vrnn.model.particles import infer_particles
from vrnn.model.vrnn import VRNN
from vrnn.networks.condition import of_traces
from vrnn.networks.forecast import Forecast, NoForecast
from vrnn.networks.regularisation import Regularisation
from vrnn.networks.state import State
from vrnn.objective.bounds import ELBO, Bound
from vrnn.objective.loss import Loss, elbo_loss, elbo_scalars, particle_loss
from vrnn.objective.reduction import mean_per_step, mean_per_trace
from vrnn.objective.w_schedules import WSchedule
from vrnn.training.compatibility import check_accumulation, check_compatible
from vrnn.training.lr_schedules import Cosine, LRSchedule
from vrnn.training.optimizer import flat_optimizer

console = logging.getLogger(__name__)

ACTIVE_NATS = 0.01  # a latent dimension counts as active if its KL exceeds this, in nats per step


class VRNNModule(LightningModule):
    """Trains a VRNN. The recurrent state is carried from window to window and is part of the checkpoint.

    With a bound by K particles, K copies of each trace's state are carried; at a window's end they are resampled, so that the
    windows' bounds add up to a bound on the whole trace.

    Args:
        vrnn: The model.
        w_schedule: Weighs the KL.
        steps: Optimiser steps of the whole training, for the learning rate's decay.
        learning_rate: At its peak.
        warmup_steps: Steps of linear warm-up.
        final_fraction: The smallest share of its peak that the learning rate falls to.
        clip: The largest global gradient norm; None: no clipping.
        log_every: Steps between two rows of scalars.
        seed: Of the noise used in validation and in figures.
        gaps: Whether points are missing within traces, not only past their ends. The model then fills them in.
        bound: What is maximised; None: the ELBO.
        forecast: An auxiliary loss, called with h_{t-1}, the points and their mask; None: no forecast.
        optimizer: A class of torch.optim that treats each weight by itself, or a partial of one.
        lr_schedule: The learning rate's course after the warm-up; None: a cosine.
        windows: Per optimiser step, of whose losses the mean counts.
        regularisation: Noise in the networks while they train; None: none.

    Raises:
        ValueError: Parts that do not go together.
    """

    def __init__(
        self,
        vrnn: VRNN,
        w_schedule: WSchedule,
        steps: int,
        learning_rate: float = 1e-2,
        warmup_steps: int = 200,
        final_fraction: float = 0.02,
        clip: float | None = 1.0,
        log_every: int = 25,
        seed: int = 0,
        gaps: bool = False,
        bound: Bound | None = None,
        forecast: Forecast | NoForecast | None = None,
        optimizer: Callable[..., torch.optim.Optimizer] = torch.optim.Adam,
        lr_schedule: LRSchedule | None = None,
        windows: int = 1,
        regularisation: Regularisation | None = None,
    ):
        super().__init__()
        self.bound = bound or ELBO()
        check_compatible(vrnn, w_schedule, self.bound)
        check_accumulation(windows, w_schedule)
        if gaps:
            vrnn.coordinates.check_gaps()
        self.vrnn, self.w_schedule = vrnn, w_schedule
        self.forecast = forecast or NoForecast(vrnn.h_dim, vrnn.x_dim)
        self.steps, self.warmup_steps, self.final_fraction = steps, warmup_steps, final_fraction
        self.learning_rate, self.clip = learning_rate, clip
        self.optimizer, self.lr_schedule = optimizer, lr_schedule or Cosine()
        self.regularisation = regularisation or Regularisation()
        self.log_every, self.seed, self.windows = log_every, seed, windows
        self.fill = gaps
        self.carried: State | None = None
        self.scalars: dict[str, float] = {}

    @classmethod
    @override
    def load_from_checkpoint(  # type: ignore[override]
        cls, checkpoint_path: str | Path, map_location: Any = None, **options: Any
    ) -> VRNNModule:
        """Return the module of a run's checkpoint, in eval mode.

        Args:
            checkpoint_path: <run>/checkpoints/last.ckpt or best.ckpt. The run's settings are read from its config.yaml.
            map_location: The device; None: the CPU.
            options: For a checkpoint that belongs to no run: the arguments of this class, and Lightning's own options.

        Raises:
            ConfigError: The checkpoint lies in no run.
            FileNotFoundError: There is no such checkpoint.
            DamagedError: It cannot be read.
        """
        if options:
            return super().load_from_checkpoint(checkpoint_path, map_location, **options)
        path = Path(checkpoint_path)
        # Through the public face, which alone of what training may import knows a run's directory.
        return vrnn.load_run(path.absolute().parents[1], path.stem).module.to(map_location or "cpu")

    @override
    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """Return the optimiser, and the learning rate's course: a linear warm-up times the schedule."""
        weights = [w for w in (*self.vrnn.parameters(), *self.forecast.parameters()) if w.requires_grad]
        optimizer = flat_optimizer(self.optimizer, weights, lr=self.learning_rate)
        scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, self.learning_rate_factor)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    def learning_rate_factor(self, step: int) -> float:
        """Return the learning rate at a step as a fraction of its peak."""
        warm = min(1.0, (step + 1) / (self.warmup_steps + 1))
        return warm * self.lr_schedule.factor(min(1.0, step / self.steps), self.final_fraction)

    def ends_step(self, batch_idx: int) -> bool:
        """Return whether an optimiser step follows this window."""
        return (batch_idx + 1) % self.windows == 0

    @override
    def on_fit_start(self) -> None:
        if self.regularisation.dropout:
            console.info("With dropout, training steps run in the reference engine, which is slower than the kernels.")

    @override
    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        if self.windows > 1:
            # What counts optimiser steps counts each of them once.
            self.w_schedule.train(self.ends_step(batch_idx))
            self.forecast.train(self.ends_step(batch_idx))
        with shard_batch(len(batch.start)) as shard:
            condition = of_traces(batch.condition, shard)
            local = Batch(batch.x[:, shard], batch.mask[:, shard], batch.start[shard], condition)
            with self.regularisation.applied(self.vrnn):
                run, loss = self.loss(local)
            forecast_loss = self.forecast(run.h, run.x, run.mask)
            total = loss.loss + forecast_loss
            if not torch.isfinite(total):
                raise NonFiniteError(self._diagnosis("loss", total.detach()))
            if self.log_due:
                self.scalars = self.summary(run, loss)
                self.scalars |= {
                    "train/loss": float(total.detach()),
                    "train/forecast_loss": float(forecast_loss.detach()),
                }
            return total

    def loss(self, batch: Batch) -> tuple[Inference, Loss]:
        """Infer along a window and compute the loss; carry the state at the window's end.

        With particles the inference is that of all K * B copies.
        """
        start = batch.start.repeat(self.bound.particles)
        state = self.carried
        # The last group of an epoch may be smaller, and so is the carried state of the first group after it.
        if state is None or len(state.is_start) != len(start):
            state = self.vrnn.initial_state(len(start))
        state = state.to(batch.x.device).reset(start, self.vrnn.initial_state(len(start)))
        if isinstance(self.bound, ELBO):
            seen = self.regularisation.noisy(batch.x)
            run = self.vrnn.infer(batch.x, state, batch.mask, fill=self.fill, seen=seen, condition=batch.condition)
            self.carried = run.state.detach()
            per_class = self.vrnn.distortion_per_class(run) if self.vrnn.sums_classes else None
            return run, elbo_loss(
                distortion=self.vrnn.distortion(run, per_class),
                q=run.q,
                p=run.p,
                latent=self.vrnn.latent,
                w_schedule=self.w_schedule,
                mask=run.mask,
                wake=lambda samples: self.vrnn.wake_terms(run, samples, per_class),
            )
        w = self.w_schedule.scalar_weight()
        assert w is not None  # see check_compatible
        result = infer_particles(
            self.vrnn,
            batch.x,
            self.bound,
            mask=batch.mask,
            state=state,
            fill=self.fill,
            w=w,
            condition=batch.condition,
            keep=lambda inference, log_x: (inference, log_x.detach()),
        )
        self.carried = result.state.detach()
        runs, log_x = zip(*result.outputs, strict=True)
        run = concatenate(runs)
        with torch.no_grad():
            distortion = -torch.cat(log_x) if self.vrnn.distorts_by_log_prob else self.vrnn.distortion(run)
        return run, particle_loss(
            bound=result.bound,
            steps=batch.mask.sum(),
            distortion=distortion,
            q=run.q,
            p=run.p,
            latent=self.vrnn.latent,
            w_schedule=self.w_schedule,
            mask=run.mask,
        )

    @property
    def log_due(self) -> bool:
        """Whether this training step writes its scalars."""
        return (self.global_step + 1) % self.log_every == 0

    @override
    def configure_gradient_clipping(
        self, optimizer: Any, gradient_clip_val: float | None = None, gradient_clip_algorithm: str | None = None
    ) -> None:
        # Before the step, so that a norm that is not finite stops the run before it can spoil the weights.
        parameters, limit = optimizer.param_groups[0]["params"], self.clip or math.inf
        by_value = gradient_clip_algorithm == "value"
        norm = torch.nn.utils.clip_grad_norm_(parameters, math.inf if by_value else limit)
        if not torch.isfinite(norm):
            raise NonFiniteError(self._diagnosis("gradient norm", norm))
        if by_value:
            torch.nn.utils.clip_grad_value_(parameters, limit)
        if self.log_due:
            self.scalars["optimiser/gradient_norm"] = float(norm)
            self.scalars["optimiser/learning_rate"] = optimizer.param_groups[0]["lr"]

    @torch.no_grad()
    def summary(self, run: Inference, loss: Loss) -> dict[str, float]:
        """Return the scalars of a training step, in nats per step unless the name says otherwise."""
        likelihood, x, mask = self.vrnn.likelihood, run.x, run.mask
        moments = self.vrnn.moments(run)
        re = mean_per_step(((x - moments.mean).square() + moments.std.square()).mean(-1), mask)
        de = mean_per_trace((loss.kl + 0.5).sum(-1), mask)
        distortion = mean_per_step(loss.distortion, mask)
        beta = loss.w_per_step * likelihood.nats_per_distortion(distortion, self.vrnn.x_dim)
        scalars = elbo_scalars(self.vrnn.log_prob(run), loss.kl, mask)
        return {
            **{f"train/{name}": value for name, value in scalars.items()},
            "train/RE": float(re),
            "train/DE": float(de),
            "train/usage_penalty": float(loss.usage_penalty),
            "w/w": float(loss.w),
            "w/implied_beta": float(beta),
            "w/implied_sigma": float(beta.sqrt() * likelihood.rms_sigma(run.decoder, loss.distortion, mask)),
            **{f"w/{name}": float(value) for name, value in loss.log.items()},
            "train/mean_sigma": float(mean_per_step(moments.std.mean(-1), mask)),
        }

    @override
    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        generator = self.noise_generator()
        run = self.vrnn.infer(batch.x, mask=batch.mask, generator=generator, condition=batch.condition)
        kl = self.vrnn.latent.kl(run.q, run.p)
        scalars = elbo_scalars(self.vrnn.log_prob(run), kl, run.mask)
        logged = {f"val/{name}": value for name, value in scalars.items()}
        per_dim = [mean_per_step(kl[..., i], run.mask) for i in range(kl.shape[-1])]
        logged |= {f"kl_per_dim/{i:02d}": float(value) for i, value in enumerate(per_dim)}
        logged["val/active_dims"] = float(sum(value > ACTIVE_NATS for value in per_dim))
        self.log("val/elbo", logged["val/elbo"], logger=False, batch_size=batch.x.shape[1])
        for logger in self.loggers:
            logger.log_metrics(logged, step=self.global_step)

    @override
    def on_validation_epoch_end(self) -> None:
        self.lr_schedule.observe(float(self.trainer.callback_metrics["val/elbo"]))

    def noise_generator(self) -> torch.Generator:
        """Return a generator for everything that must not disturb, or depend on, the course of training."""
        return torch.Generator(device=self.device).manual_seed(self.seed)

    @override
    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["carried_state"] = None if self.carried is None else tuple(map(gather, self.carried))
        checkpoint["lr_schedule"] = self.lr_schedule.state_dict()

    @override
    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        carried = checkpoint["carried_state"]
        self.carried = None if carried is None else State(*map(local_shard, carried))
        self.lr_schedule.load_state_dict(checkpoint.get("lr_schedule") or self.lr_schedule.state_dict())

    def _diagnosis(self, what: str, value: Tensor) -> str:
        return (
            f"The {what} became {float(value)} at step {self.global_step}. The last good checkpoint is kept. "
            "Lower optim.learning_rate, set optim.clip, or raise likelihood.floor, then start again with fresh=true."
        )
