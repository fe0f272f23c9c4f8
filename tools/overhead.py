"""What Lightning, our module, loader and callbacks cost beside a training step: `python tools/overhead.py`.

Trains W2 of scripts/benchmark.py (the blog's sizes, B 32, T 250) as scripts/train.py does, with its bar and TensorBoard, and
after every so many steps makes as many by a plain loop over the same networks' twin: forward, loss, backward, Adam. Prints the
median, over these turns, of one step's time by either and of their ratio. Validation and checkpoints, which come every few
hundred steps, stay outside. Further arguments are overrides of the configuration: `python tools/overhead.py recurrence=lstm`.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from pytorch_lightning import Callback, Trainer

from vrnn.runs.benchmark import training_step
from vrnn.runs.build import build_run, build_vrnn
from vrnn.runs.config import check, conf_directory, register
from vrnn.runs.tensorboard import HyperParameters, hparams_row
from vrnn.training.callbacks import ProgressBar
from vrnn.training.signals import Interruption
from vrnn.training.trainer import fit

TURN, TURNS = 25, 12  # steps in a turn, and turns
SETTINGS = [
    "model=blog",
    "data={traces: 64, steps: 2000, window: 250, batch_size: 32, val_traces: 1, eval_steps: 2}",
    f"training={{steps: {TURN * TURNS}, log_every: 25, val_every: {TURN * TURNS}, checkpoint_every: {TURN * TURNS}}}",
]


class Turns(Callback):
    """Keeps the seconds of each turn of steps, and of as many calls of `plain` after it."""

    def __init__(self, plain: Callable[[], object]):
        self.plain, self.since = plain, 0.0
        self.seconds: list[tuple[float, float]] = []

    def on_train_batch_end(self, trainer: Trainer, *arguments: Any) -> None:
        """The first turn only warms up."""
        if trainer.global_step % TURN:
            return
        end = time.perf_counter()
        for _ in range(TURN):
            self.plain()
        start, self.since = self.since, time.perf_counter()
        if start:
            self.seconds.append((end - start, self.since - end))


def main() -> None:
    """Train, and print."""
    register()
    with initialize_config_dir(str(conf_directory()), version_base="1.3"):
        settings = check(compose("train", overrides=[*SETTINGS, *sys.argv[1:]]))
    _, module, data = build_run(settings)
    x = next(iter(data.train_dataloader())).x
    twin = build_vrnn(settings)
    turns = Turns(training_step(twin, lambda: twin.infer(x), x))
    shown = [
        HyperParameters(hparams_row([], settings), []),
        ProgressBar(refresh_rate=settings["training"]["log_every"]),
    ]
    with tempfile.TemporaryDirectory() as directory, Interruption() as interruption:
        fit(module, data, Path(directory), settings["training"], settings["trainer"], interruption, [*shown, turns])
    ours, plain = (1e3 * statistics.median(times) / TURN for times in zip(*turns.seconds, strict=True))
    overhead = statistics.median(a / b for a, b in turns.seconds) - 1
    print(f"\na step: {ours:.2f} ms by Lightning, {plain:.2f} ms by the plain loop; overhead {100 * overhead:.1f} %")


if __name__ == "__main__":
    main()
