"""A sweep: many runs of one command. Each run is told apart by its directory, so a sweep needs no memory of its own."""

from __future__ import annotations

import atexit
import itertools
import logging
import os
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.experimental.callback import Callback
from omegaconf import DictConfig

from vrnn.errors import BusyError, exit_with_message
from vrnn.runs.config import check_sweep
from vrnn.runs.directory import FAILED, failure, state
from vrnn.runs.name import run_name

logger = logging.getLogger(__name__)

LAUNCHER = "VRNN_SWEEP_PID"  # environment of joblib's workers: the process that launched them
DDP = ("trainer=ddp", "trainer.strategy=ddp")
LOOK_EVERY = 1.0  # seconds between two looks at the sweep's directories


def job(config: DictConfig, directory: Path, overrides: Sequence[str]) -> None:
    """Run one job of a sweep. An error stays in the run's directory for the report at the end; the other jobs go on."""
    from vrnn.runs.run import run

    end_with_launcher()
    try:
        scores = run(config, directory, overrides, progress_bar=False)
        logger.info("%s finished: ELBO %.4f nats per step", directory.name, scores["elbo_nats_per_step"])
    except BusyError:
        logger.info("%s is being worked on by another process: skipped", directory.name)
    except Exception as error:
        logger.error("%s failed: %s", directory.name, error)
    finally:
        if launcher_died():
            os._exit(128 + signal.SIGTERM)  # a worker that only raised would go on with the sweep's next job


def launcher_died() -> bool:
    """Tell whether this is a worker of joblib's whose launching process is gone: it has another parent then."""
    launcher = int(os.environ.get(LAUNCHER, os.getpid()))
    return launcher not in (os.getpid(), os.getppid())


@cache
def end_with_launcher() -> None:
    """See to it, once a process, that a worker of joblib's ends as if by SIGTERM when the launching process dies."""
    if LAUNCHER in os.environ:
        threading.Thread(target=_wait_for_launcher, daemon=True).start()


def _wait_for_launcher() -> None:
    while not launcher_died():
        time.sleep(0.2)
    os.kill(os.getpid(), signal.SIGTERM)


class Watch(Callback):
    """Follows a sweep from the process that launches it: one line of progress, a report, an exit code.

    All it knows it reads off the runs' directories, so it does not matter which launcher runs them, where, and who else
    takes part.
    """

    def on_multirun_start(self, config: DictConfig, **_: Any) -> None:
        """Begin to watch.

        Raises:
            SystemExit: the jobs would be for several processes each.
        """
        if "TORCHELASTIC_RUN_ID" in os.environ or any(asked.startswith(DDP) for asked in config.hydra.overrides.task):
            sys.exit(
                "error: -m does not go together with torchrun and trainer=ddp, which make one run of several processes; "
                "give the jobs of a sweep to a launcher instead: hydra/launcher=cores or hydra/launcher=slurm."
            )
        if (
            "joblib" in config.hydra.launcher._target_
        ):  # a cluster's jobs live on without the process that asked for them
            os.environ[LAUNCHER] = str(os.getpid())
        with exit_with_message():
            self.progress = Progress(directories(config))
        self.progress.start()
        signal.signal(signal.SIGINT, self._interrupted)  # between two jobs, or where others run them

    def _interrupted(self, *_: Any) -> None:
        """Ctrl-C in the launching process. Its workers end by themselves: joblib would kill them before they have saved."""
        if LAUNCHER in os.environ:
            self.progress.report()
            os._exit(128 + signal.SIGINT)
        sys.exit(128 + signal.SIGINT)

    def on_multirun_end(self, config: DictConfig, **_: Any) -> None:
        """Exit with 1 if a job failed, or a run has neither finished nor is still being worked on by somebody else."""
        self.progress.report()
        if self.progress.failures() or not self.progress.count().keys() <= {"finished", "running"}:
            sys.exit(1)

    def __reduce__(self) -> tuple[Any, ...]:
        """Launchers send copies to the jobs; these watch nothing."""
        return Watch, ()


