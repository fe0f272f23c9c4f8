"""Load a trained run and draw from it: `python examples/generate_from_run.py outputs/eye/defaults-e3b0c442`."""

import sys
from pathlib import Path

import torch

from vrnn.runs.parts import build_vrnn
from vrnn.runs.stored import stored_settings
from vrnn.training.checkpoints import load_weights


def main(directory: Path) -> None:
    """Print where the first generated trace goes, and save all of them."""
    vrnn = build_vrnn(stored_settings(directory)).eval()
    load_weights(vrnn, directory / "checkpoints" / "last.ckpt", prefix="vrnn.")
    traces = vrnn.generate(n=8, steps=600, generator=torch.Generator().manual_seed(0))
    print("shape (T, n, x_dim):", tuple(traces.shape))
    print("first trace, first points:", traces[:3, 0].tolist())
    torch.save(traces, "generated.pt")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
