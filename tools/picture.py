"""The README's picture: the truth, our VRNN and the blog's recipe, each 400 points of one trace.

python tools/picture.py outputs/eye/defaults-e3b0c442 outputs/blog_eye/defaults-e3b0c442 docs/eye.png
"""

import argparse
from pathlib import Path

import numpy as np

from vrnn import plots
from vrnn.runs.build import build_run, stored_settings
from vrnn.runs.trained import generate_from_run

STEPS = 400


def drawn(run: Path) -> np.ndarray:
    """One trace (STEPS, 2) from a run's prior, x sampled."""
    path = generate_from_run(run, 1, STEPS, None, "npz", None, True, "last", 0)
    return np.load(path)["traces"][0]


def main() -> None:
    """Two runs of the same pattern in, one picture out."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("ours", "blog", "picture"):
        parser.add_argument(name, type=Path)
    paths = parser.parse_args()
    _, _, data = build_run(stored_settings(paths.ours))
    truth = data.traces("test")[0].points[:STEPS]
    panels = {"truth": truth, "our VRNN, from its prior": drawn(paths.ours), "the blog's recipe": drawn(paths.blog)}
    plots.save(plots.plot_traces(panels), paths.picture)


if __name__ == "__main__":
    main()
