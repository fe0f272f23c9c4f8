"""The command `vrnn` and the scripts of the same names: what they do, and how errors are told."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from vrnn.errors import exit_with_message
from vrnn.runs.config import conf_directory, register, run_settings
from vrnn.runs.config_files import check_command_line
from vrnn.runs.directory import finished_scores

# torch and Lightning are imported inside the commands: --help, errors and finished runs must not wait for them.


def train(config: DictConfig) -> None:
    """Train one run, or a sweep of them, from configuration to scores."""
    from vrnn.runs import sweep
    from vrnn.runs.summary import print_scores

    directory, overrides = Path(HydraConfig.get().runtime.output_dir), list(HydraConfig.get().overrides.task)
    if HydraConfig.get().mode == RunMode.MULTIRUN:
        sweep.job(config, directory, overrides)
        return
    with exit_with_message():
        settings, fresh = run_settings(config, overrides)
        scores = None if fresh or "TORCHELASTIC_RUN_ID" in os.environ else finished_scores(directory, settings)
    if scores is None:
        with exit_with_message():
            from vrnn.runs.run import run

            scores = run(config, directory, overrides)
    if scores:
        print_scores(scores, directory)


@exit_with_message()
def evaluate(config: DictConfig) -> None:
    """Score a trained run again."""
    from vrnn.runs.trained import evaluate_run

    evaluate_run(Path(config.run), **{str(key): value for key, value in config.items() if key != "run"})


@exit_with_message(ValueError)
def generate(config: DictConfig) -> None:
    """Draw traces from a trained run."""
    from vrnn.runs.trained import generate_from_run

    options = {
        key: config[key] for key in ("n", "steps", "prefix", "format", "out", "sample", "checkpoint", "seed", "allow")
    }
    print(generate_from_run(Path(config.run), **options))


@exit_with_message(ValueError)
def impute(config: DictConfig) -> None:
    """Fill a gap in a drawing by a trained run."""
    from vrnn.runs.trained import impute_from_run

    options = {
        key: config[key] for key in ("drawing", "n", "particles", "format", "out", "checkpoint", "seed", "allow")
    }
    print(impute_from_run(Path(config.run), gap=list(config.gap), **options))


@exit_with_message(ValueError)
def compare(config: DictConfig) -> None:
    """Compare the runs of a sweep: a table, figures and a page."""
    from vrnn.runs.compare_report import report

    report(config)


@exit_with_message()
def search(config: DictConfig) -> None:
    """Search for good settings. Any number of processes may work on the same study."""
    from vrnn.runs.search import Search

    sources = HydraConfig.get().runtime.config_sources
    more = [source.path for source in sources if source.provider == "command-line"]  # --config-dir
    study = Search(config, str(conf_directory()), more)
    if not study.work():
        sys.exit("error: no trial has completed; the messages above say why the last ones failed.")
    print(f"vrnn compare runs={study.directory} sort={config.score}")


CONFIGURED: dict[str, Callable[[DictConfig], None]] = {
    "train": train,
    "evaluate": evaluate,
    "generate": generate,
    "impute": impute,
    "compare": compare,
    "search": search,
}


def run_command(name: str) -> None:
    """Run a command with the arguments in sys.argv.

    Args:
        name: One of train, evaluate, generate, impute, compare, search, benchmark.
    """
    if name == "benchmark":
        from vrnn.runs.benchmark import main as benchmark

        benchmark()
        return
    register()
    with exit_with_message():
        check_command_line(sys.argv[1:])
    if name == "train":
        # Ctrl-C ends the process at once until the run has something to save.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    entry: Any = hydra.main(version_base="1.3", config_path=str(conf_directory()), config_name=name)
    entry(CONFIGURED[name])()


def main() -> None:
    """The command `vrnn`."""
    commands = (*CONFIGURED, "benchmark")
    if len(sys.argv) < 2 or sys.argv[1] not in commands:
        sys.exit(f"usage: vrnn {{{','.join(commands)}}} …")
    name = sys.argv[1]
    sys.argv = [f"{sys.argv[0]} {name}", *sys.argv[2:]]
    run_command(name)
