"""Measure a trained run again: `python scripts/evaluate.py run=outputs/eye/defaults-e3b0c442 checkpoint=best`."""

from pathlib import Path

import hydra
from omegaconf import DictConfig

from vrnn.config import in_one_line, register
from vrnn.rundir import DamagedError

register()


@hydra.main(version_base="1.3", config_path="../conf", config_name="evaluate")
@in_one_line(DamagedError)
def main(config: DictConfig) -> None:
    """Without options the run's own scores.json is written anew; with options a file named after them, beside it."""
    from vrnn.training.again import (
        evaluate_again,  # after Hydra has read the command line: --help must not wait for torch
    )

    evaluate_again(Path(config.run), **{str(key): value for key, value in config.items() if key != "run"})


if __name__ == "__main__":
    main()
