"""Draw traces from a trained run: `python scripts/generate.py run=outputs/eye/defaults-e3b0c442 n=12 steps=600 format=svg`."""

from pathlib import Path

import hydra
from omegaconf import DictConfig

from vrnn.config import in_one_line, register
from vrnn.rundir import DamagedError

register()


@hydra.main(version_base="1.3", config_path="../conf", config_name="generate")
@in_one_line(ValueError, DamagedError)
def main(config: DictConfig) -> None:
    """Prints where the traces lie."""
    from vrnn.training.again import (
        generate_again,  # after Hydra has read the command line: --help must not wait for torch
    )

    options = {key: config[key] for key in ("n", "steps", "prefix", "format", "out", "sample", "checkpoint", "seed")}
    print(generate_again(Path(config.run), **options))


if __name__ == "__main__":
    main()
