"""How a set of drawings becomes a training: what it is taken for, for how long, and the drawings as the model sees them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from vrnn.checks import check_choice, require
from vrnn.draw.drawings import DrawingSet, View, normalised_junction, view_of
from vrnn.patterns.drawn_laps import DrawnLaps
from vrnn.patterns.drawn_strokes import DrawnStrokes
from vrnn.patterns.files.read import load_drawings
from vrnn.patterns.resampling import at_constant_speed

Points = NDArray[np.float64]

INTERVAL = 20  # milliseconds between two points of strokes, as the model sees them


class Preset(NamedTuple):
    """How long a training takes.

    Attributes:
        steps: Of the optimizer.
        about: Until the scores, on one core.
        overrides: Of `vrnn train`, beside the experiment's.
    """

    steps: int
    about: str
    overrides: tuple[str, ...] = ()


@dataclass(frozen=True)
class Recipe:
    """What a kind of set is trained by.

    Attributes:
        experiment: One of conf/experiment.
        presets: By name, the shortest first.
        dataset: Settings of its dataset, beside the files.
    """

    experiment: str
    presets: Mapping[str, Preset]
    dataset: Mapping[str, Any]

    def overrides(self, file: Path, preset: str, dataset: Mapping[str, Any], name: str) -> list[str]:
        """Return the arguments of `vrnn train`.

        Args:
            file: The drawings.
            preset: One of its presets.
            dataset: Further settings of the dataset.
            name: The run's.
        """
        quoted = str(file).replace("\\", "\\\\").replace('"', '\\"')
        settings = {**self.dataset, **dataset}
        return [
            f"experiment={self.experiment}",
            f'dataset.files=["{quoted}"]',
            *(f"dataset.{key}={value}" for key, value in settings.items()),
            *self.presets[preset].overrides,
            f"training.steps={self.presets[preset].steps}",
            f"name={name}",
        ]


# Kernels are not compiled for it: that takes longer than the training.
TINY = Preset(
    400,
    "20 seconds",
    (
        "model=tiny",
        "engine=reference",
        "data={traces: 64, steps: 256, window: 64, batch_size: 16, val_traces: 4, test_traces: 4, eval_steps: 256}",
        "evaluation={traces: 4, steps: 256}",
        "training={log_every: 5, val_every: 100, checkpoint_every: 25, figure_every: 1000}",
    ),
)
RECIPES = {
    "laps": Recipe(
        "drawing",
        {
            "tiny": TINY,
            "quick": Preset(
                1500, "1 to 2 minutes", ("training={val_every: 250, checkpoint_every: 100, figure_every: 1500}",)
            ),
            "whole": Preset(5000, "5 minutes"),
        },
        {},
    ),
    "strokes": Recipe(
        "strokes",
        {
            "tiny": TINY,
            "quick": Preset(
                1000, "half a minute", ("training={val_every: 250, checkpoint_every: 100, figure_every: 1000}",)
            ),
            "whole": Preset(3000, "1 to 2 minutes"),
        },
        {"interval": INTERVAL},
    ),
}


class Seen(NamedTuple):
    """Drawings as the model sees them, on the canvas.

    Attributes:
        kind: One of KINDS.
        lines: Each a list of points [x, y], a point per step.
        shapes: The shape of each line; all 0 for strokes.
        says: What they are, in a sentence.
    """

    kind: str
    lines: list[list[list[float]]]
    shapes: list[int]
    says: str


def dataset_settings(kind: str, file: Path, given: DrawingSet) -> dict[str, Any]:
    """Return the settings of the dataset that a set's own marks make.

    Raises:
        ValueError: A junction on a drawing that is too short.
    """
    if kind != "laps" or given.junction is None:
        return {}
    return {"junction": normalised_junction(file, given.junction)}


def suggested_kind(file: Path, given: DrawingSet) -> str:
    """Return the kind of a set for which none is chosen: laps, where each drawing is one stroke of laps through one point."""
    if any(len(strokes) > 1 for strokes in given.drawings):
        return "strokes"
    try:
        laps = DrawnLaps([str(file)], **dataset_settings("laps", file, given))
    except ValueError:
        return "strokes"
    return "laps" if sum(len(pool["train"]) for pool in laps.laps) >= 3 else "strokes"


def as_seen(kind: str, file: Path, given: DrawingSet) -> Seen:
    """Return a set's drawings as the model sees them, by the same code as its training.

    Raises:
        ValueError: They cannot be learned as this kind; the message says why.
    """
    check_choice("kind", kind, tuple(RECIPES))
    require(any(given.drawings), "the set", "one drawing or more", "empty", "draw something")
    settings = {**RECIPES[kind].dataset, **dataset_settings(kind, file, given)}
    return _seen_laps(file, settings) if kind == "laps" else _seen_strokes(file, settings)


def _seen_laps(file: Path, settings: Mapping[str, Any]) -> Seen:
    pattern = DrawnLaps([str(file)], **settings)
    view = view_of(file)
    lines, shapes = [], []
    for shape, pools in enumerate(pattern.laps):
        for path in {id(path): path for pool in pools.values() for path in pool}.values():
            lines.append(_on_canvas(view, at_constant_speed(path, pattern.speed)))
            shapes.append(shape)
    counts = [shapes.count(shape) for shape in range(len(pattern.laps))]
    each = " and ".join(f"{count} of shape {shape + 1}" for shape, count in enumerate(counts))
    says = f"{len(lines)} laps" + (f": {each}" if len(counts) > 1 else ", all of one shape")
    return Seen("laps", lines, shapes, f"{says}. {_odds(pattern)}")


def _odds(pattern: DrawnLaps) -> str:
    """Return in words which shape follows which, as counted."""
    automaton = pattern.automaton
    if len(automaton.names) == 1:
        return "What it learns is the shape, and how laps differ."
    rows = []
    for name, row in zip(automaton.names, automaton.matrix, strict=True):
        likely = int(np.argmax(row))
        rows.append(f"after {_words(name)}, {_words(automaton.names[likely])} in {100 * row[likely]:.0f} %")
    said = "; ".join(rows)
    return f"{said[:1].upper()}{said[1:]}."


def _words(name: str) -> str:
    return name.replace("_", " ")


def _seen_strokes(file: Path, settings: Mapping[str, Any]) -> Seen:
    pattern = DrawnStrokes([str(file)], holdout=0, **settings)
    timed = [drawing.at_interval(name, settings["interval"]) for name, drawing in load_drawings(file).items()]
    lines = [(stroke * [1.0, -1.0]).round(1).tolist() for drawing in timed for stroke in drawing.strokes]
    steps = sum(len(trace.points) for trace in pattern.sources["train"])
    strokes = "1 stroke" if len(lines) == 1 else f"{len(lines)} strokes"
    return Seen("strokes", lines, [0] * len(lines), f"{strokes}, {steps} steps of {settings['interval']} ms.")


def _on_canvas(view: View, points: Points) -> list[list[float]]:
    placed: list[list[float]] = view.to_canvas(points).round(1).tolist()
    return placed
