"""Where the latent variables work: the KL along a held-out trace, the prior along a generated one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from vrnn.plots.style import HUES, INK, INVALID, QUIET, TIME, WRONG, Array, plain_axes, roomy


def plot_transitions(names: Sequence[str], truth: Array, model: Array, se: Array) -> Figure:
    """Draw the transition matrix of the truth beside the model's, as heat maps with numbers.

    names: n states. truth, model, se: (n, n), rows = from, columns = to; NaN (a state never left) is drawn as a dash.

    Raises:
        ValueError: a matrix that is not (n, n).
    """
    n = len(names)
    for what, matrix in (("truth", truth), ("model", model), ("se", se)):
        if np.shape(matrix) != (n, n):
            raise ValueError(f"{what}: expected a matrix of shape {(n, n)} for {n} names, got {np.shape(matrix)}")
    cell = 0.9
    figure = Figure(figsize=(2 * n * cell + 2.2, n * cell + 1.2), dpi=110, layout=roomy())
    axes = figure.subplots(1, 2, sharey=True)
    for ax, title, matrix, errors in ((axes[0], "truth", truth, None), (axes[1], "model", model, se)):
        ax.imshow(np.asarray(matrix, dtype=np.float64), vmin=0.0, vmax=1.0, cmap="Blues")
        for (row, column), share in np.ndenumerate(matrix):
            error = "" if errors is None else f"\n± {errors[row][column]:.3f}"
            label = f"{share:.2f}{error}" if np.isfinite(share) else "-"
            ax.text(column, row, label, ha="center", va="center", fontsize=9, color="white" if share > 0.55 else INK)
        ax.set_xticks(range(n), labels=names, fontsize=9, rotation=0 if max(map(len, names)) < 10 else 30, color=INK)
        ax.set_yticks(range(n), labels=names, fontsize=9, color=INK)
        ax.set_title(title, fontsize=11, color=INK)
        ax.set_xlabel("to", fontsize=9, color=INK)
        ax.tick_params(length=0)
        ax.spines[:].set_visible(False)
    axes[0].set_ylabel("from", fontsize=9, color=INK)
    return figure


MAX_VARIABLES = 4  # panels for a categorical latent


@dataclass(frozen=True)
class Spread:
    """How wide the prior is along a trace. title: what the values (T, n) are; stacked: whether a step's n add up to 1."""

    title: str
    values: Array
    stacked: bool = False


Marks = Sequence[tuple[float, str]]  # when a lap begins, and what it is called


def spreads(prior: tuple[Any, ...]) -> list[Spread]:
    """Return how wide a prior is: a Gaussian's standard deviations, and the class probabilities of categorical variables.

    Args:
        prior: A distribution over z along one trace, tensors (T, 1, …).
    """
    found = []
    if (std := getattr(prior, "std", None)) is not None:
        found.append(Spread("the prior's standard deviations", std[:, 0].double().cpu().numpy()))
    if (log_probs := getattr(prior, "log_probs", None)) is not None:
        probs = log_probs[:, 0, :MAX_VARIABLES].exp().double().cpu().numpy()
        title = "the prior's class probabilities"
        found += [
            Spread(f"{title}, variable {i}" if i else title, probs[:, i], stacked=True) for i in range(probs.shape[1])
        ]
    return found


def plot_latent(kl: Array, marks: Marks, spreads: Sequence[Spread], generated_marks: Marks) -> Figure:
    """Draw where the latent variables work: the KL along a held-out trace, and below it the prior along a generated one.

    kl: (T,), KL(q‖p) in nats a step. spreads: a panel each, for example the prior's standard deviations as lines, or a
    variable's class probabilities stacked. marks, generated_marks: (step, name) where a lap begins.

    Raises:
        ValueError: kl that is not (T,) with T >= 1, or no spreads.
    """
    kl = np.asarray(kl, dtype=np.float64)
    if kl.ndim != 1 or kl.size == 0 or not spreads:
        raise ValueError(f"expected kl of shape (T,) with T >= 1 and a spread or more, got {kl.shape}, {len(spreads)}")
    names = sorted({name for _, name in (*marks, *generated_marks)} - {INVALID})
    hues = {name: HUES[i % len(HUES)] for i, name in enumerate(names)} | {INVALID: WRONG}
    height = 2.2 + 1.6 * len(spreads)
    figure = Figure(figsize=(10.5, height), dpi=110, layout=roomy())
    axes = figure.subplots(1 + len(spreads), 1, sharex=True)
    axes[0].fill_between(np.arange(len(kl)), kl, color=QUIET, step="mid", linewidth=0)
    axes[0].plot(kl, color=INK, linewidth=0.9, drawstyle="steps-mid")
    axes[0].set_ylim(bottom=0.0)
    axes[0].set_title("KL along a held-out trace, nats a step", fontsize=10, color=INK, pad=20)
    _mark(axes[0], marks, hues, len(kl))
    for i, (ax, spread) in enumerate(zip(axes[1:], spreads, strict=True)):
        steps, values = np.arange(len(spread.values)), np.asarray(spread.values, dtype=np.float64)
        count = values.shape[1]
        colours = HUES[:count] if count <= len(HUES) else TIME(np.linspace(0.0, 1.0, count))
        if spread.stacked:
            ax.stackplot(steps, values.T, colors=colours, alpha=0.55, linewidth=0)
            ax.set_ylim(0.0, 1.0)
        else:
            for line, colour in zip(values.T, colours, strict=True):
                ax.plot(steps, line, color=colour, linewidth=1.0)
            ax.set_ylim(bottom=0.0)
        ax.set_title(f"{spread.title} along a generated trace", fontsize=10, color=INK, pad=6 if i else 20)
        _mark(ax, generated_marks, hues, len(values), named=not i)
    axes[-1].set_xlabel("step", fontsize=9, color=INK)
    axes[-1].set_xlim(0, max(len(kl), *(len(spread.values) for spread in spreads)) - 1)
    for ax in axes:
        plain_axes(ax)
        ax.grid(axis="x", visible=False)
    return figure


def _mark(ax: Axes, marks: Marks, hues: Mapping[str, str], steps: int, named: bool = True) -> None:
    """Draw a line where each lap begins, in its name's colour, and write the name above it."""
    for step, name in marks:
        if 0 <= step < steps:
            ax.axvline(step, color=hues[name], linewidth=1.0, linestyle=(0, (4, 2)))
            if named:
                ax.text(
                    step, 1.02, name, transform=ax.get_xaxis_transform(), fontsize=7, color=hues[name], clip_on=False
                )
