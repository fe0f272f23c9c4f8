"""A film of the training: what the model generates from the same noise, at one validation after another."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from pytorch_lightning import Callback, LightningModule, Trainer
from tensorboard.compat.proto.summary_pb2 import Summary
from typing_extensions import override

from vrnn.checks import check_at_least
from vrnn.data.datamodule import TraceDataModule
from vrnn.data.loader import TraceSet
from vrnn.files import make_directory, write_atomically
from vrnn.networks.condition import of_steps
from vrnn.patterns.strokes import end_drawings
from vrnn.plots.sequences import SEQUENCE_PLOTS
from vrnn.training.callbacks import tensorboard_logger
from vrnn.training.lightning_module import VRNNModule

SIZE = (480, 480)  # pixels of a frame
COLOURS = 64
SHOWN, LAST_SHOWN = 200, 2000  # milliseconds: for which a frame and the last frame are shown


class Film(Callback):
    """Plots what the model generates at every validation, and joins the pictures into figures/film.gif at the end.

    The noise is the same each time, so what changes are the weights. Labels and exogenous series are those of the first
    held-out sequences. TensorBoard shows the film under IMAGES. The run itself is not changed by it.

    Args:
        n: Sequences in a picture, >= 1; at most as many as are held out for validation.
        steps: Of each, >= 1; at most those of the held-out sequences.

    Raises:
        ValueError: A number is out of its range.
    """

    def __init__(self, n: int = 4, steps: int = 200) -> None:
        self.n, self.steps = int(check_at_least("n", n, 1)), int(check_at_least("steps", steps, 1))

    @override
    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        assert isinstance(pl_module, VRNNModule)
        if not trainer.is_global_zero:
            return
        data = _data(trainer)
        shown = TraceSet(data.traces("val")[: self.n])
        n, steps = len(shown), min(self.steps, len(shown.x))
        condition = None if shown.condition is None else of_steps(shown.condition.to(pl_module.device), 0, steps)
        with torch.no_grad():
            x = pl_module.vrnn.generate(n, steps, generator=pl_module.noise_generator(), condition=condition)
        drawn = x.transpose(0, 1).cpu().numpy()
        drawings, _ = end_drawings(drawn, data.pattern.units.strokes, np.random.default_rng(0))
        figure = SEQUENCE_PLOTS[data.pattern.form].plot_grid([*drawings])
        figure.suptitle(f"step {trainer.global_step}", fontsize=9)
        make_directory(_frames(trainer))
        write_atomically(_frames(trainer) / f"{trainer.global_step:09d}.png", figure.savefig)

    @override
    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        frames = sorted(_frames(trainer).glob("*.png"))
        if not trainer.is_global_zero or not frames:
            return
        film = join(frames)
        write_atomically(Path(trainer.default_root_dir) / "figures" / "film.gif", lambda file: file.write(film))
        image = Summary.Image(height=SIZE[1], width=SIZE[0], colorspace=3, encoded_image_string=film)
        writer = tensorboard_logger(trainer).experiment.file_writer
        writer.add_summary(Summary(value=[Summary.Value(tag="film", image=image)]), trainer.global_step)


def join(pictures: Sequence[Path]) -> bytes:
    """Return pictures as an animated GIF that repeats for ever, each of them padded to one size with white."""
    frames = []
    for path in pictures:
        with Image.open(path) as picture:
            padded = ImageOps.pad(picture.convert("RGB"), SIZE, color="white")
        frames.append(padded.quantize(COLOURS, dither=Image.Dither.NONE))
    film, times = io.BytesIO(), [SHOWN] * (len(frames) - 1) + [LAST_SHOWN]
    frames[0].save(film, "GIF", save_all=True, append_images=frames[1:], duration=times, loop=0, optimize=True)
    return film.getvalue()


def _frames(trainer: Trainer) -> Path:
    return Path(trainer.default_root_dir) / "figures" / "film"


def _data(trainer: Trainer) -> TraceDataModule:
    data = trainer.datamodule  # type: ignore[attr-defined]
    assert isinstance(data, TraceDataModule)
    return data
