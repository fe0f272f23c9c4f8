"""The variational recurrent neural network of Chung et al. 2015 (arXiv 1506.02216)."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from vrnn.checks import check_positive, require
from vrnn.engine import dispatch
from vrnn.engine.interface import Noise, Sampling
from vrnn.model import particles as particle_filter
from vrnn.model.inference import InferenceModel
from vrnn.networks.condition import of_steps

STREAM_STEPS = 1024  # steps generated at a time; the noise is drawn for as many


class VRNN(InferenceModel):
    """The six networks and what they can do: infer, generate, reconstruct, impute.

    See `InferenceModel` for `infer` and the arguments, `SixNetworks` for the networks and their equations.
    """

    def generate(
        self,
        n: int,
        steps: int,
        prefix: Tensor | None = None,
        sample: bool = True,
        generator: torch.Generator | None = None,
        temperature: float = 1.0,
        z_temperature: float = 1.0,
        condition: Tensor | None = None,
    ) -> Tensor:
        """Return n traces drawn from the prior, (steps, n, x_dim).

        Args:
            n: Number of traces.
            steps: Points per trace.
            prefix: Points that the traces continue, (T, x_dim) for all or (T, n, x_dim); not repeated in the result.
            sample: Whether each point is drawn from the decoder. False takes the decoder's mean; z is still drawn.
            generator: For the noise; None: torch's global generator.
            temperature: Of the decoder: standard deviations are multiplied by its square root, the logarithms of mixture
                weights and the logits of binary coordinates divided by it; see `Likelihood.temper`. 1 draws from the model.
            z_temperature: Likewise of the prior's standard deviations and class probabilities; see `Latent.temper`.
            condition: Each trace's label, (n,) int, or its exogenous series, (T, n, c), at the steps of the prefix and those
                that are generated; for a model that was made with a condition.

        Raises:
            ValueError: n or steps below 1, a temperature that is not positive, a decoder's temperature with sample=False, one
                that a class of the model does not define, or a condition that is missing or of another kind or length.
        """
        return torch.cat(list(self.stream(n, steps, prefix, sample, generator, temperature, z_temperature, condition)))

    def stream(
        self,
        n: int,
        steps: int,
        prefix: Tensor | None = None,
        sample: bool = True,
        generator: torch.Generator | None = None,
        temperature: float = 1.0,
        z_temperature: float = 1.0,
        condition: Tensor | None = None,
    ) -> Iterator[Tensor]:
        """Yield the points of `generate` in pieces of at most STREAM_STEPS steps, so that memory does not grow with `steps`.

        The arguments are those of `generate`.
        """
        if n < 1 or steps < 1:
            raise ValueError(f"n and steps must be at least 1, but are {n} and {steps}.")
        check_positive("temperature", temperature)
        check_positive("z_temperature", z_temperature)
        if not sample and temperature != 1:
            raise ValueError(
                f"temperature must be 1 with sample=False, which takes the decoder's mean, but is {temperature}."
            )
        before = 0 if prefix is None else len(prefix)
        if condition is not None and condition.dim() == 3:
            require(len(condition) == before + steps, "the steps of condition", str(before + steps), len(condition))
        return self._stream(n, steps, prefix, Sampling(sample, temperature, z_temperature), generator, condition)

    @torch.no_grad()
    def _stream(
        self,
        n: int,
        steps: int,
        prefix: Tensor | None,
        sampling: Sampling,
        generator: torch.Generator | None,
        condition: Tensor | None,
    ) -> Iterator[Tensor]:
        state, before = self.initial_state(n), 0
        if prefix is not None:
            prefix = prefix.to(state.memory)
            per_trace = prefix.unsqueeze(1).expand(-1, n, -1) if prefix.dim() == 2 else prefix
            before = len(prefix)
            known = of_steps(condition, 0, before)
            state = self.infer(per_trace, state, generator=generator, condition=known).state
        elif self.beginning is not None:
            first = self.beginning.sample(n, generator).unsqueeze(0)
            state, steps = self.infer(first, state, generator=generator).state, steps - 1
            yield first
        for start in range(0, steps, STREAM_STEPS):
            length = min(STREAM_STEPS, steps - start)
            noise = Noise.draw(length, n, self.latent, self.x_dim, like=state.memory, generator=generator)
            given = of_steps(condition, before + start, before + start + length)
            context = self.condition(given, length, n)
            points, state = dispatch.generate(self, self.engine, noise, state, sampling, context)
            yield points

    @torch.no_grad()
    def reconstruct(
        self,
        x: Tensor,
        mask: Tensor | None = None,
        generator: torch.Generator | None = None,
        condition: Tensor | None = None,
    ) -> Tensor:
        """Return the decoder's means along observed points, z drawn from the posterior, (T, B, x_dim).

        Args:
            x: (T, B, x_dim).
            mask: (T, B), as in `infer`; None: x holds a point everywhere.
            generator: For the noise; None: torch's global generator.
            condition: As in `infer`.
        """
        run = self.infer(x, mask=mask, generator=generator, condition=condition)
        return self.moments(run).mean

    @torch.no_grad()
    def impute(
        self,
        x: Tensor,
        mask: Tensor,
        generator: torch.Generator | None = None,
        particles: int = 1,
        condition: Tensor | None = None,
    ) -> Tensor:
        """Return x with its missing points drawn from the model.

        Args:
            x: (T, B, x_dim).
            mask: (T, B), False where a point is missing.
            generator: For the noise; None: torch's global generator.
            particles: With 1, missing points are drawn given what comes before them; with more, given what comes after them,
                too: see `vrnn.model.particles.impute`.
            condition: As in `infer`.

        Raises:
            ValueError: Shapes as in `infer`; gaps and predictive coordinates.
        """
        if particles > 1:
            return particle_filter.impute(self, x, mask, particles, generator, condition)
        return self.infer(x, mask=mask, generator=generator, fill=True, condition=condition).filled
