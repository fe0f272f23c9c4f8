"""Which run a request is: the name of its directory, what its settings and files hold, and how two of them differ."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser

from vrnn.patterns.files.expand import expand_files
from vrnn.patterns.files.labels import FOLDER, folder_label
from vrnn.patterns.files.read import READERS
from vrnn.patterns.files.series_files import SERIES_READERS
from vrnn.patterns.piano_rolls import PianoRolls

STATES = "dataset.automaton.states."
DIGEST = "dataset.digest"


def run_name(sweep: str | None, experiment: str | None, dataset: str, overrides: Sequence[str]) -> str:
    """Return <task>/<slug>-<hash>: the same request gives the same directory, whatever the order of its overrides.

    The task is the sweep's name, else the experiment, else the dataset; in a sweep the experiment is part of the slug.
    `name` is the whole slug of a run outside a sweep.
    overrides: as on the command line, `key=value`; how they are quoted and spaced makes no difference.
    """
    experiment = None if experiment in (None, "None", "null") else experiment
    task = sweep or experiment or dataset
    unnamed = ("sweep", "fresh", "trainer.max_time", *(() if sweep else ("experiment",)))
    parsed = [o for o in OverridesParser.create().parse_overrides(list(overrides)) if o.key_or_group not in unnamed]
    parsed = [o for o in parsed if o.key_or_group.partition(".")[0] != "logger"]
    own = next((str(o.value()) for o in parsed if o.key_or_group == "name"), None)
    if own is not None and not sweep:
        return f"{task}/{own}"
    stated = ",".join(sorted(f"{o.get_key_element()}={o.get_value_element_as_str()}" for o in parsed))
    slug = re.sub(r"[^A-Za-z0-9._]+", "-", stated.replace(",", "_")).strip("-._")[:120] or "defaults"
    return f"{task}/{slug}-{hashlib.sha256(stated.encode()).hexdigest()[:8]}"


FILE_LISTS = ("files", "val_files", "test_files")  # settings of a dataset


def digest(dataset: Mapping[str, Any]) -> str | None:
    """Return a digest of what a dataset's `files` or `file` hold, or the handwriting's XML files below its `directory`.

    It is part of what a run is. None if there are no such files. Folders and globs stand for the files in them. Where the place
    of a file says what it is for, or what its label is, a second digest of the places follows.
    """
    files = dataset_files(dataset)
    if not files or not all(file.is_file() for file in files):
        return None
    contents = [_content(file, file.stat().st_mtime_ns) for file in files]
    parts = [b"".join(contents)]
    if dataset.get("val_files") or dataset.get("test_files") or dataset.get("label") == FOLDER:
        parts.append("\n".join(_places(dataset)).encode())
    return "-".join(hashlib.sha256(part).hexdigest()[:16] for part in parts)


def _places(dataset: Mapping[str, Any]) -> list[str]:
    """Return for each file of a dataset's lists which list it is in, and its folder where that is its label."""
    is_label = dataset.get("label") == FOLDER
    return [f"{key} {folder_label(path) if is_label else ''}" for key in FILE_LISTS for path in _listed(dataset, key)]


def is_same_digest(stored: str | None, now: str | None) -> bool:
    """Whether two digests are of the same data; runs from before that of the places was added have the first part alone."""
    return stored == now or (stored is not None and "-" not in stored and str(now).startswith(f"{stored}-"))


def dataset_files(dataset: Mapping[str, Any]) -> list[Path]:
    """Return the files that a dataset is read from, [] if a folder or glob has none, which the pattern reports."""
    try:
        files = [path for key in FILE_LISTS for path in _listed(dataset, key)]
    except ValueError:
        return []
    if "file" in path_keys(dataset) and "file" in dataset:
        files.append(Path(str(dataset["file"])))
    if "directory" in dataset:
        files += sorted(Path(str(dataset["directory"])).rglob("*.xml"))
    return files


def _listed(dataset: Mapping[str, Any], key: str) -> list[Path]:
    return expand_files(dataset.get(key) or (), {*READERS, *SERIES_READERS})


def path_keys(dataset: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the settings of a dataset that say where its data lie, for the digest says what they are."""
    rolls = str(dataset.get("_target_")).endswith(f".{PianoRolls.__name__}")
    return ("files", "directory", *(("file",) if rolls else ()))


@cache
def _content(file: Path, stamp: int) -> bytes:
    """A digest of a file, made once: handwriting is thousands, and a run asks several times. stamp: its time of change."""
    return hashlib.sha256(file.read_bytes()).digest()


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Return one line `key: old -> new` for each setting in which two configurations differ.

    So is the order of an automaton's states one: it decides which random number leads where.
    """
    before, after = flat(old), flat(new)
    for leaves in (before, after):
        names = dict.fromkeys(key.removeprefix(STATES).split(".")[0] for key in leaves if key.startswith(STATES))
        leaves |= {f"{STATES}order": ", ".join(names)} if names else {}
    if is_same_digest(before.get(DIGEST), after.get(DIGEST)):
        after[DIGEST] = before.get(DIGEST)
    keys = sorted(before.keys() | after.keys())
    return [f"{key}: {before.get(key)} -> {after.get(key)}" for key in keys if before.get(key) != after.get(key)]


def flat(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return {"a.b": value} for a tree of dicts; lists become text."""
    leaves: dict[str, Any] = {}
    for key, value in tree.items():
        if isinstance(value, Mapping):
            leaves |= flat(value, f"{prefix}{key}.")
        else:
            leaves[f"{prefix}{key}"] = str(value) if isinstance(value, list) else value
    return leaves
