"""Measure the overhead of Lightning, our module, loader and callbacks: `python tools/overhead.py`.

Trains W2 of `vrnn benchmark` (the blog's sizes, B 32, T 250) as `vrnn train` does, with progress bar and TensorBoard. After
every TURN steps it makes as many by a plain loop over an equal model: forward, loss, backward, Adam. It prints the time per
step of both, as medians over the turns, and the median of their ratio. Validation and checkpoints, which come every few hundred
steps, are not included. Arguments are overrides of the configuration: `python tools/overhead.py recurrence=lstm`.
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
from typing_extensions import override

from vrnn.runs.build import build_run
from vrnn.runs.config import check
from vrnn.runs.parts import build_vrnn
from vrnn.runs.schema import conf_directory, register
from vrnn.runs.tensorboard import HyperParameters, hparams_row
from vrnn.runs.workloads import loss_of, training_step
from vrnn.training.callbacks import ProgressBar
from vrnn.training.signals import Interruption
from vrnn.training.trainer import fit

TURN, TURNS = 25, 12  # steps per turn, number of turns
SETTINGS = [
    "model=blog",
    "data={traces: 64, steps: 2000, window: 250, batch_size: 32, val_traces: 1, eval_steps: 2}",
    f"training={{steps: {TURN * TURNS}, log_every: 25, val_every: {TURN * TURNS}, checkpoint_every: {TURN * TURNS}}}",
]


class Turns(Callback):
    """Measures each turn of training steps, and as many plain steps after it.

    Args:
        plain_step: Makes one plain step.

    Attributes:
        seconds: Of each turn but the first, which only warms up: training steps, plain steps.
    """

    def __init__(self, plain_step: Callable[[], object]):
        self.plain_step, self.turn_start = plain_step, 0.0
        self.seconds: list[tuple[float, float]] = []

    @override
    def on_train_batch_end(self, trainer: Trainer, *arguments: Any) -> None:
        if trainer.global_step % TURN:
            return
        turn_end = time.perf_counter()
        for _ in range(TURN):
            self.plain_step()
        turn_start, self.turn_start = self.turn_start, time.perf_counter()
        if turn_start:
            self.seconds.append((turn_end - turn_start, self.turn_start - turn_end))


def main() -> None:
    """Train and print the overhead."""
    register()
    with initialize_config_dir(str(conf_directory()), version_base="1.3"):
        settings = check(compose("train", overrides=[*SETTINGS, *sys.argv[1:]]))
    _, module, data = build_run(settings)
    x = next(iter(data.train_dataloader())).x
    vrnn = build_vrnn(settings)
    turns = Turns(training_step(vrnn, lambda schedule: loss_of(vrnn, vrnn.infer(x), x, schedule)))
    callbacks: list[Callback] = [
        HyperParameters(hparams_row([], settings), []),
        ProgressBar(refresh_rate=settings["training"]["log_every"]),
        turns,
    ]
    with tempfile.TemporaryDirectory() as directory, Interruption() as interruption:
        fit(
            module=module,
            data=data,
            directory=Path(directory),
            settings_digest="",
            pace=settings["training"],
            trainer_options=settings["trainer"],
            interruption=interruption,
            extra_callbacks=callbacks,
        )
    ours, plain = (1e3 * statistics.median(times) / TURN for times in zip(*turns.seconds, strict=True))
    overhead = statistics.median(a / b for a, b in turns.seconds) - 1
    print(f"\nper step: {ours:.2f} ms by Lightning, {plain:.2f} ms by the plain loop; overhead {100 * overhead:.1f} %")


if __name__ == "__main__":
    main()
