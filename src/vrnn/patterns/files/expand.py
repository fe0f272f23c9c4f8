"""Files, folders and globs, as the files they stand for."""

from __future__ import annotations

import glob
from collections.abc import Collection, Sequence
from pathlib import Path

Files = str | Path | Sequence[str | Path]


def expand_files(files: Files, suffixes: Collection[str]) -> list[Path]:
    """Return the files that paths stand for.

    Args:
        files: One path or several: a file; a folder, which stands for the files of the given kinds in it and below it, in
            alphabetical order, hidden ones left out; or a glob such as `data/**/*.csv`.
        suffixes: The kinds of files taken from a folder, such as {".csv"}.

    Raises:
        ValueError: A folder or glob without files, or a file that is named twice.
    """
    named: dict[Path, str | Path] = {}
    paths = []
    for given in [files] if isinstance(files, str | Path) else files:
        for path in _expand(Path(str(given)), suffixes):
            if (real := path.resolve()) in named:
                raise ValueError(
                    f"{path} is named twice, by {named[real]} and by {given}: name each file once (a copy under another name "
                    "counts once more)"
                )
            named[real] = given
            paths.append(path)
    return paths


def check_disjoint(suffixes: Collection[str], **lists: Files | None) -> None:
    """Refuse a file that is in two lists: its scores would measure memory.

    Raises:
        ValueError: The message names the file and both lists.
    """
    owner: dict[Path, str] = {}
    for key, files in lists.items():
        for path in expand_files(files or [], suffixes):
            if other := owner.get(path.resolve()):
                raise ValueError(f"{path} is in {other} and in {key}: name it in one of them")
            owner[path.resolve()] = key


def _expand(path: Path, suffixes: Collection[str]) -> list[Path]:
    if path.is_dir():
        inside = (found for found in path.rglob("*") if found.is_file() and found.suffix.lower() in suffixes)
        shown = [found for found in inside if not any(part.startswith(".") for part in found.relative_to(path).parts)]
        if not shown:
            raise ValueError(
                f"{path}: expected a folder with files of the kinds {', '.join(suffixes)}, found none in it"
            )
        return sorted(shown)
    if path.exists() or not glob.has_magic(str(path)):
        return [path]  # a file that is missing is the reader's to report
    pattern = path.relative_to(path.anchor)
    matching = sorted(found for found in Path(path.anchor).glob(str(pattern)) if found.is_file())
    if not matching:
        raise ValueError(f"{path}: no file matches (the working directory is {Path.cwd()})")
    return matching
