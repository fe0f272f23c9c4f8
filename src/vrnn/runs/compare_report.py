"""`vrnn compare`: many runs on the console, as files and as an HTML page."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from omegaconf import DictConfig
from rich import box
from rich.console import Console
from rich.table import Table

from vrnn import plots
from vrnn.errors import DamagedError
from vrnn.files import write_text_atomically
from vrnn.runs import compare
from vrnn.runs.compare_figures import draw
from vrnn.runs.html_report import comparison_page

MOST_NAMED = 10  # rows whose best run the console names


def report(config: DictConfig) -> None:
    """Print the comparison of the runs below a directory, and write it as csv, Markdown, HTML and figures beside them."""
    root = Path(config.runs)
    out = Path(config.out) if config.out is not None else root
    runs = compare.collect(root)
    groups = compare.group_runs(runs, config.sort)
    compare.add_makers(groups)
    figures = draw(runs, groups, config.sort, config.traces)
    for name, figure in figures.items():
        plots.save(figure, out / "compare" / f"{name}.png")
    table, failed = compare.rows(groups, config.sort), compare.failures(runs)
    out.mkdir(parents=True, exist_ok=True)
    (out / "compare.csv").write_text(compare.to_csv(groups, config.sort))
    best = [str(group.best(config.sort).directory) for group in groups]
    duplicates = {name: own for group in groups for name, own in group.duplicates.items()}
    page = compare.to_markdown(str(root), table, failed, duplicates, [f"compare/{name}.png" for name in figures], best)
    (out / "compare.md").write_text(page)
    try:
        write_text_atomically(out / "compare.html", comparison_page(root, runs, groups, figures, config.sort))
    except DamagedError as damage:
        failed["compare.html"] = str(damage)
    show(table, failed, duplicates, out, best)


def _fit(printed: Table, kept: int, width: int) -> None:
    """Leave out the last columns that do not fit the terminal, but not the first `kept`, and say so."""
    shown = len(printed.columns)
    while len(printed.columns) > kept and _width(printed) > width:
        del printed.columns[-1]
    if len(printed.columns) < shown:
        printed.caption = f"{shown - len(printed.columns)} more columns are in compare.md"


def _width(printed: Table) -> int:
    return Console(width=1000).measure(printed).maximum


def show(
    table: list[list[str]], failed: dict[str, str], duplicates: dict[str, str], out: Path, best: Sequence[str] = ()
) -> None:
    """Print the table and the failures on the console, with the interval of the first score only."""
    printed = Table(box=box.SIMPLE)
    for heading in table[0]:
        printed.add_column(heading.removesuffix("_nats_per_step").replace("_", "\n"), no_wrap=True)
    kept = table[0].index("runs") + 2
    for row in table[1:]:
        printed.add_row(*row[:kept], *(re.sub(r" \[.*\]", "", cell) for cell in row[kept:]))
    console = Console()
    if console.is_terminal:
        _fit(printed, kept, console.width)
        for column in printed.columns[: kept - 2]:
            column.no_wrap, column.overflow = False, "fold"
    console.width = max(console.width, Console(width=1000).measure(printed).minimum)  # half a number is none
    console.print(printed)
    for i, run in enumerate(best[:MOST_NAMED], 1):
        console.print(f"row {i}: run={run}", markup=False, highlight=False, soft_wrap=True)
    for name, own in duplicates.items():
        console.print(f"left out: {name} has the settings and the seed of {own}", highlight=False, soft_wrap=True)
    for name, error in failed.items():
        console.print(f"failed: {name}\n  {error}", markup=False, highlight=False, soft_wrap=True)
    console.print(
        f"{out / 'compare.html'}, {out / 'compare.md'}, {out / 'compare.csv'}, {out / 'compare'}/",
        soft_wrap=True,
        highlight=False,
    )
