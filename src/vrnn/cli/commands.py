"""The commands: what each does, and how errors are shown. torch and Lightning are imported inside the commands."""

from __future__ import annotations

import logging
import os
import shlex
import signal
import sys
import time
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import hydra
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

import vrnn
from vrnn.cli.arguments import WORDS, Arguments, read_arguments, take_dry, take_verbosity
from vrnn.cli.completion import complete, completion_script
from vrnn.cli.console import use_any_encoding
from vrnn.cli.help import COMMANDS, command_help, general_help
from vrnn.cli.nearest import did_you_mean
from vrnn.cli.overrides import check_overrides, one_line, require_extra
from vrnn.cli.preflight import check_configs, remove_unused
from vrnn.errors import ConfigError, exit_with_message
from vrnn.runs.config import run_settings
from vrnn.runs.config_files import check_command_line
from vrnn.runs.directory import finished_scores
from vrnn.runs.schema import conf_directory, register
from vrnn.text import duration
from vrnn.verbosity import is_quiet, is_verbose, set_loggers, set_verbosity

logger = logging.getLogger(__name__)


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

            try:
                scores = run(config, directory, overrides)
            except ConfigError:
                remove_unused(directory)
                raise
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

    options = {str(key): value for key, value in config.items() if key != "run"}
    print(generate_from_run(Path(config.run), **options))


@exit_with_message(ValueError)
def impute(config: DictConfig) -> None:
    """Fill a gap in a drawing by a trained run."""
    from vrnn.runs.trained import impute_from_run

    options = {
        key: config[key]
        for key in ("drawing", "n", "particles", "label", "format", "out", "checkpoint", "seed", "allow")
    }
    print(impute_from_run(Path(config.run), gap=list(config.gap), **options))


@exit_with_message(ValueError)
def score(config: DictConfig) -> None:
    """Score own sequences by a trained run."""
    from vrnn.runs.score import score_files
    from vrnn.runs.summary import print_scored

    options = {str(key): value for key, value in config.items() if key != "run"}
    print_scored(score_files(Path(config.run), **options))


@exit_with_message(ValueError)
def runs(config: DictConfig) -> None:
    """List, note, tag or remove runs."""
    from vrnn.runs.care import care

    care(config)


@exit_with_message(ValueError)
def compare(config: DictConfig) -> None:
    """Compare the runs of a sweep: a table, figures and a page."""
    from vrnn.runs.compare_report import report

    report(config)


@exit_with_message(ValueError)
def report(config: DictConfig) -> None:
    """Write a run, or the comparison of many, as one HTML page."""
    from vrnn.runs.html_report import report as write_report

    print(write_report(config))


@exit_with_message()
def draw(config: DictConfig) -> None:
    """Serve a page on which to draw, train and draw on."""
    from vrnn.draw.server import serve

    run = None if config.run is None else Path(config.run)
    serve(Path(config.directory), run, config.host, config.port, list(config.allow))


@exit_with_message()
def search(config: DictConfig) -> None:
    """Search for good settings. Any number of processes may work on the same study."""
    from vrnn.runs.search import Search

    study = Search(config, str(conf_directory()))
    if not study.work():
        sys.exit("error: no trial has completed; the messages above say why the last ones failed.")
    if is_quiet():
        print(study.directory)
        return
    if best := study.best():
        print(f"best: {config.score} {study.study.best_value:.4f}")
        print(shlex.join(["vrnn", "train", *best]))
    print(f"vrnn compare runs={study.directory} sort={config.score}")


CONFIGURED: dict[str, Callable[[DictConfig], None]] = {
    "train": train,
    "evaluate": evaluate,
    "generate": generate,
    "impute": impute,
    "score": score,
    "runs": runs,
    "compare": compare,
    "report": report,
    "draw": draw,
    "search": search,
}


def run_command(name: str) -> None:
    """Run a command with the arguments in sys.argv.

    Args:
        name: One of train, evaluate, generate, impute, score, runs, compare, report, draw, search, benchmark.
    """
    use_any_encoding()
    with exit_with_message():
        words, verbosity = take_verbosity(sys.argv[1:])
    sys.argv[1:] = words
    set_verbosity(verbosity)
    if name == "train":
        # Ctrl-C ends the process at once until the run has something to save.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    if name == "benchmark":
        _benchmark()
    else:
        _run_configured(name)


