"""Noise in the networks while they train: dropout and noisy inputs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from vrnn.checks import check_at_least, require
from vrnn.distributed import sample_noise
from vrnn.networks.mlp import MLP


class Regularisation:
    """Noise in a model while it trains, drawn from torch's global generator. Evaluation and generation have none.

    Args:
        dropout: The probability with which each hidden unit of the MLPs is set to 0, at each step of each trace, in [0, 1). The
            others are divided by 1 - dropout (Srivastava et al. 2014). The recurrence has none.
        input_noise: Standard deviation of the noise added to the points that phi_x sees, in units of x, >= 0. The likelihood is
            that of the points themselves.

    Raises:
        ValueError: A number is out of its range.
    """

    def __init__(self, dropout: float = 0.0, input_noise: float = 0.0) -> None:
        require(0.0 <= dropout < 1.0, "regularisation.dropout", "in [0, 1)", dropout)
        self.dropout = dropout
        self.input_noise = check_at_least("regularisation.input_noise", input_noise, 0)

    @contextmanager
    def applied(self, model: nn.Module) -> Iterator[None]:
        """Drop hidden units of all MLPs of a model for the duration of the context."""
        mlps = [module for module in model.modules() if isinstance(module, MLP)] if self.dropout else []
        with ExitStack() as hooks:
            for mlp in mlps:
                for activation in list(mlp)[1::2]:
                    hooks.enter_context(activation.register_forward_hook(self._drop))
            yield

    def _drop(self, module: nn.Module, inputs: Any, units: Tensor) -> Tensor:
        kept = sample_noise(torch.rand, *units.shape, like=units) >= self.dropout
        return units * kept / (1.0 - self.dropout)

    def noisy(self, x: Tensor) -> Tensor | None:
        """Return the points that phi_x sees, (T, B, x_dim); None: x itself."""
        if not self.input_noise:
            return None
        return x + self.input_noise * sample_noise(torch.randn, *x.shape, like=x)
