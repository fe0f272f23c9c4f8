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

from vrnn.files import write_text_atomically
from vrnn.training.scalar_rows import HEADER, SCALARS, kept_rows


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
        self.experiment.flush()  # a sweep's table and the page of `vrnn draw` follow a run by this file

    @override
    def log_hyperparams(self, *_: Any, **__: Any) -> None:
        # The settings are in config.yaml.
        pass

    @override
    @rank_zero_only
    def finalize(self, status: str) -> None:
        if self.file is not None:
            self.file.close()
