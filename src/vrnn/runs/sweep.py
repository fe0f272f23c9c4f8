"""A sweep: many runs of one command. Its state is that of its runs' directories; it has no other memory."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Sequence
from functools import cache, partial
from itertools import compress, product
from pathlib import Path
from typing import Any

from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException
from typing_extensions import override

from vrnn.errors import BusyError, ConfigError, exit_with_message
from vrnn.runs.config import check_sweep
from vrnn.runs.name import run_name
from vrnn.runs.sweep_status import SweepStatus
from vrnn.verbosity import is_quiet

logger = logging.getLogger(__name__)

# Environment of joblib's workers: the process that launched them, and whether it shows a table on the terminal that they share.
LAUNCHER, TABLE = "VRNN_SWEEP_PID", "VRNN_SWEEP_TABLE"
# joblib cleans up after a command that was interrupted, and would warn of that after the command's last line.
NO_LEAKS = "ignore::UserWarning:joblib.externals.loky.backend.resource_tracker"
DDP = ("trainer=ddp", "trainer.strategy=ddp")


def job(config: DictConfig, directory: Path, overrides: Sequence[str]) -> None:
    """Run one job of a sweep. An error is recorded in the run's directory and reported at the end; other jobs continue.

    Args:
        config: A composed configuration of `conf/train.yaml`.
        directory: The run's.
        overrides: Those of this job, as on the command line.
    """
    from vrnn.runs.run import run

    end_with_launcher()
    if TABLE in os.environ and LAUNCHER in os.environ and int(os.environ[LAUNCHER]) != os.getpid():
        _leave_terminal()
    try:
        scores = run(config, directory, overrides, progress_bar=False)
        logger.info("%s finished: ELBO %.4f nats per step", directory.name, scores["elbo_nats_per_step"])
    except BusyError:
        logger.info("%s is in use by another process: skipped", directory.name)
    except Exception as error:
        logger.error("%s failed: %s", directory.name, error)
    finally:
        if launcher_died():
            # A worker that only raised would start the sweep's next job.
            os._exit(128 + signal.SIGTERM)


def _leave_terminal() -> None:
    """Let this process print nowhere: what it says is in run.log, and why it failed in `failed`."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(nowhere, stream)
    os.close(nowhere)


def launcher_died() -> bool:
    """Return whether this process is a worker of joblib whose launching process has ended: it has another parent then."""
    launcher = int(os.environ.get(LAUNCHER, os.getpid()))
    return launcher not in (os.getpid(), os.getppid())


@cache
def end_with_launcher() -> None:
    """Have this process, if it is a worker of joblib, end as by SIGTERM when the launching process ends."""
    if LAUNCHER in os.environ:
        threading.Thread(target=_wait_for_launcher, daemon=True).start()


def _wait_for_launcher() -> None:
    while not launcher_died():
        time.sleep(0.2)
    os.kill(os.getpid(), signal.SIGTERM)


class SweepCallback(Callback):
    """Shows a sweep's progress in the launching process, and at the end reports errors and sets the exit code.

    It reads everything from the runs' directories, so it works with every launcher, and where several commands share a sweep.
    """

    @override
    def on_multirun_start(self, config: DictConfig, **_: Any) -> None:
        ddp = any(argument.startswith(DDP) for argument in config.hydra.overrides.task)
        if ddp or "TORCHELASTIC_RUN_ID" in os.environ:
            sys.exit(
                "error: -m cannot be combined with torchrun and trainer=ddp, which make one run of several processes: "
                "leave them out and use hydra/launcher=cores or hydra/launcher=slurm."
            )
        # Only joblib's workers end with the launching process: a cluster's jobs outlive it.
        if "joblib" in config.hydra.launcher._target_:
            os.environ[LAUNCHER] = str(os.getpid())
            given = os.environ.get("PYTHONWARNINGS")
            os.environ["PYTHONWARNINGS"] = f"{given},{NO_LEAKS}" if given else NO_LEAKS
        with exit_with_message():
            self.status = SweepStatus(sweep_jobs(config))
        if self.status.table:
            os.environ[TABLE] = "shown"
        self.status.start()
        # For Ctrl-C between two jobs, or while other processes run them.
        signal.signal(signal.SIGINT, self._interrupted)

    def _interrupted(self, *_: Any) -> None:
        """Handle Ctrl-C in the launching process."""
        if LAUNCHER in os.environ:
            # The workers end by themselves. A normal exit would let joblib kill them before they have saved.
            self.status.report()
            os._exit(128 + signal.SIGINT)
        sys.exit(128 + signal.SIGINT)

    @override
    def on_multirun_end(self, config: DictConfig, **_: Any) -> None:
        # Runs that are still running belong to another command.
        self.status.report()
        if is_quiet():
            print(os.path.relpath(os.path.commonpath([path.parent for path in self.status.readers])))
        if self.status.failures() or not {*self.status.states().values()} <= {"finished", "running"}:
            sys.exit(1)

    @override
    def __reduce__(self) -> tuple[Any, ...]:
        # Launchers send copies of this object to the jobs, which do not use it.
        return SweepCallback, ()


