"""Load a trained run and draw from it: `python examples/generate_from_run.py outputs/eye/defaults-e3b0c442`."""

import sys

import numpy as np

import vrnn


def main(directory: str) -> None:
    """Print where the first generated trace goes, and save all of them."""
    traces = vrnn.load_run(directory).generate(n=8, steps=600)
    print("shape (T, n, x_dim):", traces.shape)
    print("first trace, first points:", traces[:3, 0].tolist())
    np.save("generated.npy", traces)


if __name__ == "__main__":
    main(sys.argv[1])
