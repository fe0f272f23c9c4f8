"""Sequences of your own: a pattern is one class. `python examples/own_pattern.py` trains on it with Lightning's Trainer.

From the command line it is a dataset as any other. With a file `dataset/sines.yaml` in a directory of your own,

    _target_: own_pattern.Sines

the command is `PYTHONPATH=examples vrnn train --config-dir DIRECTORY allow=[vrnn,own_pattern] dataset=sines`.
"""

import sys

import numpy as np
import torch
from pytorch_lightning import Trainer

from vrnn import VRNN
from vrnn.data import TraceDataModule
from vrnn.objective import LinearW
from vrnn.patterns import Pattern, Split, Trace
from vrnn.training.lightning_module import VRNNModule


class Sines(Pattern):
    """Points on a unit circle; at each step the sense of rotation changes with probability 1/20.

    Args:
        noise: Standard deviation of the noise at every step, in units of x.
    """

    x_dim = 2
    form = "plane"  # how sequences are plotted and written: "plane", "strokes" or "image"
    names = ("anticlockwise", "clockwise")

    def __init__(self, noise: float = 0.02) -> None:
        self.noise = noise

    def draw(self, split: Split, n: int, steps: int, rng: np.random.Generator) -> list[Trace]:
        """Return n traces of `steps` points; the same generator state gives the same traces."""
        traces = []
        for _ in range(n):
            state = np.cumsum(rng.random(steps) < 0.05) % 2
            angle = np.cumsum(0.25 * (1 - 2 * state))
            points = np.stack([np.cos(angle), np.sin(angle)], axis=1) + self.noise * rng.standard_normal((steps, 2))
            lap = np.full(steps, -1)  # these sequences have no laps
            traces.append(Trace(points, state, lap))
        return traces


def main(steps: int) -> None:
    """Train for so many optimiser steps and print the held-out bound."""
    torch.manual_seed(0)
    data = TraceDataModule(
        Sines(), batches=steps, seed=0, traces=128, steps=256, window=64, batch_size=32, eval_steps=256
    )
    module = VRNNModule(VRNN(x_dim=2, z_dim=2, h_dim=32), LinearW(steps=max(1, steps // 3)), steps=steps)
    trainer = Trainer(max_steps=steps, accelerator="cpu", logger=False, enable_checkpointing=False)
    trainer.fit(module, datamodule=data)
    print(f"held-out ELBO {float(trainer.callback_metrics['val/elbo']):.3f} nats per step")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 400)
