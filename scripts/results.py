"""The README's table of results, from the scores.json of finished runs: `make results` runs them first.

python scripts/results.py outputs/eye/defaults-e3b0c442 outputs/blog_eye/defaults-e3b0c442
"""

import argparse
import json
from pathlib import Path
from typing import Any

COLUMNS = ("invalid_fraction", "transition_tv", "laps_right_fraction")


def estimate(scores: dict[str, Any], key: str) -> str:
    """A score with its standard error."""
    value, error = scores[key], scores[f"{key}_se"]
    return "-" if value is None else f"{value:.3f}" + ("" if error is None else f" ± {error:.3f}")


def row(run: Path) -> str:
    """One run as a row: experiment, odds, scores, bound and KL."""
    scores = json.loads((run / "scores.json").read_text())
    drawn = scores["generated"]
    shares = " / ".join(f"{share:.2f}" for share in drawn["pattern_fractions"].values() if share is not None)
    cells = [run.parent.name, shares, *(estimate(drawn, key) for key in COLUMNS)]
    cells += [f"{scores['elbo_nats_per_step']:.2f}", f"{scores['kl_nats_per_step']:.4f}"]
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """A Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path, nargs="+", help="directories of finished runs")
    print("| experiment | shares of the patterns | invalid laps | transitions, TV | right laps a visit | ELBO | KL |")
    print("|---|---|---|---|---|---|---|")
    for run in parser.parse_args().runs:
        print(row(run))


if __name__ == "__main__":
    main()
