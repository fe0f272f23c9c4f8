"""The care of many runs: listed, filtered, noted, tagged, removed."""

from __future__ import annotations

import json
import math
import re
import shutil
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from operator import eq, ge, gt, le, lt, ne
from pathlib import Path
from typing import Any, get_args

from omegaconf import DictConfig
from rich import box
from rich.console import JustifyMethod
from rich.table import Table

from vrnn.errors import BusyError, ConfigError
from vrnn.files import write_text_atomically
from vrnn.runs.collect import Run, collect, is_surely_run
from vrnn.runs.config import check_choice
from vrnn.runs.console import plain_console
from vrnn.runs.directory import State, lock_run
from vrnn.runs.plain_yaml import read_json
from vrnn.text import printable
from vrnn.verbosity import is_quiet

NOTES = "notes.json"  # what people wrote about a run
RELATIONS: dict[str, Callable[[Any, Any], bool]] = {"<=": le, ">=": ge, "!=": ne, "==": eq, "=": eq, "<": lt, ">": gt}
CONDITION = re.compile(r"\s*([\w.]+)\s*(<=|>=|!=|==|=|<|>)\s*(.+?)\s*")


@dataclass(frozen=True)
class Condition:
    """One comparison of `where`: a score, a setting, `state`, `tag` or `name`, a relation, a value."""

    key: str
    relation: str
    value: str

    def holds(self, run: Run, tags: Sequence[str]) -> bool:
        """Tell whether it holds for a run; a score or a setting that the run does not have fulfils no condition."""
        compare = RELATIONS[self.relation]
        if self.key == "tag":
            return (self.value in tags) == (compare is not ne)
        found = {"state": run.state, "name": run.directory.name, **run.settings, **run.scores}.get(self.key)
        if isinstance(found, bool) or found is None:
            words = "null" if found is None else str(found).lower()
            value = self.value.lower()
            return compare(words, "null" if value == "none" else value) if self.key in run.settings else False
        if isinstance(found, int | float):
            number = _as_number(self.value)
            return number is not None and math.isfinite(found) and compare(found, number)
        return compare(str(found), self.value)


def read_where(text: str | None) -> list[Condition]:
    """Read conditions, `key relation value` joined by `and`, as in `elbo_nats_per_step>6 and model.h_dim<=64`.

    Raises:
        ConfigError: One cannot be read, or is about a state that there is not.
    """
    conditions = []
    for part in re.split(r"\s+and\s+", text) if text else ():
        match = CONDITION.fullmatch(part)
        if match is None:
            raise ConfigError(
                f"where must be conditions such as 'elbo_nats_per_step>6 and state=finished', but has {part!r}: the relations "
                f"are {' '.join(RELATIONS)}."
            )
        condition = Condition(*match.groups())
        if condition.key == "state":
            check_choice("where: state", condition.value, get_args(State))
        conditions.append(condition)
    return conditions


def care(config: DictConfig) -> None:
    """List the runs that fulfil the conditions; on request note, tag or remove them.

    Raises:
        ConfigError: A condition that cannot be read, or one about something that no run has; or nobody there to confirm.
        ValueError: There is no run.
    """
    everything = collect(Path(config.directory))
    conditions = read_where(config.where)
    known = {"state", "tag", "name"}.union(*(run.settings.keys() | run.scores.keys() for run in everything))
    if unknown := [condition.key for condition in conditions if condition.key not in known]:
        raise ConfigError(f"where must name scores or settings of these runs, but {unknown[0]} is none.")
    runs = [run for run in everything if all(c.holds(run, read_notes(run.directory)[1]) for c in conditions)]
    for run in runs:
        if config.note is not None or config.tag is not None:
            _annotate(run.directory, config.note, config.tag)
    _show(runs)
    if config.remove and runs:
        _remove(runs, config.yes)


def read_notes(directory: Path) -> tuple[str, list[str]]:
    """Return the note and the tags of a run."""
    with suppress(OSError, ValueError):
        found = read_json(directory / NOTES)
        if isinstance(found, dict) and isinstance(found.get("tags", []), list):
            return str(found.get("note", "")), [str(tag) for tag in found.get("tags", [])]
    return "", []


def _annotate(directory: Path, note: str | None, tag: str | None) -> None:
    """Replace a run's note, and add a tag or, with a - before it, take one away."""
    old, tags = read_notes(directory)
    if tag is not None:
        name = tag.removeprefix("-")
        tags = [other for other in tags if other != name] + ([] if tag.startswith("-") else [name])
    written = {"note": old if note is None else note, "tags": sorted(tags)}
    write_text_atomically(directory / NOTES, json.dumps(written, ensure_ascii=False) + "\n")


def _show(runs: Sequence[Run]) -> None:
    if is_quiet():
        print(*(printable(run.directory) for run in runs), sep="\n")
        return
    notes = [read_notes(run.directory) for run in runs]
    headings = ["run", "state", "ELBO", "size", *(["tags"] if any(tags for _, tags in notes) else [])]
    headings += ["note"] if any(note for note, _ in notes) else []
    table = Table(box=box.SIMPLE)
    for heading in headings:
        is_short = heading in ("state", "ELBO", "size")
        justify: JustifyMethod = "right" if heading in ("ELBO", "size") else "left"
        table.add_column(heading, justify=justify, overflow="fold", no_wrap=is_short)
    sizes = [_size(run.directory) for run in runs]
    for run, size, (note, tags) in zip(runs, sizes, notes, strict=True):
        elbo = run.scores["elbo_nats_per_step"]
        row = {"run": str(run.directory), "state": run.state, "ELBO": "-" if math.isnan(elbo) else f"{elbo:.4f}"}
        row |= {"size": _in_words(size), "tags": ", ".join(tags), "note": note}
        table.add_row(*(row[heading] for heading in headings))
    console = plain_console()
    console.print(table)
    console.print(f"{len(runs)} {'run' if len(runs) == 1 else 'runs'}, {_in_words(sum(sizes))}")


def _remove(runs: Sequence[Run], yes: bool) -> None:
    """Remove runs after a confirmation; those at which a process works stay."""
    if not yes and not _confirmed(len(runs)):
        print("Nothing was removed.")
        return
    for run in runs:
        if why := _why_kept(run):
            print(f"kept, {why}: {run.directory}")
            continue
        try:
            with lock_run(run.directory):
                shutil.rmtree(run.directory)
        except BusyError:
            print(f"kept, in use: {run.directory}")


def _why_kept(run: Run) -> str | None:
    """Return why a run's directory must not be removed; None if it may be."""
    if run.directory.is_symlink():
        return "a symbolic link"
    if not is_surely_run(run):
        return "not known to be a run's"
    return "you are in it" if Path.cwd().is_relative_to(run.directory.resolve()) else None


def _confirmed(count: int) -> bool:
    question = "Remove this run" if count == 1 else f"Remove these {count} runs"
    try:
        return input(f"{question} for good? [y/N] ").strip().lower() in ("y", "yes")
    except EOFError as error:
        raise ConfigError("remove=true must be confirmed, but there is nobody to ask: add yes=true.") from error


def _size(directory: Path) -> int:
    return sum(path.lstat().st_size for path in directory.rglob("*") if not path.is_dir())


def _in_words(size: float) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.1f} MB" if size >= 1e6 else f"{size / 1e3:.0f} kB"


def _as_number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
