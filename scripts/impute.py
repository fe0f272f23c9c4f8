"""Fill a gap in a drawing by a trained run.

python scripts/impute.py run=outputs/eye/defaults-e3b0c442 drawing=drawing.npy gap=[300,350]
"""

from pathlib import Path

import hydra
from omegaconf import DictConfig

from vrnn.config import in_one_line, register
from vrnn.rundir import DamagedError

register()


@hydra.main(version_base="1.3", config_path="../conf", config_name="impute")
@in_one_line(ValueError, DamagedError)
def main(config: DictConfig) -> None:
    """Prints where the traces lie."""
    from vrnn.training.again import (
        impute_again,  # after Hydra has read the command line: --help must not wait for torch
    )

    options = {key: config[key] for key in ("drawing", "n", "particles", "format", "out", "checkpoint", "seed")}
    print(impute_again(Path(config.run), gap=list(config.gap), **options))


if __name__ == "__main__":
    main()