def _from_a_run(arguments: Arguments, option: str) -> None:
    """Train from a run's own directory: `from=RUN` again, `extend=RUN` longer. Hydra has no part in it: the settings are there.

    Args:
        arguments: Those of the command line.
        option: "from" or "extend".
    """
    if arguments.multirun or arguments.options:
        raise ConfigError(f"{option}=RUN must be given without options of Hydra's, such as -m: it is about one run.")
    if any(override.startswith("dry=") for override in arguments.overrides):
        raise ConfigError(f"dry must be left out beside {option}=RUN, which is about one run.")
    from vrnn.runs.extend import extend
    from vrnn.runs.repeat import repeat

    config, directory = (repeat if option == "from" else extend)(arguments.overrides)
    run_settings(config, arguments.overrides)  # what is wrong without torch is answered before it is imported
    from vrnn.runs.run import run
    from vrnn.runs.summary import print_scores

    logging.basicConfig(format="%(levelname)s: %(message)s", level=logging.INFO, stream=sys.stdout)
    set_loggers()
    try:
        scores = run(config, directory, arguments.overrides)
    except ConfigError:
        remove_unused(directory)
        raise
    if scores:
        print_scores(scores, directory)


def _dry(arguments: Arguments, path: str, config_name: str, overrides: list[str]) -> None:
    """List the runs of a command line, each with how it stands: `vrnn train … dry=true`. Hydra composes, and runs nothing."""
    from vrnn.runs.dry import describe
    from vrnn.runs.sweep import sweep_jobs

    mode = RunMode.MULTIRUN if arguments.multirun else RunMode.RUN
    with initialize_config_dir(path, version_base="1.3"):
        config = GlobalHydra.instance().config_loader().load_configuration(config_name, overrides, run_mode=mode)
        HydraConfig.instance().set_config(config)
        found = [*sweep_jobs(config)] if arguments.multirun else [Path(config.hydra.run.dir).absolute()]
    for directory in found:
        print(describe(directory))


def _benchmark() -> None:
    if {"-h", "--help"} & {*sys.argv[1:]}:
        print(command_help("benchmark"))
        return
    from vrnn.runs.benchmark import main as benchmark

    level = logging.INFO if is_verbose() else logging.WARNING  # the table is what it says
    logging.basicConfig(format="%(levelname)s: %(message)s", level=level, stream=sys.stdout)
    set_loggers()
    benchmark()


def _run_configured(name: str) -> None:
    """Check the command line, then let Hydra run the command."""
    register()
    with exit_with_message():
        arguments = read_arguments(WORDS.get(name, list)(sys.argv[1:]))
        if arguments.help:
            print(command_help(name))
            return
        check_command_line(sys.argv[1:])
        if name == "search":
            require_extra("vrnn search", "optuna", "sweeps")
        for option in ("from", "extend") if name == "train" else ():
            if any(override.startswith(f"{option}=") for override in arguments.overrides):
                _from_a_run(arguments, option)
                return
        path, config_name = str(arguments.config_path), arguments.config_name or name
        words, dry = take_dry(arguments.overrides) if name == "train" else (arguments.overrides, False)
        overrides, configs = check_overrides(name, path, config_name, words, arguments.multirun)
        if arguments.runs:
            check_configs(name, configs, overrides, arguments.multirun)
            if dry:
                _dry(arguments, path, config_name, overrides)
                return
    quiet_hydra = ["++hydra.hydra_logging.root.level=WARNING"] if is_quiet() else []
    sys.argv = [sys.argv[0], *arguments.options, *overrides, *quiet_hydra]
    entry: Any = hydra.main(version_base="1.3", config_path=path, config_name=name)
    if os.environ.get("HYDRA_FULL_ERROR") == "1":
        entry(_with_loggers(CONFIGURED[name]))()
        return
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra then raises its errors instead of printing them with a traceback
    with exit_with_message():
        try:
            entry(_with_loggers(CONFIGURED[name]))()
        except (HydraException, OmegaConfBaseException) as error:
            raise ConfigError(one_line(error)) from error


def _with_loggers(command: Callable[[DictConfig], None]) -> Callable[[DictConfig], None]:
    """Return a command whose loggers say what -q or -v asks for, in whatever process Hydra runs it."""

    @wraps(command)
    def run(config: DictConfig) -> None:
        set_loggers()
        begin = time.monotonic()
        command(config)
        logger.debug("The command took %s.", duration(time.monotonic() - begin))

    return run


def main() -> None:
    """The command `vrnn`."""
    name, *words = sys.argv[1:] or ["--help"]
    use_any_encoding()
    if name in ("-h", "--help", "help"):
        print(general_help())
    elif name == "--version":
        print(f"vrnn {vrnn.__version__}")
    elif name == "--completion":
        with exit_with_message():
            print(completion_script(words[0] if words else ""))
    elif name == "--complete":
        print(*complete(words[0]), sep="\n")
    elif name in COMMANDS:
        sys.argv = [f"{sys.argv[0]} {name}", *words]
        run_command(name)
    else:
        sys.exit(
            f"error: {name} is not a command: {did_you_mean(name, COMMANDS) or 'use ' + ', '.join(COMMANDS) + '.'}"
        )
