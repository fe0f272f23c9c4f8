"""One run from config to scores, read top to bottom."""

from __future__ import annotations

import json
import logging
import shutil
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import yaml
from matplotlib.figure import Figure
from omegaconf import DictConfig
from pytorch_lightning import Trainer
from pytorch_lightning.loggers import TensorBoardLogger

from vrnn.config import ConfigError, check, differences, flat
from vrnn.data.module import TraceDataModule
from vrnn.training.assembly import assemble
from vrnn.training.callbacks import Figures, HyperParameters, ProgressBar, Scalars
from vrnn.training.checkpoints import LAST, AtomicCheckpointIO, RunCheckpoints, load_weights
from vrnn.training.interruption import Interruption
from vrnn.training.measure import measure
from vrnn.training.module import VRNNModule
from vrnn.training.report import SCALARS, print_scores, save_figures, scalar_scores, write_atomically, write_scores

logger = logging.getLogger(__name__)

# Lightning 2.6 asks torch's pytree a question that torch 2.13 answers with a deprecation warning.
warnings.filterwarnings("ignore", message=".*LeafSpec.*", category=FutureWarning)
logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)  # its hints and tips are not about this run

Tree = dict[str, Any]


def run(config: DictConfig, directory: Path) -> Tree:
    """Train, evaluate and score one configuration in `directory`; go on where an earlier call was interrupted.

    Returns the scores. A finished run is only reported again.

    Raises:
        ConfigError: the configuration cannot be run, or the directory holds a run of another one.
        NonFiniteError: the loss or a gradient became NaN or infinite.
    """
    settings = check(config)
    fresh = settings.pop("fresh")
    with Interruption() as interruption:
        pattern, module, data = assemble(settings)
        claim(directory, settings, fresh)
        if (directory / "done").exists():
            logger.info("Already finished; fresh=true would start it over.")
            scores: Tree = json.loads((directory / "scores.json").read_text())
        else:
            board = train(settings, directory, module, data, interruption)
            load_weights(module, directory / "checkpoints" / f"{settings['evaluation']['checkpoint']}.ckpt")
            scores, figures = measure(module.vrnn, pattern, data, settings["evaluation"], settings["seed"])
            publish(scores, figures, directory, board, settings["training"]["steps"])
            write_atomically(directory / "done", "")
    print_scores(scores, directory)
    return scores


def claim(directory: Path, settings: Tree, fresh: bool) -> None:
    """Make the directory this configuration's: write config.yaml, or compare with the one that is there."""
    path = directory / "config.yaml"
    if fresh:
        discard(directory)
    if path.exists():
        changed = differences(yaml.safe_load(path.read_text()), settings)
        if changed:
            raise ConfigError(
                f"{directory} holds a run with other settings (old -> new):\n  " + "\n  ".join(changed) + "\n"
                "Give the new one a name of its own by stating a setting on the command line, or use fresh=true to replace it."
            )
    else:
        directory.mkdir(parents=True, exist_ok=True)
        write_atomically(path, yaml.safe_dump(settings, sort_keys=False))


def discard(directory: Path) -> None:
    """Remove what a run leaves in its directory, and nothing else that may lie there."""
    # `done` first: killed in between, the run is not taken for finished
    for name in ("done", "scores.json", "config.yaml", "hparams.yaml"):
        (directory / name).unlink(missing_ok=True)
    for name in ("checkpoints", "figures"):
        shutil.rmtree(directory / name, ignore_errors=True)
    for events in directory.glob("events.out.tfevents.*"):
        events.unlink()


def train(
    settings: Tree, directory: Path, module: VRNNModule, data: TraceDataModule, interruption: Interruption
) -> TensorBoardLogger:
    """Fit to the last step, from the last checkpoint if there is one; return the logger for what comes after."""
    pace = settings["training"] | {"val_every": min(settings["training"]["val_every"], settings["training"]["steps"])}
    last = directory / "checkpoints" / LAST
    resume = torch.load(last, map_location="cpu", weights_only=True)["global_step"] if last.exists() else None
    board = TensorBoardLogger(directory, name="", version="", default_hp_metric=False, purge_step=resume and resume + 1)
    shown = torch.as_tensor(data.traces("val")[0].points, dtype=torch.float32)
    trainer = Trainer(
        **settings["trainer"],
        default_root_dir=directory,
        max_steps=pace["steps"],
        val_check_interval=pace["val_every"],
        check_val_every_n_epoch=None,
        num_sanity_val_steps=0,
        log_every_n_steps=pace["log_every"],
        logger=board,
        plugins=[AtomicCheckpointIO()],
        enable_model_summary=False,
        callbacks=[
            HyperParameters(flat(settings), list(SCALARS)),
            Scalars(),
            Figures(directory / "figures", pace["figure_every"], pace["val_every"], shown),
            ProgressBar(refresh_rate=pace["log_every"]),
            RunCheckpoints(directory / "checkpoints", pace["checkpoint_every"], pace["val_every"], interruption),
        ],
    )
    with training(interruption):
        trainer.fit(module, datamodule=data, ckpt_path=last if resume is not None else None, weights_only=True)
    return board


@contextmanager
def training(interruption: Interruption) -> Iterator[None]:
    """Within it, a signal waits for the step's end."""
    interruption.training = True
    yield
    interruption.training = False
    interruption.exit_if_pending()


def publish(scores: Tree, figures: dict[str, Figure], directory: Path, board: TensorBoardLogger, step: int) -> None:
    """Write scores.json and the figures, and show them in TensorBoard; the scores are the run's columns in HPARAMS."""
    save_figures(figures, directory / "figures")
    write_scores(scores, directory / "scores.json")
    for name, figure in figures.items():
        board.experiment.add_figure(name, figure, step)
    board.log_metrics(scalar_scores(scores), step=step)
    board.finalize("success")
