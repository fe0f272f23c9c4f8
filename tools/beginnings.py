"""How generated traces begin: the share of their points that are off the data, step by step, for runs on points in the plane.

    python -m tools.beginnings outputs/eye/*

A point is off where it is farther than 0.1 from every point of the training traces, whose deviations are of the order of 1.
"""

import sys
from pathlib import Path

import torch
from scipy.spatial import KDTree

from vrnn import load_run
from vrnn.data.loader import TraceSet
from vrnn.runs.compare_table import line

FAR = 0.1
AT = (0, 1, 2, 5, 10, 20, 50)
LATER = 100
TRACES, STEPS = 256, 200


def shares_off(directory: Path) -> list[float]:
    """Return the share of traces that are off at each step of AT, and that of all points from step LATER on."""
    run = load_run(directory)
    traces = TraceSet(run.data.traces("train"))
    data = KDTree(traces.x[traces.mask].numpy())
    drawn = run.module.vrnn.generate(TRACES, STEPS, generator=torch.Generator().manual_seed(0))
    off = torch.as_tensor(data.query(drawn.flatten(0, 1).numpy())[0]).view(STEPS, TRACES) > FAR
    return [*(float(off[step].double().mean()) for step in AT), float(off[LATER:].double().mean())]


if __name__ == "__main__":
    columns = ["run", *(f"step {step}" for step in AT), f"from step {LATER} on"]
    print(line(columns), line(["---"] * len(columns)), sep="\n")
    for name in sys.argv[1:]:
        print(line([Path(name).name, *(f"{share:.3f}" for share in shares_off(Path(name)))]), flush=True)
