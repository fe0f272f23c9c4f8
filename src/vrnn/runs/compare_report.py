"""`vrnn compare`: many runs on the console, as files and as an HTML page."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from omegaconf import DictConfig
from rich import box
from rich.table import Column, Table

from vrnn import plots
from vrnn.errors import DamagedError
from vrnn.files import write_text_atomically
from vrnn.runs import compare, compare_table
from vrnn.runs.collect import collect, failures
from vrnn.runs.compare_figures import draw
from vrnn.runs.console import plain_console
from vrnn.runs.html_report import comparison_page

NARROWEST = 8  # characters of a setting's column
MOST_NAMED = 10  # rows whose best run the console names


def report(config: DictConfig) -> None:
    """Print the comparison of the runs below a directory, and write it as csv, Markdown, HTML and figures beside them."""
    root = Path(config.runs)
    out = Path(config.out) if config.out is not None else root
    runs = collect(root)
    groups = compare.group_runs(runs, config.sort)
    compare.add_makers(groups)
    figures = draw(runs, groups, config.sort, config.traces)
    for name, figure in figures.items():
        plots.save(figure, out / "compare" / f"{name}.png")
    table, failed = compare_table.rows(groups, config.sort), failures(runs)
    out.mkdir(parents=True, exist_ok=True)
    (out / "compare.csv").write_text(compare_table.to_csv(groups, config.sort))
    best = [str(group.best(config.sort).directory) for group in groups]
    duplicates = {name: own for group in groups for name, own in group.duplicates.items()}
    page = compare_table.to_markdown(
        str(root), table, failed, duplicates, [f"compare/{name}.png" for name in figures], best
    )
    (out / "compare.md").write_text(page)
    try:
        write_text_atomically(out / "compare.html", comparison_page(root, runs, groups, figures, config.sort))
    except DamagedError as damage:
        failed["compare.html"] = str(damage)
    show(table, failed, duplicates, out, best)


def _printed(table: list[list[str]], with_interval: int) -> Table:
    """Return the table for the console, with the interval of one column."""
    printed = Table(box=box.SIMPLE)
    for heading in table[0]:
        printed.add_column(heading.removesuffix("_nats_per_step").replace("_", "\n"), no_wrap=True)
    for row in table[1:]:
        printed.add_row(
            *(cell if i == with_interval else re.sub(r" \[\S+, \S+\]", "", cell) for i, cell in enumerate(row))
        )
    return printed


def _in_one_column(table: list[list[str]], settings: int) -> list[list[str]]:
    """Return the table with the settings of each row, the first columns, in one column, a line each."""
    names = table[0][:settings]

    def lines(row: list[str]) -> str:
        return "\n".join(f"{name}={value}" for name, value in zip(names, row, strict=False) if value != "-")

    return [["settings", *table[0][settings:]], *([lines(row), *row[settings:]] for row in table[1:])]


def _fit(printed: Table, settings: int, width: int) -> bool:
    """Leave out the last columns that do not fit the terminal, and say so; then wrap the settings, the first columns.

    Returns:
        Whether it fits now.
    """
    shown = len(printed.columns)
    while len(printed.columns) > settings + 2 and _width(printed) > width:
        del printed.columns[-1]
    if len(printed.columns) < shown:
        printed.caption = f"{shown - len(printed.columns)} more columns are in compare.md"
    while (excess := _width(printed) - width) > 0:
        widest = max(printed.columns[:settings], key=_width_of, default=None)
        if widest is None or _width_of(widest) <= NARROWEST:
            break
        widest.no_wrap, widest.overflow = False, "fold"
        widest.max_width = max(NARROWEST, _width_of(widest) - excess)
    return excess <= 0


def _width_of(column: Column) -> int:
    """Return how wide a column is without its padding."""
    cells = [column.header, *column.cells]
    needed = max(max(map(len, str(cell).split("\n"))) for cell in cells)
    return needed if column.max_width is None else min(needed, column.max_width)


def _width(printed: Table) -> int:
    return plain_console(width=1000).measure(printed).maximum


def show(
    table: list[list[str]], failed: dict[str, str], duplicates: dict[str, str], out: Path, best: Sequence[str] = ()
) -> None:
    """Print the table and the failures on the console, with the interval of the first score only."""
    settings = table[0].index("runs")
    console = plain_console()
    printed = _printed(table, with_interval=settings + 1)
    if console.is_terminal and not _fit(printed, settings, console.width):
        printed = _printed(table, with_interval=-1)
        if not _fit(printed, settings, console.width):
            printed = _printed(_in_one_column(table, settings), with_interval=-1)
            printed.leading = 1
            _fit(printed, 1, console.width)
    console.width = max(console.width, _width(printed))  # half a number is none
    console.print(printed)
    for i, run in enumerate(best[:MOST_NAMED], 1):
        console.print(f"row {i}: run={run}", soft_wrap=True)
    for name, own in duplicates.items():
        console.print(f"left out: {name} has the settings and the seed of {own}", soft_wrap=True)
    for name, error in failed.items():
        console.print(f"failed: {name}\n  {error}", soft_wrap=True)
    console.print(
        f"{out / 'compare.html'}, {out / 'compare.md'}, {out / 'compare.csv'}, {out / 'compare'}/",
        soft_wrap=True,
    )
