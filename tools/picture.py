"""Draw the README's moving picture: 220 points each of the truth, our VRNN and the blog's recipe.

python tools/picture.py outputs/eye/defaults-e3b0c442 outputs/blog_eye/defaults-e3b0c442 docs/eye.gif
"""

import argparse
from pathlib import Path

import numpy as np

from vrnn.plots.motion import lay_out, write_gif
from vrnn.runs.build import build_run
from vrnn.runs.stored import stored_settings
from vrnn.runs.trained import generate_from_run

STEPS = 220


def generated_trace(run: Path) -> np.ndarray:
    """Return one trace drawn from a run's prior, (STEPS, 2)."""
    path = generate_from_run(
        run, n=1, steps=STEPS, prefix=None, format="npz", out=None, sample=True, checkpoint="last", seed=0
    )
    return np.load(path)["traces"][0]


def main() -> None:
    """Write the picture of two runs on the same pattern."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("ours", "blog", "figure"):
        parser.add_argument(name, type=Path)
    paths = parser.parse_args()
    _, _, data = build_run(stored_settings(paths.ours))
    panels = {
        "truth": data.traces("test")[0].points[:STEPS],
        "our VRNN, from its prior": generated_trace(paths.ours),
        "the blog's recipe": generated_trace(paths.blog),
    }
    write_gif(paths.figure, lay_out([*panels.values()], titles=[*panels]))


if __name__ == "__main__":
    main()
