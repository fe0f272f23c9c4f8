"""What a model is conditioned on: a context c_t that all six networks see beside their other inputs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn
from typing_extensions import override

from vrnn.checks import check_at_least, require
from vrnn.networks.mlp import MLP
from vrnn.patterns.units import NO_EXOGENOUS, NO_LABELS


class NoCondition(nn.Module):
    """No context. Labels and exogenous series of traces are ignored.

    Args:
        labels: Unused: the arguments are those of the other conditions.
        exogenous: Unused.
    """

    dim = 0

    def __init__(self, labels: Sequence[str] = (), exogenous: Sequence[str] = ()):
        super().__init__()
        self.labels: tuple[str, ...] = ()

    def as_tensor(self, given: Any, n: int) -> None:
        """Refuse a condition.

        Raises:
            ValueError: There is one.
        """
        fix = "train with condition=label or condition=series"
        require(given is None, "condition", "left out for a model without a condition", given, fix)

    @override
    def forward(self, condition: Tensor | None, steps: int, batch: int) -> None:
        return None


class LabelCondition(nn.Module):
    """A label per trace: c_t is the label's embedding, the same at every step.

    Args:
        labels: The names of the classes.
        dim: Width of the embedding.
        exogenous: Unused.

    Raises:
        ValueError: There are no labels, or a width below 1.
    """

    def __init__(self, labels: Sequence[str], dim: int = 8, exogenous: Sequence[str] = ()):
        super().__init__()
        if not labels:
            raise ValueError(NO_LABELS)
        self.labels, self.dim = tuple(labels), int(check_at_least("condition.dim", dim, 1))
        self.embedding = nn.Embedding(len(self.labels), self.dim)

    def as_tensor(self, given: Any, n: int) -> Tensor:
        """Return the labels of n traces as `forward` takes them, (n,).

        Args:
            given: One label for all, or one for each.
            n: The number of traces.

        Raises:
            ValueError: They are missing, unknown, or not n.
        """
        known = f"one of {', '.join(self.labels)}"
        names = [given] * n if isinstance(given, str) else [] if given is None else list(given)
        if not names:
            raise ValueError(f"condition must be {known}, but is missing.")
        for name in names:
            require(name in self.labels, "condition", known, name)
        require(len(names) == n, "condition", f"one label, or one for each of {n} sequences", given)
        return torch.tensor([self.labels.index(name) for name in names], device=self.embedding.weight.device)

    @override
    def forward(self, condition: Tensor | None, steps: int, batch: int) -> Tensor:
        """Return the context, (steps, batch, dim).

        Args:
            condition: (batch,) int, each trace's label as an index into `labels`.
            steps: T.
            batch: B.

        Raises:
            ValueError: Labels are missing, unknown, or not one per trace.
        """
        known = ", ".join(self.labels)
        if condition is None:
            raise ValueError(
                f"condition must be one of {known} per trace, since the model learned them, but is missing."
            )
        if condition.shape != (batch,):
            raise ValueError(f"condition must have shape (B,) = ({batch},), but has {tuple(condition.shape)}.")
        if len(condition) and not 0 <= int(condition.min()) <= int(condition.max()) < len(self.labels):
            raise ValueError(f"condition must be an index into the labels {known}, but is {condition.tolist()}.")
        return self.embedding(condition).expand(steps, -1, -1)


class SeriesCondition(nn.Module):
    """Exogenous series: c_t is an MLP of the numbers that are given for step t.

    Args:
        exogenous: What these numbers are called.
        hidden: Width of each layer of the MLP; the last one is that of the context.
        activation: Of the MLP, as of the other networks.
        labels: Unused.

    Raises:
        ValueError: There are no such series, or what `MLP` refuses.
    """

    def __init__(
        self,
        exogenous: Sequence[str],
        hidden: Sequence[int] = (32,),
        activation: str = "relu",
        labels: Sequence[str] = (),
    ):
        super().__init__()
        if not exogenous:
            raise ValueError(NO_EXOGENOUS)
        self.labels: tuple[str, ...] = ()
        self.exogenous = tuple(exogenous)
        for width in hidden:
            check_at_least("condition.hidden", width, 1)
        self.mlp = MLP(len(self.exogenous), hidden, activation)
        self.dim = self.mlp.out_dim

    def as_tensor(self, given: Any, n: int) -> Tensor:
        """Return the exogenous series of n traces as `forward` takes them, (T, n, c).

        Args:
            given: (T, c) for all, or (T, n, c), as the networks see them.
            n: The number of traces.

        Raises:
            ValueError: They are missing, no finite numbers, or of another shape.
        """
        names = ", ".join(self.exogenous)
        c = len(self.exogenous)
        if given is None:
            raise ValueError(f"condition must be the exogenous series {names}, (T, {c}), but is missing.")
        series = torch.as_tensor(given).to(next(self.mlp.parameters()))
        if series.shape[-1:] != (c,) or series.dim() not in (2, 3) or (series.dim() == 3 and series.shape[1] != n):
            raise ValueError(
                f"condition must be the exogenous series {names}, of shape (T, {c}) or (T, {n}, {c}), but has the shape "
                f"{tuple(series.shape)}."
            )
        require(bool(series.isfinite().all()), "condition", "finite at every step", "missing at some", "fill it in")
        return series.unsqueeze(1).expand(-1, n, -1) if series.dim() == 2 else series

    @override
    def forward(self, condition: Tensor | None, steps: int, batch: int) -> Tensor:
        """Return the context, (steps, batch, dim).

        Args:
            condition: (steps, batch, c), the exogenous series.
            steps: T.
            batch: B.

        Raises:
            ValueError: They are missing, or of another shape.
        """
        expected = (steps, batch, len(self.exogenous))
        if condition is None or condition.shape != expected:
            got = "is missing" if condition is None else f"has {tuple(condition.shape)}"
            names = ", ".join(self.exogenous)
            raise ValueError(
                f"condition must be the exogenous series {names} of shape (T, B, c) = {expected}, but {got}."
            )
        return cast(Tensor, self.mlp(condition.to(next(self.mlp.parameters()))))


Condition = NoCondition | LabelCondition | SeriesCondition


def of_traces(condition: Tensor | None, traces: Any) -> Tensor | None:
    """Return the condition of some traces: labels (B,) or series (T, B, c), indexed over B."""
    if condition is None:
        return None
    return condition[traces] if condition.dim() == 1 else condition[:, traces]


def of_steps(condition: Tensor | None, begin: int, end: int) -> Tensor | None:
    """Return the condition of the steps begin, …, end - 1: of labels (B,) it is the same."""
    return condition if condition is None or condition.dim() == 1 else condition[begin:end]


def repeat_traces(condition: Tensor | None, times: int) -> Tensor | None:
    """Return the condition of B traces for `times` copies of all, (times * B,) or (T, times * B, c)."""
    if condition is None:
        return None
    return condition.repeat(times) if condition.dim() == 1 else condition.repeat(1, times, 1)


def beside(context: Tensor | None, *parts: Tensor) -> Tensor:
    """Return the input of a network: the context, if there is one, and the other parts side by side."""
    inputs = parts if context is None else (context, *parts)
    return inputs[0] if len(inputs) == 1 else torch.cat(inputs, dim=-1)