def sweep_jobs(config: DictConfig) -> dict[Path, list[str]]:
    """Return the directory of each of a sweep's jobs, in their order, and those of its overrides that not all jobs share.

    Args:
        config: Hydra's configuration of a multirun, which holds the defaults, and the command line's overrides not yet applied.

    Raises:
        ConfigError: The sweep's name is no name for a directory, or the user's own directory cannot be found out.
    """
    str(config.hydra.sweep.dir)  # a time in it is from now on the same for all jobs
    directory_of = partial(_named, config) if _is_ours(config) else partial(_composed, config)
    jobs = grid(config)
    swept = [len(set(column)) > 1 for column in zip(*jobs, strict=True)]
    return {directory_of(number, overrides): list(compress(overrides, swept)) for number, overrides in enumerate(jobs)}


def _is_ours(config: DictConfig) -> bool:
    """Return whether jobs lie where conf/train.yaml says, so that their overrides tell where: hundreds take no time."""
    sweep = OmegaConf.to_container(config.hydra.sweep, resolve=False)
    return isinstance(sweep, dict) and "${" not in sweep["dir"] and sweep["subdir"].startswith("${run_name:")


def _named(config: DictConfig, _: int, overrides: Sequence[str]) -> Path:
    """Return the directory of a job from its overrides alone."""
    given = dict(override.split("=", 1) for override in overrides if "=" in override)
    sweep, choices = given.get("sweep", config.sweep), config.hydra.runtime.choices
    check_sweep(sweep)
    experiment, dataset = given.get("experiment", choices.experiment), given.get("dataset", choices.dataset)
    return Path(config.hydra.sweep.dir).absolute() / run_name(sweep, experiment, dataset, overrides)


def _composed(config: DictConfig, number: int, overrides: Sequence[str]) -> Path:
    """Return the directory of a job by composing its configuration, as Hydra's launchers do.

    Raises:
        ConfigError: The user's own hydra.sweep.dir or subdir refers to what is not there.
    """
    job = GlobalHydra.instance().config_loader().load_sweep_config(config, list(overrides))
    with open_dict(job):
        job.hydra.job.id = job.hydra.job.num = number
    HydraConfig.instance().set_config(job)  # the resolver `hydra:` reads it
    try:
        return Path(job.hydra.sweep.dir).absolute() / str(job.hydra.sweep.subdir)
    except OmegaConfBaseException as error:
        raise ConfigError(f"{error.full_key} cannot be found out: {str(error).splitlines()[0]}.") from error
    finally:
        HydraConfig.instance().set_config(config)


def grid(config: DictConfig) -> list[list[str]]:
    """Return the overrides of each job of a sweep, as Hydra's basic sweeper makes them."""
    parser = OverridesParser.create(config_loader=GlobalHydra.instance().config_loader())
    params = [f"{key}={value}" for key, value in (config.hydra.sweeper.get("params") or {}).items()]
    overrides = parser.parse_overrides([*params, *config.hydra.overrides.task])
    axes = {override.get_key_element(): _values(override) for override in overrides}
    return [list(chosen) for chosen in product(*axes.values())]


def _values(override: Override) -> list[str]:
    key = override.get_key_element()
    if override.is_discrete_sweep():
        return [f"{key}={value}" for value in override.sweep_string_iterator()]
    return [f"{key}={override.get_value_element_as_str()}"]
