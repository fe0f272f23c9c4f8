"""The LightningModule: the VRNN, its objective and its optimiser."""

from __future__ import annotations

import math
from typing import Any

import torch
from pytorch_lightning import LightningModule
from pytorch_lightning.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor

from vrnn.data.windows import Batch
from vrnn.engine.interface import State
from vrnn.networks.particles import check_trainable, follow
from vrnn.networks.vrnn import VRNN, Inference, joined
from vrnn.objective.bounds import ELBO, Bound
from vrnn.objective.reduction import mean_per_step, mean_per_trace
from vrnn.objective.w_schedules import ConstantW, Terms, Weighted, WSchedule
from vrnn.processes import gather, own_part, shared, sharing
from vrnn.training.adam import FlatAdam

ACTIVE_NATS = 0.01  # a latent dimension whose KL exceeds this, in nats per step, counts as active


class NonFiniteError(RuntimeError):
    """Training met a loss or a gradient that is not a number."""


class VRNNModule(LightningModule):
    """Trains a VRNN; the recurrent state is carried from window to window and is part of the checkpoint.

    learning_rate: Adam's, after `warmup_steps` of linear warm-up, decaying along a cosine to final_fraction of it at
    `steps`. clip: the largest global gradient norm (None: no clipping). log_every: steps between two rows of scalars.
    gaps: whether points are missing within traces, not only past their ends; the model then fills them in.
    bound: what is maximised; ELBO by default. With K particles loss = -bound / steps, the bound tempered by w, and K copies of
    each trace's state are carried, at a window's end drawn by their weights: the windows' bounds add up to one on the trace.
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
    ):
        super().__init__()
        if not vrnn.latent.groups and type(w_schedule) is not ConstantW:
            raise ValueError("latent=none leaves no KL to weigh: choose w_schedule=constant.")
        if gaps:
            vrnn.frame.check_gaps()
        self.bound = bound or ELBO()
        if not isinstance(self.bound, ELBO):
            check_trainable(vrnn)
            if w_schedule.plain_w() is None:
                raise ValueError(
                    f"A bound by particles wants one weight known before the step for all of the KL, but "
                    f"{type(w_schedule).__name__} has none: choose w_schedule=constant, or linear "
                    "without free_nats and prior_at_once, or bound=elbo."
                )
        self.vrnn, self.w_schedule = vrnn, w_schedule
        self.steps, self.warmup_steps, self.final_fraction = steps, warmup_steps, final_fraction
        self.learning_rate, self.clip = learning_rate, clip
        self.log_every, self.seed = log_every, seed
        self.fill = gaps
        self.carried: State | None = None
        self.scalars: dict[str, float] = {}

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """Adam over all weights as one, with warm-up and cosine decay, stepped every batch."""
        optimizer = FlatAdam(self.vrnn, lr=self.learning_rate)
        scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, self.learning_rate_factor)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    def learning_rate_factor(self, step: int) -> float:
        """The learning rate at a step, as a fraction of its peak."""
        warm = min(1.0, (step + 1) / (self.warmup_steps + 1))
        progress = min(1.0, step / self.steps)
        return warm * (self.final_fraction + (1 - self.final_fraction) * 0.5 * (1 + math.cos(math.pi * progress)))

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """The loss of this process's share of a batch; the means in it are over the whole batch.

        Raises:
            ValueError: several processes, and gaps to fill or particles: what is drawn depends on gaps and on weights.
        """
        with sharing(len(batch.start)) as mine:
            if shared() and (self.fill or not isinstance(self.bound, ELBO)):
                raise ValueError(
                    "Traces with missing points, and bounds by particles, are for one process: "
                    "leave out torchrun and trainer=ddp."
                )
            return self.loss(Batch(batch.x[:, mine], batch.mask[:, mine], batch.start[mine]))

    def loss(self, batch: Batch) -> Tensor:
        """Infer along a window, weigh, and remember where the window ended."""
        state, start = self.carried, batch.start.repeat(self.bound.particles)
        if state is None or len(state.fresh) != len(
            start
        ):  # the last, smaller group of an epoch, or the first after it
            state = self.vrnn.initial_state(len(start))
        run, loss = self.infer(batch, state.to(batch.x.device).reset(start))
        latent, distortion = self.vrnn.latent, self.vrnn.distortion(run)
        kl = latent.kl(run.q, run.p)
        weighted = self.w_schedule.weigh(Terms(distortion, kl, lambda: latent.kl_sides(run.q, run.p), run.mask))
        weighted = weighted if loss is None else weighted._replace(loss=loss)
        unused = (1 - weighted.w).clamp(min=0) * latent.unused(run.q, run.mask)
        weighted = weighted._replace(loss=weighted.loss + unused)
        if not torch.isfinite(weighted.loss):
            raise NonFiniteError(self._diagnosis("loss", weighted.loss.detach()))
        if self.log_due:
            self.scalars = self.summary(run, distortion, kl, weighted)
        return weighted.loss

    def infer(self, batch: Batch, state: State) -> tuple[Inference, Tensor | None]:
        """Follow a window from a state and carry on its end; return what was inferred, and the loss if particles give it.

        The inference is of all K * B copies: schedules and scalars see means over them.
        """
        if isinstance(self.bound, ELBO):
            run = self.vrnn.infer(batch.x, state, batch.mask, fill=self.fill)
            self.carried = run.state.detach()
            return run, None
        w = self.w_schedule.plain_w()
        assert w is not None  # __init__ has seen to it
        runs: list[Inference] = []
        followed = follow(self.vrnn, batch.x, self.bound, batch.mask, state, self.fill, w, watch=runs.append)
        self.carried = followed.state.detach()
        return joined(runs), (-followed.bound.sum() / batch.mask.sum().clamp(min=1)).to(batch.x.dtype)

    @property
    def log_due(self) -> bool:
        """Whether this training step writes its scalars."""
        return (self.global_step + 1) % self.log_every == 0

    def configure_gradient_clipping(self, optimizer: Any, *_: Any, **__: Any) -> None:
        """Clip the global norm, before the step; a norm that is not finite stops the run before it can spoil the weights."""
        norm = torch.nn.utils.clip_grad_norm_(optimizer.param_groups[0]["params"], self.clip or math.inf)
        if not torch.isfinite(norm):
            raise NonFiniteError(self._diagnosis("gradient norm", norm))
        if self.log_due:
            rates = {"optimiser/gradient_norm": float(norm), "optimiser/learning_rate": optimizer.param_groups[0]["lr"]}
            self.scalars.update(rates)

    @torch.no_grad()
    def summary(self, run: Inference, distortion: Tensor, kl: Tensor, weighted: Weighted) -> dict[str, float]:
        """The scalars of a training step: nats per step unless the name says otherwise."""
        likelihood, x, mask = self.vrnn.likelihood, run.x, run.mask
        moments = likelihood.moments(run.decoder)
        re = mean_per_step(((x - moments.mean).square() + moments.std.square()).mean(-1), mask)
        de = mean_per_trace((kl + 0.5).sum(-1), mask)
        beta = weighted.w_per_step * likelihood.nats_per_distortion(mean_per_step(distortion, mask), self.vrnn.x_dim)
        return {
            **bound("train", likelihood.log_prob(run.decoder, x), kl, mask),
            **{
                f"train/{name}": float(value)
                for name, value in (("loss", weighted.loss.detach()), ("RE", re), ("DE", de))
            },
            "w/w": float(weighted.w),
            "w/implied_beta": float(beta),
            "w/implied_sigma": float(beta.sqrt() * likelihood.rms_sigma(run.decoder, distortion, mask)),
            **{f"w/{name}": float(value) for name, value in weighted.log.items()},
            "train/mean_sigma": float(mean_per_step(moments.std.mean(-1), mask)),
        }

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """The bound on held-out traces, with the same noise every time."""
        run = self.vrnn.infer(batch.x, mask=batch.mask, generator=self.noise_generator())
        kl = self.vrnn.latent.kl(run.q, run.p)
        scalars = bound("val", self.vrnn.likelihood.log_prob(run.decoder, run.x), kl, run.mask)
        per_dim = [mean_per_step(kl[..., i], run.mask) for i in range(kl.shape[-1])]
        scalars |= {f"kl_per_dim/{i:02d}": float(value) for i, value in enumerate(per_dim)}
        scalars["val/active_dims"] = float(sum(value > ACTIVE_NATS for value in per_dim))
        self.log("val/elbo", scalars["val/elbo"], logger=False, batch_size=batch.x.shape[1])
        if self.logger is not None:
            self.logger.log_metrics(scalars, step=self.global_step)

    def noise_generator(self) -> torch.Generator:
        """A generator for everything that must not disturb, or depend on, the course of training."""
        return torch.Generator(device=self.device).manual_seed(self.seed)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add the state carried between windows."""
        checkpoint["carried_state"] = None if self.carried is None else tuple(map(gather, self.carried))

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take it up again."""
        carried = checkpoint["carried_state"]
        self.carried = None if carried is None else State(*map(own_part, carried))

    def _diagnosis(self, what: str, value: Tensor) -> str:
        return (
            f"The {what} became {float(value)} at step {self.global_step}. The last good checkpoint is kept. "
            "Lower optim.learning_rate, set optim.clip, or raise likelihood.floor, then start again with fresh=true."
        )


@torch.no_grad()
def bound(prefix: str, log_prob: Tensor, kl: Tensor, mask: Tensor | None) -> dict[str, float]:
    """The ELBO and its parts in nats per step, from log p(x | z) (T, B) and the KL (T, B, z_dim)."""
    log_likelihood, divergence = mean_per_step(log_prob, mask), mean_per_step(kl.sum(-1), mask)
    values = {"elbo": log_likelihood - divergence, "log_likelihood": log_likelihood, "kl": divergence}
    return {f"{prefix}/{name}": float(value) for name, value in values.items()}
