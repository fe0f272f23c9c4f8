"""Interrupted runs go on bit for bit. Real processes, really killed."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tests.conftest import ROOT, SMALL

PACE = "training={steps: 400, log_every: 5, val_every: 60, checkpoint_every: 20, figure_every: 120}"
ADAPTIVE = ["w_schedule=adaptive"]


def command(directory: Path, more: Sequence[str]) -> list[str]:
    return [sys.executable, "scripts/train.py", *SMALL, PACE, *more, f"hydra.run.dir={directory}"]


def start(directory: Path, more: Sequence[str], **environment: str) -> subprocess.Popen:
    return subprocess.Popen(
        command(directory, more),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, **environment},
    )


def finish(directory: Path, more: Sequence[str] = ADAPTIVE, **environment: str) -> str:
    process = start(directory, more, **environment)
    output, _ = process.communicate(timeout=240)
    assert process.returncode == 0, output
    return output


def interrupt(directory: Path, number: signal.Signals, delay: float, more: Sequence[str] = ADAPTIVE) -> int:
    """Start the run, let it write a new checkpoint, wait `delay` seconds more, send the signal; return the exit code."""
    last = directory / "checkpoints" / "last.ckpt"
    before = last.stat().st_mtime_ns if last.exists() else 0
    process = start(directory, more)
    deadline = time.monotonic() + 120
    while not (last.exists() and last.stat().st_mtime_ns > before):
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < deadline
        time.sleep(0.005)
    time.sleep(delay)
    process.send_signal(number)
    process.communicate(timeout=120)
    return process.returncode


def scalars(directory: Path) -> dict[tuple[str, int], float]:
    """The value of each (tag, step), which is there once, but for speeds, which are the clock's."""
    events = EventAccumulator(str(directory), size_guidance={"scalars": 0})
    events.Reload()
    tags = [tag for tag in events.Tags()["scalars"] if not tag.startswith("speed/")]
    found = [((tag, event.step), event.value) for tag in tags for event in events.Scalars(tag)]
    assert len(dict(found)) == len(found)
    return dict(found)


def rows(directory: Path) -> list[str]:
    """The rows of scalars.csv, but for speeds."""
    return [row for row in (directory / "scalars.csv").read_text().splitlines() if ",speed/" not in row]


def assert_same_run(directory: Path, reference: Path) -> None:
    for name in ("last.ckpt", "best.ckpt"):
        ours, theirs = (torch.load(d / "checkpoints" / name, weights_only=True) for d in (directory, reference))
        for part in ("state_dict", "optimizer_states", "lr_schedulers", "carried_state", "global_step"):
            assert identical(ours[part], theirs[part]), f"{name}: {part}"
    assert (directory / "scores.json").read_bytes() == (reference / "scores.json").read_bytes()
    ours, theirs = scalars(directory), scalars(reference)
    assert ours.keys() == theirs.keys()
    assert {key for key in ours if ours[key] != theirs[key] and theirs[key] == theirs[key]} == set()
    assert rows(directory) == rows(reference)


def identical(a, b) -> bool:
    """Equal to the last bit, whatever the nesting."""
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(identical(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(identical, a, b))
    return a == b


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory) -> Path:
    directory = tmp_path_factory.mktemp("undisturbed")
    finish(directory)
    return directory


def test_killed_three_times_at_random_moments(undisturbed, tmp_path):
    moments = random.Random(time.time_ns())  # truly random moments: the result must not depend on them
    for _ in range(3):
        assert interrupt(tmp_path, signal.SIGKILL, moments.uniform(0.0, 0.5)) == -signal.SIGKILL
        assert not (tmp_path / "done").exists()
    finish(tmp_path)
    assert_same_run(tmp_path, undisturbed)


@pytest.mark.parametrize("more", [{}, {"SLURM_NTASKS_PER_NODE": "2"}])
def test_each_task_of_srun_makes_runs_of_its_own(undisturbed, tmp_path, more):
    """As the environment tells it; Lightning would take it for one process of two."""
    task = {"SLURM_JOB_ID": "7", "SLURM_NTASKS": "2", "SLURM_PROCID": "1", "SLURM_LOCALID": "1", **more}
    finish(tmp_path, **task)
    assert_same_run(tmp_path, undisturbed)


