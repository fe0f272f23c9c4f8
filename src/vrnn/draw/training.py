"""Trainings that the page starts: processes of `vrnn train`, found again after the server or the machine has ended."""

from __future__ import annotations

import json
import math
import os
import re
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from vrnn.checks import check_choice
from vrnn.draw.drawings import Shelf, View, parse, view_of
from vrnn.draw.recipes import RECIPES, as_seen, dataset_settings, suggested_kind
from vrnn.errors import BusyError, DamagedError
from vrnn.files import read_limited, write_text_atomically
from vrnn.runs.curves import curve
from vrnn.runs.directory import CHECKPOINTS, failure, state
from vrnn.text import printable

RECORD, LOG = "training.json", "training.log"
OUTPUTS = Path("outputs")  # where `vrnn train` writes its runs
LARGEST_RECORD = 100_000  # bytes
MOST_LOG = 100_000  # bytes of the log's end that are read
PATIENCE = 60.0  # seconds for a process to save its checkpoint and end


@dataclass(frozen=True)
class Record:
    """A training of a set.

    Attributes:
        kind: What the set was taken for.
        preset: How long it takes.
        overrides: The arguments of `vrnn train`.
        run: The run's directory.
        steps: Of the optimizer.
        view: Where the model's coordinates lie on the canvas.
        wanted: Whether it is to be at work until it has finished.
        pid: Of the process that was last started.
    """

    kind: str
    preset: str
    overrides: list[str]
    run: str
    steps: int
    view: View
    wanted: bool = True
    pid: int | None = None


class Trainings:
    """Starts, stops and resumes the trainings of a shelf's sets, one at a time.

    Args:
        shelf: The sets.
    """

    def __init__(self, shelf: Shelf):
        self.shelf = shelf
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._lock = threading.RLock()

    def record(self, name: str) -> Record | None:
        """Return the last training of a set; None if there was none.

        Raises:
            ValueError: The name is none.
            DamagedError: It cannot be read.
        """
        path = self.shelf.directory(name) / RECORD
        if not path.exists():
            return None
        try:
            content = parse(read_limited(path, LARGEST_RECORD))
            return Record(**{**content, "view": View(**content["view"])})
        except (ValueError, TypeError, KeyError, OSError) as error:
            raise DamagedError(f"{path} is damaged: {error} Remove it.") from error

    def start(self, name: str, kind: str | None, preset: str) -> None:
        """Train on a set as it is now; a training with the same drawings and preset continues.

        Args:
            name: The set's.
            kind: What it is taken for; None: as its drawings suggest.
            preset: One of the recipe's.

        Raises:
            ValueError: The drawings cannot be learned, or the preset is unknown.
            BusyError: A training is at work.
        """
        with self._lock:
            self._check_idle()
            file = self.shelf.freeze(name)
            given = self.shelf.load(name)
            kind = kind or suggested_kind(file, given)
            as_seen(kind, file, given)  # refuses what the training would refuse
            recipe = RECIPES[kind]
            check_choice("preset", preset, tuple(recipe.presets))
            run = f"{name}-{preset}-{file.stem}"
            overrides = recipe.overrides(file, preset, dataset_settings(kind, file, given), run)
            directory = OUTPUTS / recipe.experiment / run
            steps = recipe.presets[preset].steps
            self._spawn(name, Record(kind, preset, overrides, str(directory), steps, view_of(file)))

    def resume(self, name: str) -> None:
        """Continue a set's last training where it was stopped or killed.

        Raises:
            ValueError: There was none.
            BusyError: A training is at work.
        """
        with self._lock:
            self._check_idle()
            record = self.record(name)
            if record is None:
                raise ValueError(f"{name} has no training to continue: start one.")
            self._spawn(name, replace(record, wanted=True))

    def stop(self, name: str) -> None:
        """Let a set's training save a checkpoint and end."""
        with self._lock:
            if record := self.record(name):
                self._write(name, replace(record, wanted=False))
                self._end(name, record)

    def stop_all(self) -> None:
        """Let all trainings of this process save a checkpoint and end; they are wanted again when the server starts."""
        with self._lock:
            for name in list(self._processes):
                if record := self.record(name):
                    self._end(name, record)

    def resume_wanted(self) -> list[str]:
        """Continue the trainings that were at work when the server ended, and return the names of their sets."""
        resumed = []
        for name in self.shelf.names():
            with suppress(ValueError, DamagedError, BusyError):  # the page shows what is wrong with a set
                record = self.record(name)
                if record and record.wanted and state(Path(record.run)) in ("interrupted", "pending"):
                    self.resume(name)
                    resumed.append(name)
        return resumed

    def progress(self, name: str) -> dict[str, Any] | None:
        """Return how a set's training stands, for the page; None if there was none."""
        record = self.record(name)
        if record is None:
            return None
        directory = Path(record.run)
        stands = self._state(name, record)
        found = {
            "state": stands,
            "kind": record.kind,
            "preset": record.preset,
            "run": record.run,
            "says": self._fault(name, record) if stands == "failed" else None,
        }
        return found | training_curves(directory, record.steps)

    def at_work(self) -> str | None:
        """Return the name of the set that is being trained on; None if none is."""
        for name in self.shelf.names():
            record = self._sound_record(name)
            if record and self._state(name, record) in ("starting", "running"):
                return name
        return None

    def _sound_record(self, name: str) -> Record | None:
        with suppress(DamagedError):
            return self.record(name)
        return None

    def _check_idle(self) -> None:
        if busy := self.at_work():
            raise BusyError(f"{busy} is being trained: stop it first, or wait until it has finished.")

    def _own_process(self, name: str, record: Record) -> subprocess.Popen[bytes] | None:
        """Return the process that trains, or has trained; None if another server has started it."""
        process = self._processes.get(name)
        return process if process is not None and process.pid == record.pid else None

    def _state(self, name: str, record: Record) -> str:
        """Return starting, running, finished, failed, interrupted or stopped."""
        process = self._own_process(name, record)
        found = state(Path(record.run))
        if process is not None and process.poll() is None:
            return "running" if found == "running" else "starting"
        if found in ("running", "finished", "failed"):
            return found
        if process is not None and process.returncode > 0 and process.returncode <= 128:
            return "failed"  # refused before the run had a directory
        return "interrupted" if record.wanted else "stopped"

    def _fault(self, name: str, record: Record) -> str:
        """Return why a training has failed, in a line."""
        if said := failure(Path(record.run)):
            return said.splitlines()[0]
        with suppress(OSError):
            text = (self.shelf.directory(name) / LOG).read_bytes()[-MOST_LOG:].decode(errors="replace")
            if errors := re.findall(r"^error: (.+)$", text, re.M):
                return printable(errors[-1])
        return f"The training ended early: {self.shelf.directory(name) / LOG} says why."

    def _spawn(self, name: str, record: Record) -> None:
        directory = self.shelf.directory(name)
        command = [sys.executable, "-m", "vrnn", "train", *record.overrides]
        with (directory / LOG).open("wb") as log:
            # A session of its own: Ctrl-C in the server's terminal reaches the server alone, which then ends it.
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
            )
        self._processes[name] = process
        self._write(name, replace(record, pid=process.pid))

    def _end(self, name: str, record: Record) -> None:
        process = self._own_process(name, record)
        if process is not None:
            if process.poll() is None:
                process.terminate()
                with suppress(subprocess.TimeoutExpired):
                    process.wait(PATIENCE)
            return
        # Another server has started it, and was killed.
        if record.pid is not None and state(Path(record.run)) == "running" and _is_training(record.pid, record.run):
            with suppress(ProcessLookupError):
                os.kill(record.pid, signal.SIGTERM)

    def _write(self, name: str, record: Record) -> None:
        write_text_atomically(self.shelf.directory(name) / RECORD, json.dumps(asdict(record), indent=2) + "\n")


