"""Train one run, or a sweep of them, from config to scores: `python scripts/train.py experiment=eye`."""

from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from vrnn.config import register

register()


@hydra.main(version_base="1.3", config_path="../conf", config_name="train")
def main(config: DictConfig) -> None:
    """Hydra names the run's directory after what was asked."""
    from vrnn.training.run import run  # after Hydra has read the command line: --help must not wait for torch

    run(config, Path(HydraConfig.get().runtime.output_dir))


if __name__ == "__main__":
    main()
