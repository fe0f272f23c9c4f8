"""Compare the runs of a sweep: `python scripts/compare.py runs=outputs/mine sort=transition_tv`."""

import re
from pathlib import Path

import hydra
import numpy as np
from matplotlib.figure import Figure
from omegaconf import DictConfig
from rich import box
from rich.console import Console
from rich.table import Table

from vrnn import plots
from vrnn.config import in_one_line, register
from vrnn.evaluation import comparison
from vrnn.evaluation.comparison import Group, Run

register()

MOST_PARAMETERS = 12  # panels of one figure


def draw(runs: list[Run], groups: list[Group], sort: str, traces: int) -> dict[str, Figure]:
    """The figures there is something to show for."""
    figures = {}
    scored = [run for run in runs if np.isfinite(run.scores[sort])]
    parameters = (list(groups[0].parameters) if groups else [])[:MOST_PARAMETERS]
    if scored and parameters:
        values = {key: [run.settings.get(key) for run in scored] for key in parameters}
        figures["parameters"] = plots.sweep_figure(np.array([run.scores[sort] for run in scored]), values, sort)
    if curves := comparison.curves(groups, "val/elbo"):
        figures["curves"] = plots.curves_figure(curves, "validation ELBO, nats per step")
    if samples := comparison.samples(groups, traces):
        steps = min(map(len, samples.values()))
        figures["traces"] = plots.sheet_figure(np.stack([x[:steps] for x in samples.values()]), list(samples))
    return figures


@hydra.main(version_base="1.3", config_path="../conf", config_name="compare")
@in_one_line(ValueError)
def main(config: DictConfig) -> None:
    """Prints the table, and writes it beside the runs."""
    root = Path(config.runs)
    out = Path(config.out) if config.out is not None else root
    runs = comparison.collect(root)
    groups = comparison.group_runs(runs, config.sort)
    figures = draw(runs, groups, config.sort, config.traces)
    for name, figure in figures.items():
        plots.save(figure, out / "compare" / f"{name}.png")
    table, failed = comparison.rows(groups, config.sort), comparison.failures(runs)
    out.mkdir(parents=True, exist_ok=True)
    (out / "compare.csv").write_text(comparison.to_csv(groups))
    doubles = {name: own for group in groups for name, own in group.doubles.items()}
    page = comparison.to_markdown(str(root), table, failed, doubles, [f"compare/{name}.png" for name in figures])
    (out / "compare.md").write_text(page)
    show(table, failed, doubles, out)


def show(table: list[list[str]], failed: dict[str, str], doubles: dict[str, str], out: Path) -> None:
    """All of it on the console, where there is room for the interval of the first score alone."""
    printed = Table(box=box.SIMPLE)
    for heading in table[0]:
        printed.add_column(heading.removesuffix("_nats_per_step").replace("_", "\n"), no_wrap=True)
    kept = table[0].index("runs") + 2
    for row in table[1:]:
        printed.add_row(*row[:kept], *(re.sub(r" \[.*\]", "", cell) for cell in row[kept:]))
    console = Console()
    console.width = max(console.width, Console(width=1000).measure(printed).maximum)  # half a number is none
    console.print(printed)
    for name, own in doubles.items():
        console.print(f"left out: {name} has the settings and the seed of {own}", highlight=False, soft_wrap=True)
    for name, error in failed.items():
        console.print(f"failed: {name}\n  {error}", markup=False, highlight=False, soft_wrap=True)
    console.print(f"{out / 'compare.md'}, {out / 'compare.csv'}, {out / 'compare'}/", soft_wrap=True, highlight=False)


if __name__ == "__main__":
    main()