def training_curves(directory: Path, steps: int) -> dict[str, Any]:
    """Return how far a run has come, and its curves, for the page.

    Args:
        directory: The run's.
        steps: Of the whole training.

    Returns:
        `step`, `steps`, `seconds_left` (None: unknown), `elbo` and `val_elbo` as lists of [step, nats per step], and
        `checkpoint`, which changes with the last checkpoint (None: there is none).
    """
    curves = {tag: curve(directory, tag) for tag in ("train/elbo", "val/elbo", "speed/steps_per_second")}
    reached = curves["train/elbo"][0]
    step = int(reached[-1]) if len(reached) else 0
    speeds = curves["speed/steps_per_second"][1]
    last = directory / CHECKPOINTS / "last.ckpt"
    return {
        "step": step,
        "steps": steps,
        "seconds_left": (steps - step) / float(speeds[-1]) if len(speeds) and speeds[-1] > 0 else None,
        "elbo": _points(*curves["train/elbo"]),
        "val_elbo": _points(*curves["val/elbo"]),
        "checkpoint": str(last.stat().st_mtime_ns) if last.exists() else None,
    }


def _points(steps: Any, values: Any, most: int = 400) -> list[list[float]]:
    """Return a curve as [step, value], thinned out to about `most` points."""
    every = max(1, len(steps) // most)
    pairs = zip(steps[::every], values[::every], strict=True)
    return [[int(step), round(float(value), 5)] for step, value in pairs if math.isfinite(value)]


def _is_training(pid: int, run: str) -> bool:
    """Tell whether a process is the training of a run: its number may be another's by now."""
    name = Path(run).name
    with suppress(OSError):
        return f"name={name}".encode() in Path(f"/proc/{pid}/cmdline").read_bytes()
    with suppress(OSError):
        done = subprocess.run(["ps", "-o", "args=", "-p", str(pid)], capture_output=True, text=True, check=False)
        return f"name={name}" in done.stdout
    return False
