"""The scalars of a run as a text file, for a spreadsheet or pandas: one row for each scalar of a step."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

from lightning_fabric.loggers.logger import rank_zero_experiment
from lightning_fabric.utilities.rank_zero import rank_zero_only
from pytorch_lightning.loggers.logger import Logger
from typing_extensions import override

from vrnn.files import open_regular, write_text_atomically

SCALARS = "scalars.csv"
HEADER = ("step", "name", "value")


class ScalarsFile(Logger):
    """Writes scalars.csv. Lightning's CSVLogger removes what an earlier process wrote, so a resumed run would lose it.

    Args:
        directory: The run's.
        last_step: The step at which the run goes on. Rows beyond it are removed: the run writes them again.
    """

    def __init__(self, directory: Path, last_step: int):
        super().__init__()
        self.path, self.last_step = directory / SCALARS, last_step
        self.file: TextIO | None = None

    @property
    @override
    def name(self) -> str:
        return ""

    @property
    @override
    def version(self) -> str:
        return ""

    @property
    @rank_zero_experiment
    def experiment(self) -> TextIO:
        """The open file, at its end."""
        if self.file is None:
            rows = [HEADER, *kept_rows(self.path, self.last_step)]
            write_text_atomically(self.path, "".join(f"{','.join(row)}\n" for row in rows))
            self.file = self.path.open("a", encoding="utf-8", newline="")
        return self.file

    @override
    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        writer = csv.writer(self.experiment, lineterminator="\n")
        writer.writerows((step, name, float(value)) for name, value in metrics.items())

    @override
    def log_hyperparams(self, *_: Any, **__: Any) -> None:
        # The settings are in config.yaml.
        pass

    @override
    @rank_zero_only
    def finalize(self, status: str) -> None:
        if self.file is not None:
            self.file.close()


def kept_rows(path: Path, last_step: int) -> list[tuple[str, str, str]]:
    """Return the rows of a scalars.csv up to a step, without lines that a killed process left unfinished.

    Args:
        path: The file. A missing one has no rows.
        last_step: The last step of which rows are returned.
    """
    try:
        with open_regular(path) as file:
            lines = file.read().decode(errors="replace").splitlines(keepends=True)
    except FileNotFoundError:
        return []
    rows = [line.rstrip("\n").split(",") for line in lines if line.endswith("\n") and line.count(",") == 2]
    return [(step, name, value) for step, name, value in rows if is_row(step, name, value) and int(step) <= last_step]


def is_row(step: str, name: str, value: str) -> bool:
    """Whether the texts are a step, a name and a number."""
    try:
        float(value)
    except ValueError:
        return False
    return step.isdecimal() and bool(name)
