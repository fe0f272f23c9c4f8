"""Search for good settings: `python scripts/search.py search=quick sweep=found trials=20`. The same command again goes on."""

from pathlib import Path

import hydra
from omegaconf import DictConfig

from vrnn.config import in_one_line, register

register()


@hydra.main(version_base="1.3", config_path="../conf", config_name="search")
@in_one_line()
def main(config: DictConfig) -> None:
    """Any number of processes may be given the same study."""
    from vrnn.training.search import Search  # after Hydra has read the command line: --help must not wait for torch

    search = Search(config, str(Path(__file__).parents[1] / "conf"))
    search.work()
    print(f"python scripts/compare.py runs={search.directory} sort={config.score}")


if __name__ == "__main__":
    main()
