"""Search for good settings: `python scripts/search.py search=quick sweep=found trials=20`. The same command again goes on."""

import sys
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from vrnn.config import in_one_line, register

register()


@hydra.main(version_base="1.3", config_path="../conf", config_name="search")
@in_one_line()
def main(config: DictConfig) -> None:
    """Any number of processes may be given the same study."""
    from vrnn.training.search import Search  # after Hydra has read the command line: --help must not wait for torch

    sources = HydraConfig.get().runtime.config_sources
    more = [source.path for source in sources if source.provider == "command-line"]  # --config-dir
    search = Search(config, str(Path(__file__).parents[1] / "conf"), more)
    if not search.work():
        sys.exit("error: no trial has completed; why the last ones failed stands above.")
    print(f"python scripts/compare.py runs={search.directory} sort={config.score}")


if __name__ == "__main__":
    main()