class Progress:
    """A sweep's runs, counted. directories: those of its jobs."""

    def __init__(self, directories: list[Path]):
        self.directories = directories
        self.began = time.time()
        self.at_first = self.count()
        self.shown = ""
        self.over = threading.Event()

    def start(self) -> None:
        """Show the line now and whenever it changes, and the report when the process ends, whichever way."""
        threading.Thread(target=self._follow, daemon=True).start()
        atexit.register(self.report)

    def count(self) -> Counter[str]:
        """How many runs are in which state."""
        return Counter(state(directory) for directory in self.directories)

    def line(self) -> str:
        """The sweep on one line."""
        now = self.count()
        waiting = now["pending"] + now["interrupted"]
        line = f"sweep: {now['finished']} done, {now['running']} running, {now['failed']} failed, {waiting} pending"
        ended = now["finished"] + now["failed"] - self.at_first["finished"] - self.at_first["failed"]
        if ended > 0 and waiting + now["running"]:
            seconds = (time.time() - self.began) / ended * (waiting + now["running"] / 2)
            line += f", about {duration(seconds)} to go"
        return line

    def failures(self) -> dict[Path, str]:
        """The errors of this sweep's runs since it began."""
        found = {}
        for directory in self.directories:
            with suppress(FileNotFoundError):  # it did not fail, or somebody has just taken it up again
                if (directory / FAILED).stat().st_mtime >= self.began - 1 and (message := failure(directory)):
                    found[directory] = message
        return found

    def report(self) -> None:
        """Say, once, how the sweep stands and what failed with which error."""
        if self.over.is_set():
            return
        self.over.set()
        self._show(f"{self.line()} after {duration(time.time() - self.began)}")
        for directory, message in self.failures().items():
            print(f"failed: {directory}\n  " + message.replace("\n", "\n  "), file=sys.stderr)
        if any(self.count()[name] for name in ("running", "interrupted", "failed")):
            print("The same command again goes on with what is pending.", file=sys.stderr)

    def _follow(self) -> None:
        while not self.over.wait(LOOK_EVERY):
            self._show(self.line())

    def _show(self, line: str) -> None:
        counts = line.partition(", about")[0]
        if sys.stderr.isatty():
            print(f"\r\033[K{line}", end="\n" if self.over.is_set() else "", file=sys.stderr, flush=True)
        elif counts != self.shown:
            print(line, file=sys.stderr, flush=True)
        self.shown = counts


def duration(seconds: float) -> str:
    """Return seconds as people say them."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def directories(config: DictConfig) -> list[Path]:
    """Return the directories of a sweep's jobs, in their order.

    config: Hydra's own, of a multirun; it holds the defaults and the command line's overrides, not yet applied.
    """
    root, choices = Path(config.hydra.sweep.dir).absolute(), config.hydra.runtime.choices
    found = []
    for job_overrides in grid(config):
        asked = dict(override.split("=", 1) for override in job_overrides if "=" in override)
        sweep = asked.get("sweep", config.sweep)
        check_sweep(sweep)
        experiment = asked.get("experiment", choices.experiment)
        found.append(root / run_name(sweep, experiment, asked.get("dataset", choices.dataset), job_overrides))
    return list(dict.fromkeys(found))


def grid(config: DictConfig) -> list[list[str]]:
    """Return the overrides of each job of a sweep, as Hydra's basic sweeper makes them."""
    parser = OverridesParser.create(config_loader=GlobalHydra.instance().config_loader())
    params = [f"{key}={value}" for key, value in (config.hydra.sweeper.get("params") or {}).items()]
    overrides = parser.parse_overrides([*params, *config.hydra.overrides.task])
    axes = {override.get_key_element(): _values(override) for override in overrides}
    return [list(chosen) for chosen in itertools.product(*axes.values())]


def _values(override: Override) -> list[str]:
    key = override.get_key_element()
    if override.is_discrete_sweep():
        return [f"{key}={value}" for value in override.sweep_string_iterator()]
    return [f"{key}={override.get_value_element_as_str()}"]
