"""What a model is conditioned on: a context c_t that all six networks see beside their other inputs."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from typing_extensions import override

from vrnn.checks import check_at_least, require


class NoCondition(nn.Module):
    """No context. Labels of traces are ignored.

    Args:
        labels: Unused: the arguments are those of the other conditions.
    """

    dim = 0

    def __init__(self, labels: Sequence[str] = ()):
        super().__init__()
        self.labels: tuple[str, ...] = ()

    def indices(self, names: str | Sequence[str] | None, n: int) -> None:
        """Refuse labels.

        Raises:
            ValueError: There are some.
        """
        require(
            names is None, "condition", "left out for a model without a condition", names, "train with condition=label"
        )

    @override
    def forward(self, condition: Tensor | None, steps: int, batch: int) -> None:
        return None


class LabelCondition(nn.Module):
    """A label per trace: c_t is the label's embedding, the same at every step.

    Args:
        labels: The names of the classes.
        dim: Width of the embedding.

    Raises:
        ValueError: There are no labels, or a width below 1.
    """

    def __init__(self, labels: Sequence[str], dim: int = 8):
        super().__init__()
        if not labels:
            raise ValueError(
                "condition=label needs a dataset with labels, but this one has none: say by dataset.label where those of your "
                "files are, as in dataset.label=folder, or try dataset=classes."
            )
        self.labels, self.dim = tuple(labels), int(check_at_least("condition.dim", dim, 1))
        self.embedding = nn.Embedding(len(self.labels), self.dim)

    def indices(self, names: str | Sequence[str] | None, n: int) -> Tensor:
        """Return the labels of n traces as `forward` takes them, (n,).

        Args:
            names: One label for all, or one for each.
            n: The number of traces.

        Raises:
            ValueError: They are missing, unknown, or not n.
        """
        known = f"one of {', '.join(self.labels)}"
        given = [names] * n if isinstance(names, str) else list(names or [])
        if not given:
            raise ValueError(f"condition must be {known}, but is missing.")
        for name in given:
            require(name in self.labels, "condition", known, name)
        require(len(given) == n, "condition", f"one label, or one for each of {n} sequences", names)
        return torch.tensor([self.labels.index(name) for name in given], device=self.embedding.weight.device)

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


def beside(context: Tensor | None, *parts: Tensor) -> Tensor:
    """Return the input of a network: the context, if there is one, and the other parts side by side."""
    inputs = parts if context is None else (context, *parts)
    return inputs[0] if len(inputs) == 1 else torch.cat(inputs, dim=-1)
