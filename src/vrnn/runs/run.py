"""One run from its configuration to its scores, read top to bottom."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig
from pytorch_lightning import Callback

from vrnn.distributed import barrier, destroy_process_group, is_main_process, process_group
from vrnn.runs.build import build_run, validate_data
from vrnn.runs.config import run_settings
from vrnn.runs.directory import (
    CHECKPOINTS,
    CONFIG,
    DONE,
    bind_directory,
    disk_errors_named,
    finished_scores,
    lock_run,
    log_to_file,
    mark_done,
    record_failure,
    settings_digest,
    started_over_by_this_job,
)
from vrnn.runs.evaluate import evaluate, prepare_evaluation
from vrnn.runs.loggers import open_loggers
from vrnn.runs.parts import make_callbacks
from vrnn.runs.provenance import begin_provenance, end_provenance
from vrnn.runs.report import SCALARS, publish
from vrnn.runs.start import start_bias, start_weights
from vrnn.runs.tensorboard import HyperParameters, Texts, hparams_row, run_texts, write_projector
from vrnn.runs.trial import try_evaluation
from vrnn.runs.units import write_units
from vrnn.training.callbacks import progress_callback, tensorboard_logger
from vrnn.training.checkpoint_files import load_weights
from vrnn.training.compatibility import check_trainer
from vrnn.training.signals import Interruption
from vrnn.training.trainer import fit, ignore_cluster_rank


def run(
    config: DictConfig,
    directory: Path,
    overrides: Sequence[str] = (),
    progress_bar: bool = True,
    extra_callbacks: Sequence[Callback] = (),
) -> dict[str, Any]:
    """Train, evaluate and score one configuration in a directory; continue where an earlier call was interrupted.

    Where torchrun started several processes, the main one does all this. The others train with it and return no scores.

    Args:
        config: A composed configuration of `conf/train.yaml`.
        directory: The run's.
        overrides: Those of the command line, which become the first columns of TensorBoard's HPARAMS.
        progress_bar: Whether to show progress while training: a bar on a terminal, elsewhere a line per validation.
        extra_callbacks: Further callbacks of Lightning's Trainer.

    Returns:
        The scores, also those of a run that had finished before.

    Raises:
        ConfigError: The configuration cannot be run, or the directory holds a run with another one.
        BusyError: Another process uses this directory.
        DamagedError: The checkpoint to continue from cannot be read.
        NonFiniteError: The loss or a gradient became NaN or infinite.
    """
    check_trainer(config.trainer)
    ignore_cluster_rank()
    if not is_main_process():
        return train_worker(config, directory)
    with lock_run(directory), record_failure(directory), Interruption() as interruption, process_group():
        # --- already done? ---
        settings, fresh = run_settings(config, overrides)
        fresh = fresh and not started_over_by_this_job(directory)
        scores = None if fresh else finished_scores(directory, settings)
        if scores is not None:
            barrier()
            return scores

        # --- build ---
        pattern, module, data = build_run(settings)
        start_bias(module.vrnn, data)
        start_weights(module.vrnn, settings, directory, fresh)
        validate_data(module, data)
        added_callbacks = make_callbacks(settings)
        judge = prepare_evaluation(pattern, data, settings["seed"])
        if fresh or not (directory / CONFIG).exists():
            try_evaluation(settings, pattern, data, judge)

        # --- bind the directory ---
        bind_directory(directory, settings, fresh)
        write_units(directory, pattern.units)
        begin_provenance(directory, overrides)
        barrier()  # the workers wait until the directory is this run's

        # --- train ---
        with log_to_file(directory), disk_errors_named(directory), open_loggers(settings, directory) as loggers:
            callbacks: list[Callback] = [
                HyperParameters(hparams_row(overrides, settings), list(SCALARS)),
                Texts(run_texts(directory)),
                *added_callbacks,
                *extra_callbacks,
            ]
            if progress_bar:
                callbacks.append(progress_callback(settings["training"]["log_every"]))
            trainer = fit(
                module=module,
                data=data,
                directory=directory,
                settings_digest=settings_digest(directory),
                pace=settings["training"],
                trainer_options=settings["trainer"],
                interruption=interruption,
                extra_callbacks=callbacks,
                extra_loggers=loggers,
            )
            destroy_process_group()

            # --- evaluate ---
            best_or_last = directory / CHECKPOINTS / f"{settings['evaluation']['checkpoint']}.ckpt"
            load_weights(module, best_or_last, settings_digest=settings_digest(directory))
            evaluation = evaluate(
                module.vrnn,
                module.w_schedule,
                pattern,
                data.traces,
                judge,
                settings["evaluation"],
                settings["seed"],
            )
            write_projector(module.vrnn, pattern, data.traces("test"), directory)

            # --- publish ---
            # One step after the last: purged by a resume if the process is killed before `done` is written.
            publish(evaluation, directory, tensorboard_logger(trainer), trainer.global_step + 1, loggers)
            end_provenance(directory)
            mark_done(directory)
    return evaluation.scores


def train_worker(config: DictConfig, directory: Path) -> dict[str, Any]:
    """Train with the main process, which alone writes the directory."""
    with Interruption() as interruption, process_group():
        settings, _ = run_settings(config)
        _, module, data = build_run(settings)
        start_bias(module.vrnn, data)
        start_weights(module.vrnn, settings, directory)
        validate_data(module, data)
        barrier()
        if not (directory / DONE).exists():
            fit(
                module=module,
                data=data,
                directory=directory,
                settings_digest=settings_digest(directory),
                pace=settings["training"],
                trainer_options=settings["trainer"],
                interruption=interruption,
                extra_callbacks=make_callbacks(settings),
            )
    return {}
