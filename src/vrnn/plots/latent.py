"""The figure of the latent variables: the KL along a held-out trace, the prior along a generated one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from vrnn.plots.style import HUES, INK, INVALID, QUIET, TIME, WRONG, Array, plain_axes, roomy

MOST_LABELLED = 10  # values of a step that a legend names
MAX_VARIABLES = 4  # of a categorical latent, a panel each

# Where laps begin, to be marked in a figure: (step, label of the lap); the step may be a fraction.
Marks = Sequence[tuple[float, str]]


@dataclass(frozen=True)
class Spread:
    """The spread of the prior at each step of a trace, one panel of the figure: how uncertain the next z is.

    Attributes:
        title: Says what the values are.
        values: (T, n), for example the standard deviations of n latent dimensions, or the probabilities of n classes.
        stacked: Whether the n values of a step sum to 1, and are plotted as stacked areas instead of lines.
    """

    title: str
    values: Array
    stacked: bool = False


def spreads(prior: tuple[Any, ...]) -> list[Spread]:
    """Return the spread of a prior: standard deviations of a Gaussian, class probabilities of each categorical variable.

    Args:
        prior: The parameters of the distributions over z along one trace, a tuple of tensors (T, 1, …).
    """
    found = []
    if (std := getattr(prior, "std", None)) is not None:
        found.append(Spread("standard deviations of the prior", std[:, 0].double().cpu().numpy()))
    if (log_probs := getattr(prior, "log_probs", None)) is not None:
        probs = log_probs[:, 0, :MAX_VARIABLES].exp().double().cpu().numpy()
        title = "class probabilities of the prior"
        found += [
            Spread(f"{title}, variable {i}" if i else title, probs[:, i], stacked=True) for i in range(probs.shape[1])
        ]
    return found


def plot_latent(kl: Array, marks: Marks, spreads: Sequence[Spread], generated_marks: Marks) -> Figure:
    """Plot the KL along a held-out trace, and below it the spread of the prior along a generated trace.

    Args:
        kl: (T,), KL(q‖p) at each step of the held-out trace, in nats per step.
        marks: Where the laps of the held-out trace begin.
        spreads: A panel each; none for a latent of a kind that is not known here.
        generated_marks: Where the laps of the generated trace begin.

    Raises:
        ValueError: `kl` does not have the shape (T,) with T >= 1.
    """
    kl = np.asarray(kl, dtype=np.float64)
    if kl.ndim != 1 or kl.size == 0:
        raise ValueError(f"kl must have the shape (T,) with T >= 1, but has {kl.shape}.")
    labels = sorted({label for _, label in (*marks, *generated_marks)} - {INVALID})
    hues = {label: HUES[i % len(HUES)] for i, label in enumerate(labels)} | {INVALID: WRONG}
    figure = Figure(figsize=(10.5, 2.2 + 1.6 * len(spreads)), dpi=110, layout=roomy())
    axes = figure.subplots(1 + len(spreads), 1, sharex=True, squeeze=False)[:, 0]
    axes[0].fill_between(np.arange(len(kl)), kl, color=QUIET, step="mid", linewidth=0)
    axes[0].plot(kl, color=INK, linewidth=0.9, drawstyle="steps-mid")
    axes[0].set_ylim(bottom=0.0)
    axes[0].set_title("KL along a held-out trace, nats per step", fontsize=10, color=INK, pad=20)
    _mark_laps(axes[0], marks, hues, len(kl))
    for i, (ax, spread) in enumerate(zip(axes[1:], spreads, strict=True)):
        _plot_spread(ax, spread)
        ax.set_title(f"{spread.title} along a generated trace", fontsize=10, color=INK, pad=6 if i else 20)
        _mark_laps(ax, generated_marks, hues, len(spread.values), with_labels=not i)
    axes[-1].set_xlabel("step", fontsize=9, color=INK)
    axes[-1].set_xlim(0, max(len(kl), *(len(spread.values) for spread in spreads), 2) - 1)
    for ax in axes:
        plain_axes(ax)
        ax.grid(axis="x", visible=False)
    return figure


def _plot_spread(ax: Axes, spread: Spread) -> None:
    """Plot the values of a spread over the steps."""
    steps, values = np.arange(len(spread.values)), np.asarray(spread.values, dtype=np.float64)
    count = values.shape[1]
    colours = HUES[:count] if count <= len(HUES) else TIME(np.linspace(0.0, 1.0, count))
    labels = [f"{'class' if spread.stacked else 'z'} {i}" for i in range(count)]
    if spread.stacked:
        ax.stackplot(steps, values.T, labels=labels, colors=colours, alpha=0.55, linewidth=0)
        ax.set_ylim(0.0, 1.0)
    else:
        for line, colour, label in zip(values.T, colours, labels, strict=True):
            ax.plot(steps, line, color=colour, linewidth=1.0, label=label)
        ax.set_ylim(bottom=0.0)
    if count <= MOST_LABELLED:
        ax.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), fontsize=7, frameon=False, labelcolor=INK)


def _mark_laps(ax: Axes, marks: Marks, hues: Mapping[str, str], steps: int, with_labels: bool = True) -> None:
    """Draw a vertical line where each lap begins, in its label's colour, and on request the label above it."""
    for step, label in marks:
        if not 0 <= step < steps:
            continue
        hue = hues[label]
        ax.axvline(step, color=hue, linewidth=1.0, linestyle=(0, (4, 2)))
        if with_labels:
            ax.text(step, 1.02, label, transform=ax.get_xaxis_transform(), fontsize=7, color=hue, clip_on=False)
