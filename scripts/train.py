"""Train one run, or a sweep of them, from config to scores: `python scripts/train.py experiment=eye`."""

from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from vrnn.config import in_one_line, register

register()


@hydra.main(version_base="1.3", config_path="../conf", config_name="train")
def main(config: DictConfig) -> None:
    """Hydra names the run's directory after what was asked."""
    from vrnn.rundir import BusyError  # after Hydra has read the command line: --help must not wait for torch
    from vrnn.training import report, run, sweep
    from vrnn.training.module import NonFiniteError

    directory, asked = Path(HydraConfig.get().runtime.output_dir), list(HydraConfig.get().overrides.task)
    if HydraConfig.get().mode == RunMode.MULTIRUN:
        sweep.job(config, directory, asked)
    else:
        with in_one_line(BusyError, NonFiniteError):
            scores = run.run(config, directory, asked)
        if scores:
            report.print_scores(scores, directory)


if __name__ == "__main__":
    main()
