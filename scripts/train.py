"""Train one run, or a sweep of them, from config to scores: `python scripts/train.py experiment=eye`."""

import os
import signal
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from vrnn.config import in_one_line, register
from vrnn.rundir import BusyError, DamagedError
from vrnn.training import sweep
from vrnn.training.outcome import finished, print_scores

register()
signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends the process at once until the run has something to save


@hydra.main(version_base="1.3", config_path="../conf", config_name="train")
def main(config: DictConfig) -> None:
    """Hydra names the run's directory after what was asked."""
    directory, asked = Path(HydraConfig.get().runtime.output_dir), list(HydraConfig.get().overrides.task)
    if HydraConfig.get().mode == RunMode.MULTIRUN:
        sweep.job(config, directory, asked)
        return
    with in_one_line(DamagedError):
        scores = None if "TORCHELASTIC_RUN_ID" in os.environ else finished(config, directory)
    if scores is None:
        from vrnn.training.module import NonFiniteError  # only now: --help and a finished run need not wait for torch
        from vrnn.training.run import run

        with in_one_line(BusyError, DamagedError, NonFiniteError):
            scores = run(config, directory, asked)
    if scores:
        print_scores(scores, directory)


if __name__ == "__main__":
    main()
