"""Train a run from Python instead of the command line: `python examples/train_from_python.py [overrides]`.

The run is the one that `vrnn train` with the same overrides makes, in a directory of your choice. A second call continues it,
or returns the scores of the finished run.
"""

import sys
from pathlib import Path

from hydra import compose, initialize_config_dir

import vrnn
from vrnn.runs.config import conf_directory, register


def main(overrides: list[str]) -> None:
    """Compose a configuration, train it, print two scores."""
    register()  # makes the schema known to Hydra
    with initialize_config_dir(str(conf_directory()), version_base="1.3"):
        config = compose("train", overrides=["experiment=quick", *overrides])
    scores = vrnn.run(config, Path("outputs/from_python"), overrides)
    print(f"ELBO {scores['elbo_nats_per_step']:.3f} nats per step")
    print(f"invalid laps {scores['generated']['invalid_fraction']:.3f}")


if __name__ == "__main__":
    main(sys.argv[1:])
