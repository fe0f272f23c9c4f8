"""A run that was trained, as an object: what it is, what it scored, and what its model can do."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vrnn.checks import check_at_least, check_choice
from vrnn.data.datamodule import TraceDataModule
from vrnn.errors import ConfigError
from vrnn.model.inference import Inference
from vrnn.model.particles import log_evidence_per_step
from vrnn.model.vrnn import VRNN
from vrnn.networks import SeriesCondition
from vrnn.patterns import Pattern, Trace, Units
from vrnn.runs.build import build_data, build_module
from vrnn.runs.directory import SCORES, read_scores, settings_digest
from vrnn.runs.pattern import Settings, build_pattern
from vrnn.runs.stored import stored_settings
from vrnn.runs.units import read_units
from vrnn.training.checkpoint_files import load_weights
from vrnn.training.lightning_module import VRNNModule

CHECKPOINTS = ("last", "best")

Array = TypeVar("Array", NDArray[np.float64], Tensor)


class LogLikelihood(NamedTuple, Generic[Array]):
    """An estimate of log p(x) in nats.

    Attributes:
        per_step: log p(x_t | x_<t), (T, B), or (T,) for one sequence; NaN where a point is missing.
        per_sequence: The sum over the observed steps, a lower bound on log p(x), (B,), or () for one sequence.
    """

    per_step: Array
    per_sequence: Array


def load_run(directory: str | Path, checkpoint: str = "last", allow: Sequence[str] = ("vrnn",)) -> TrainedRun:
    """Open the run in a directory, wherever that is now. The data files that it was trained on are not needed.

    Args:
        directory: The run's, as in outputs/<task>/<run>.
        checkpoint: The weights: "last", or "best", those of the highest validation ELBO.
        allow: The packages whose classes the run's settings may name.

    Raises:
        ConfigError: The directory holds no run, or an unknown checkpoint.
        FileNotFoundError: The run has no such checkpoint yet.
        DamagedError: Its settings or weights cannot be read.
    """
    directory = Path(directory)
    try:
        check_choice("checkpoint", checkpoint, CHECKPOINTS)
    except ValueError as error:
        raise ConfigError(str(error)) from error
    settings = stored_settings(directory, allow)
    return TrainedRun(directory, settings, load_module(settings, directory / "checkpoints" / f"{checkpoint}.ckpt"))


def load_module(settings: Settings, checkpoint: Path) -> VRNNModule:
    """Return the LightningModule of a run with a checkpoint's weights, in eval mode; the global generators stay as they are.

    Raises:
        FileNotFoundError: There is no such checkpoint.
        DamagedError: It cannot be read, or holds another model's weights.
    """
    with torch.random.fork_rng(devices=[]):
        module = build_module(settings, read_units(checkpoint.parents[1]))
    load_weights(module, checkpoint, settings_digest=settings_digest(checkpoint.parents[1]))
    return module.eval()


class TrainedRun:
    """A run that was trained. `load_run` makes it.

    Sequences are numpy arrays or torch tensors in the units of the run's data, one (T, x_dim) or B of them (T, B, x_dim), time
    first; a step with NaN has no point. Results are of the same kind, and of the same number of dimensions.

    Attributes:
        directory: The run's.
        settings: As in its config.yaml.
        module: The LightningModule.
        vrnn: The model, in eval mode. It takes and returns points as the networks see them.
        units: The units of the data: `units.from_units` scales points for the networks.
    """

    def __init__(self, directory: Path, settings: Settings, module: VRNNModule):
        self.directory, self.settings, self.module = directory, settings, module
        self.vrnn: VRNN = module.vrnn
        self.units: Units = read_units(directory)

    def __repr__(self) -> str:
        return f"TrainedRun({str(self.directory)!r})"

    @cached_property
    def scores(self) -> dict[str, Any] | None:
        """The scores, as in scores.json; None before the run has finished."""
        return read_scores(self.directory) if (self.directory / SCORES).exists() else None

    @cached_property
    def pattern(self) -> Pattern:
        """What the run learned. It needs the run's data files.

        Raises:
            ConfigError: They are missing or have changed.
        """
        return build_pattern(self.settings)

    @cached_property
    def data(self) -> TraceDataModule:
        """The LightningDataModule of the run's traces. It needs the run's data files.

        Raises:
            ConfigError: They are missing or have changed.
        """
        return build_data(self.settings, self.pattern)

    def infer(self, x: Any, mask: Any = None, seed: int = 0, condition: Any = None) -> Inference:
        """Return the posterior, the prior and the decoder along sequences, as `VRNN.infer` does.

        Args:
            x: (T, x_dim) or (T, B, x_dim).
            mask: (T,) or (T, B), False where there is no point, in addition to steps with NaN.
            seed: Of the noise.
            condition: The label of all sequences, or one for each, of a run with condition=label; the exogenous series, (T, c)
                or (T, B, c) in their own units, of a run with condition=series.

        Raises:
            ValueError: The condition is missing, unknown or of another shape, or the run has none.
        """
        points, observed = self._given(x, mask)
        given = self._condition(condition, points.shape[1])
        with torch.no_grad():
            return self.vrnn.infer(points, mask=observed, generator=self._generator(seed), condition=given)

    def log_likelihood(
        self,
        x: Any,
        mask: Any = None,
        particles: int = 64,
        seed: int = 0,
        condition: Any = None,
    ) -> LogLikelihood[Any]:
        """Estimate log p(x) by a particle filter, of the points as the networks see them, as all scores are.

        In the units of the data the density of a step is lower by sum(log units.scale) nats.

        Args:
            x: (T, x_dim) or (T, B, x_dim).
            mask: (T,) or (T, B), False where there is no point, in addition to steps with NaN.
            particles: With more, the bound is tighter.
            seed: Of the noise.
            condition: As in `infer`.

        Raises:
            ValueError: particles < 1, or a model whose coordinates predict the next point.
        """
        check_at_least("particles", particles, 1)
        points, observed = self._given(x, mask)
        given = self._condition(condition, points.shape[1])
        per_step = log_evidence_per_step(self.vrnn, points, particles, observed, self._generator(seed), given)
        known = per_step.masked_fill(~observed, torch.nan)
        return LogLikelihood(_like(x, known), _like(x, per_step.sum(0, keepdim=True), whole=True))

    def generate(
        self,
        n: int,
        steps: int,
        prefix: Any = None,
        sample: bool = True,
        temperature: float = 1.0,
        z_temperature: float = 1.0,
        seed: int = 0,
        condition: Any = None,
    ) -> NDArray[np.float64] | Tensor:
        """Return sequences drawn from the prior, (steps, n, x_dim); a tensor if the prefix is one, else an array.

        Args:
            n: How many.
            steps: Points in each.
            prefix: What they continue, (T, x_dim) for all or (T, n, x_dim); not repeated in the result.
            sample: Whether each point is drawn from the decoder; False: its mean.
            temperature: Of the decoder, as in `VRNN.generate`.
            z_temperature: Of the prior.
            seed: Of the noise.
            condition: As in `infer`; exogenous series are those of the prefix's steps and then of those that are drawn.

        Raises:
            ValueError: What `VRNN.generate` refuses, or a prefix with missing points.
        """
        points = None if prefix is None else self._given(prefix, None)
        if points is not None and not points[1].all():
            raise ValueError("prefix must have all its points, but some are missing: fill them in, as `impute` does.")
        start = None if points is None else points[0].expand(-1, n, -1)
        given = self._condition(condition, n)
        generator = self._generator(seed)
        drawn = self.vrnn.generate(n, steps, start, sample, generator, temperature, z_temperature, given)
        points_drawn = self.units.to_units(drawn.double().cpu().numpy())
        return torch.as_tensor(points_drawn) if isinstance(prefix, Tensor) else points_drawn

    def impute(
        self,
        x: Any,
        mask: Any = None,
        particles: int = 64,
        seed: int = 0,
        condition: Any = None,
    ) -> Any:
        """Return sequences with their missing points drawn from the model; observed points stay as they are.

        Args:
            x: (T, x_dim) or (T, B, x_dim).
            mask: (T,) or (T, B), False where a point is to be drawn, in addition to steps with NaN.
            particles: With 1, points are drawn given what comes before them; with more, given what comes after, too.
            seed: Of the noise.
            condition: As in `infer`.

        Raises:
            ValueError: particles < 1, or a model whose coordinates predict the next point.
        """
        check_at_least("particles", particles, 1)
        points, observed = self._given(x, mask)
        given = self._condition(condition, points.shape[1])
        filled = self.vrnn.impute(points, observed, self._generator(seed), particles, given)
        drawn = torch.as_tensor(self.units.to_units(filled.double().cpu().numpy()))
        given = torch.as_tensor(x, dtype=torch.float64).cpu().reshape(drawn.shape)
        return _like(x, torch.where(observed.cpu().unsqueeze(-1), given, drawn))

    def latents(self, x: Any, mask: Any = None, seed: int = 0, condition: Any = None) -> Any:
        """Return where q(z_t | …) is along sequences: means of a Gaussian z, probabilities of a categorical one.

        Args:
            x: (T, x_dim) or (T, B, x_dim).
            mask: (T,) or (T, B), False where there is no point, in addition to steps with NaN.
            seed: Of the noise.
            condition: As in `infer`.

        Returns:
            (T, d) or (T, B, d).
        """
        return _like(x, self.vrnn.latent.embedding(self.infer(x, mask, seed, condition).q))

    def condition_of(self, trace: Trace) -> str | NDArray[np.float64] | None:
        """Return what a trace of the run's data is conditioned on, as `infer` takes it; None for a run without a condition."""
        if self.vrnn.condition.labels:
            return self.vrnn.condition.labels[trace.label]
        if not isinstance(self.vrnn.condition, SeriesCondition) or self.units.exogenous is None:
            return None
        assert trace.exogenous is not None
        return self.units.exogenous.to_units(trace.exogenous)

    def _condition(self, condition: Any, n: int) -> Tensor | None:
        """Return the condition of n sequences as the networks see it."""
        if (
            self.units.exogenous is not None
            and isinstance(self.vrnn.condition, SeriesCondition)
            and condition is not None
        ):
            condition = self.units.exogenous.from_units(as_numbers(condition))
        return self.vrnn.condition.as_tensor(condition, n)

    def _given(self, x: Any, mask: Any) -> tuple[Tensor, Tensor]:
        """Return sequences as the networks see them, (T, B, x_dim), and where they have a point, (T, B)."""
        given = torch.as_tensor(x).detach().cpu().double().numpy()
        if given.ndim not in (2, 3) or given.shape[-1] != self.vrnn.x_dim or not len(given):
            raise ValueError(
                f"x must have the shape (T, {self.vrnn.x_dim}) or (T, B, {self.vrnn.x_dim}), T >= 1, but has {given.shape}."
            )
        parameter = next(self.vrnn.parameters())
        points = torch.as_tensor(self.units.from_units(given)).to(parameter)
        points = points.unsqueeze(1) if points.dim() == 2 else points
        observed = points.isfinite().all(-1)
        if mask is not None:
            wanted = torch.as_tensor(mask, dtype=torch.bool).to(observed.device)
            if wanted.shape != given.shape[:-1]:
                raise ValueError(f"mask must have the shape {given.shape[:-1]}, but has {tuple(wanted.shape)}.")
            observed = observed & wanted.reshape(observed.shape)
        return points, observed

    def _generator(self, seed: int) -> torch.Generator:
        return torch.Generator(device=self.vrnn.device).manual_seed(seed)


def as_numbers(condition: Any) -> NDArray[np.float64]:
    """Return exogenous series as an array.

    Raises:
        ValueError: They are no numbers.
    """
    try:
        return np.asarray(torch.as_tensor(condition).detach().cpu(), dtype=np.float64)
    except (ValueError, TypeError, RuntimeError) as error:
        raise ValueError(f"condition must be exogenous series, arrays of numbers, but is {condition!r}.") from error


def _like(x: Any, result: Tensor, whole: bool = False) -> Any:
    """Return a result (T, B, …), or (1, B, …) of whole sequences, of the kind and the number of sequences of x."""
    result = result.squeeze(1) if np.ndim(x) == 2 else result
    result = result.squeeze(0) if whole else result
    return result if isinstance(x, Tensor) else result.double().cpu().numpy()
