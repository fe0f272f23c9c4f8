"""`vrnn report`: a run, or the comparison of many, as one HTML page that can be sent to others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from omegaconf import DictConfig

import vrnn
from vrnn import plots
from vrnn.errors import DamagedError
from vrnn.files import write_text_atomically
from vrnn.runs import compare, compare_table
from vrnn.runs.collect import Run, collect, failures, read_run
from vrnn.runs.compare import Group
from vrnn.runs.compare_figures import draw
from vrnn.runs.curves import curve
from vrnn.runs.directory import CONFIG, FAILED, PROVENANCE, SAMPLE, SCORES, read_scores, read_settings
from vrnn.runs.html_page import Picture, embed_figure, embed_png, render
from vrnn.runs.name import flat
from vrnn.runs.provenance import read_provenance, read_sessions
from vrnn.runs.summary import score_rows
from vrnn.training.scalar_rows import SCALARS

# {figure: its caption}, in the order of the page; other figures follow under their names.
CAPTIONS = {
    "true_and_generated": "A true sequence and a generated one",
    "samples": "Generated from the prior",
    "classes": "Generated sequences of each class",
    "continued": "A held-out series, its reconstruction and its continuations",
    "laps": "The laps of a generated trace, by what the judge takes them for",
    "transitions": "Odds of the transitions, true and generated",
    "latent": "KL along a held-out trace; the prior along a generated one",
    "training": "The last figure of the training",
}
# {name of the values: {label: tag of the scalar}}
CURVES = {
    "ELBO, nats per step": {"training": "train/elbo", "validation": "val/elbo"},
    "KL, nats per step": {"training": "train/kl", "validation": "val/kl"},
    "w": {"w": "w/w"},
}
FACTS = ("dataset", "recurrence", "latent", "prior", "likelihood", "w_schedule", "training.steps", "seed")
OF_COMPARE = {
    "parameters": "The score of every run against each setting, with the mean",
    "curves": "Validation ELBO: mean and range over seeds",
    "traces": "A generated trace of each run, the best first",
}
MOST_FIGURES = 30
NAME = "report.html"


def report(config: DictConfig) -> Path:
    """Write the page that `vrnn report` is asked for, and return its path."""
    asked = config.run if config.run is not None else config.runs
    path = Path(config.out) if config.out is not None else Path(asked) / NAME
    page = run_page(Path(asked)) if config.run is not None else runs_page(Path(asked), config.sort, config.traces)
    write_text_atomically(path, page)
    return path


def run_page(directory: Path) -> str:
    """Return the page of one run, whatever its state.

    Args:
        directory: The run's.

    Raises:
        DamagedError: Its settings cannot be read, or a file is a link to one elsewhere.
    """
    check_own_files(directory)
    run, settings, sessions = read_run(directory), read_settings(directory), read_sessions(directory)
    scores = read_scores(directory) if run.state == "finished" else {}
    missing: list[str] = []
    figures = _figures(directory, missing)
    curves = _curves(directory, missing)
    rows = _score_rows(scores, directory, missing)
    said = scores.pop("warnings", [])
    return render(
        "run.html",
        title=directory.resolve().name,
        state=run.state,
        facts={key: run.settings[key] for key in FACTS if key in run.settings},
        error=run.error,
        warnings=[
            *(said if isinstance(said, list) else [said]),
            *(text.replace(f"{directory}/", "") for text in missing),
        ],
        scores=rows,
        all_scores={key: _text(value) for key, value in flat(scores).items()},
        figures=figures,
        curves=curves,
        asked=sessions[0].get("command") if sessions else None,
        settings=flat(settings),
        provenance=read_provenance(directory),
        sessions=len(sessions),
        made=_made(),
    )


def runs_page(root: Path, sort: str, traces: int) -> str:
    """Return the page of the runs below a directory.

    Args:
        root: The directory.
        sort: The score to sort by.
        traces: Runs whose generated traces are shown, the best first.

    Raises:
        DamagedError: A run's files are links to files elsewhere.
        ValueError: There is no run.
    """
    runs = collect(root)
    groups = compare.group_runs(runs, sort)
    compare.add_makers(groups)
    return comparison_page(root, runs, groups, draw(runs, groups, sort, traces), sort)


def comparison_page(
    root: Path, runs: Sequence[Run], groups: Sequence[Group], drawn: Mapping[str, Figure], sort: str
) -> str:
    """Return the page of runs that have been compared.

    Args:
        root: The directory they are below.
        runs: All of them.
        groups: They, grouped over their seeds.
        drawn: Their figures by name, those of OF_COMPARE.
        sort: The score they are sorted by.

    Raises:
        DamagedError: A run's files are links to files elsewhere.
    """
    for run in runs:
        check_own_files(run.directory)
    headings, *rows = compare_table.rows(groups, sort)
    known = [run.settings for run in runs if run.settings]
    first, *others = known or [{}]
    return render(
        "runs.html",
        title=root.resolve().name,
        count=len(runs),
        headings=headings,
        rows=rows,
        best=[group.best(sort).directory.name for group in groups],
        sort=sort,
        figures=[embed_figure(figure, OF_COMPARE[name]) for name, figure in drawn.items()],
        failed=failures(runs),
        duplicates={name: own for group in groups for name, own in group.duplicates.items()},
        common={key: value for key, value in first.items() if all(each.get(key) == value for each in others)},
        made=_made(),
    )


def check_own_files(directory: Path) -> None:
    """Refuse links: a run that a stranger made must not bring files of the reader's own into what the reader sends away.

    Args:
        directory: The run's.

    Raises:
        DamagedError: A file that a page shows is a symbolic link.
    """
    names = (CONFIG, FAILED, PROVENANCE, SAMPLE, SCORES, SCALARS, "figures")
    shown = [*(directory / name for name in names), *directory.glob("figures/*"), *directory.glob("events.out.*")]
    for path in shown:
        if path.is_symlink():
            raise DamagedError(f"{path} must be the run's own, but is a symbolic link: copy its target there.")


def _figures(directory: Path, missing: list[str]) -> list[Picture]:
    """Return a run's stored figures; add what is wrong with those that cannot be shown to `missing`."""
    stored = {path.stem: path for path in sorted(directory.glob("figures/*.png"))}
    names = [*(name for name in CAPTIONS if name in stored), *(name for name in stored if name not in CAPTIONS)]
    pictures = []
    for name in names[:MOST_FIGURES]:
        try:
            pictures.append(embed_png(stored[name], CAPTIONS.get(name, name)))
        except DamagedError as damage:
            missing.append(str(damage))
    if len(names) > MOST_FIGURES:
        missing.append(f"{len(names) - MOST_FIGURES} more figures are in {directory / 'figures'}.")
    return pictures


def _curves(directory: Path, missing: list[str]) -> list[Picture]:
    """Return what a run logged as it trained, as figures; add what cannot be read to `missing`."""
    pictures = []
    try:
        for name, tags in CURVES.items():
            read = {label: curve(directory, tag) for label, tag in tags.items()}
            if found := {label: (steps, values[None]) for label, (steps, values) in read.items() if len(steps)}:
                pictures.append(embed_figure(plots.plot_curves(found, name), f"{name}, over the training's steps"))
    except DamagedError as damage:
        missing.append(str(damage))
    return pictures


def _score_rows(scores: dict[str, Any], directory: Path, missing: list[str]) -> list[Sequence[str]]:
    """Return the rows of the table of scores; if they have another form than a run writes, none, and say so in `missing`."""
    try:
        return list(score_rows(scores))
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        what = f"{type(error).__name__}: {error}"
        missing.append(f"{directory / SCORES} is damaged: {what}. Write it again with `vrnn evaluate run={directory}`.")
        return []


def _text(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else "-" if value is None else str(value)


def _made() -> str:
    return f"VRNN Lab {vrnn.__version__}, {datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