CARRIED = {
    # K copies of the state, the chance that resamples them, and a GRU that looks ahead.
    "particles": ["bound=fivo", "bound.particles=3", "posterior=smoothing"],
    "plateau": ["optimizer=adamw", "lr_schedule=plateau", "lr_schedule.patience=0", "training.val_every=5"],
    "noise": ["regularisation=dropout", "regularisation.input_noise=0.02"],
    "first points": ["model.first_points=3", "data.min_steps=40", "data.gaps.share=0.2"],
    # Ended after 45 of 60 steps.
    "callbacks": [
        "callbacks=[early_stopping,ema,film,gradient_noise]",
        "callbacks.early_stopping={patience: 8, min_delta: 100}",
        "training.val_every=5",
    ],
}


@pytest.mark.parametrize("more", CARRIED.values(), ids=CARRIED)
def test_what_a_checkpoint_carries_over_a_kill(more, tmp_path):
    more = [*more, "training.steps=60", "training.checkpoint_every=10"]
    finish(tmp_path / "whole", more)
    assert interrupt(tmp_path / "killed", signal.SIGKILL, 0.02, more) == -signal.SIGKILL
    finish(tmp_path / "killed", more)
    assert_same_run(tmp_path / "killed", tmp_path / "whole")


def on_series(directory: Path) -> list[str]:
    """Write a series that follows another one to a file, and return the settings of a run on it."""
    time = np.arange(1000)
    heat = np.sin(time / 7) + np.sin(time / 31)
    np.save(directory / "load.npy", np.stack([heat, np.convolve(heat, [0.5, 0.3, 0.2])[:1000]], axis=1))
    dataset = ["dataset=series", f"dataset.files=[{directory / 'load.npy'}]", "dataset.condition_columns=[0]"]
    return [*dataset, "condition=series"]


@pytest.mark.sweeps
@pytest.mark.parametrize("condition", ["label", "series"])
def test_a_conditioned_run_goes_on_after_a_kill(condition, tmp_path):
    more = on_series(tmp_path) if condition == "series" else ["dataset=classes", "condition=label"]
    more = [*more, "training.steps=60", "training.checkpoint_every=10"]
    finish(tmp_path / "whole", more)
    assert interrupt(tmp_path / "killed", signal.SIGKILL, 0.02, more) == -signal.SIGKILL
    finish(tmp_path / "killed", more)
    assert_same_run(tmp_path / "killed", tmp_path / "whole")


def test_asked_to_stop(undisturbed, tmp_path):
    assert interrupt(tmp_path, signal.SIGTERM, 0.13) == 128 + signal.SIGTERM
    assert interrupt(tmp_path, signal.SIGINT, 0.07) == 128 + signal.SIGINT
    finish(tmp_path)
    assert_same_run(tmp_path, undisturbed)


LOST = """
import os, signal, time, weakref
from vrnn.training.signals import Interruption

class Thing: ...

def ask(_):
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(1)  # the handler raises here

thing = Thing()
with Interruption():
    reference = weakref.ref(thing, ask)
    del thing
    print("within")
print("beyond")
"""


def test_a_signal_whose_exception_is_ignored_ends_the_process():
    process = subprocess.run([sys.executable, "-c", LOST], capture_output=True, text=True, check=False, timeout=60)
    assert (process.returncode, process.stdout) == (128 + signal.SIGTERM, "within\n")
    assert "Exception ignored in" in process.stderr


def test_a_finished_run_is_not_run_again(undisturbed):
    def files():
        return {path: path.stat().st_mtime_ns for path in undisturbed.rglob("*") if path.is_file()}

    before = files()
    assert "Already finished" in finish(undisturbed)
    assert files() == before


def test_scores_have_what_the_readme_promises(undisturbed):
    scores = json.loads((undisturbed / "scores.json").read_text())
    for name in ("elbo", "kl", "log_likelihood"):
        assert scores[f"{name}_nats_per_step"] is not None
        assert scores[f"{name}_nats_per_step_se"] > 0
    assert scores["elbo_nats_per_step"] == pytest.approx(
        scores["log_likelihood_nats_per_step"] - scores["kl_nats_per_step"], rel=1e-6
    )
    generated = scores["generated"]
    assert isinstance(generated["laps"], int)
    estimates = ("invalid_fraction", "pattern_fractions", "transition_matrix", "transition_tv", "laps_right_fraction")
    assert {"visits", *estimates, *(f"{name}_se" for name in estimates)} <= generated.keys()
    assert scores["truth"]["transition_matrix"]["wide"]["thin"] == pytest.approx(1 / 3)
