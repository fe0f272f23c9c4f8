"""One run by two processes: the run of one process, and it survives the death of both. Real processes, started by torchrun."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
import torch

from tests.conftest import SMALL
from tests.runs.sweeps import running
from tests.runs.test_resume import assert_same_run, on_series, scalars
from vrnn.distributed import shard_slice
from vrnn.objective.reduction import mean_per_step

# 7 traces a batch and 5 in an epoch's last: shares are never equal. The adaptive schedule must see the whole batch's RE and DE.
SIZES = [
    *SMALL,
    "training={steps: 60, log_every: 1, val_every: 25, checkpoint_every: 5, figure_every: 50}",
    "data.traces=12",
    "data.batch_size=7",
]
RUN = [*SIZES, "likelihood=mse", "w_schedule=adaptive", "w_schedule.alpha=1e-4"]


def one(directory: Path, *overrides: str, settings: Sequence[str] = RUN) -> AbstractContextManager[subprocess.Popen]:
    return running([sys.executable, "scripts/train.py", *settings, f"hydra.run.dir={directory}", *overrides])


def two(directory: Path, *overrides: str, settings: Sequence[str] = RUN) -> AbstractContextManager[subprocess.Popen]:
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    command = [*torchrun, "scripts/train.py", *overrides, *settings, "trainer=ddp", f"hydra.run.dir={directory}"]
    return running(command, OMP_NUM_THREADS="1")


def finish(process: AbstractContextManager[subprocess.Popen], code: int = 0) -> str:
    with process as started:
        output, _ = started.communicate(timeout=240)
        assert started.returncode == code, output
    return output


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory) -> Path:
    directory = tmp_path_factory.mktemp("two")
    finish(two(directory))
    return directory


@pytest.mark.sweeps
def test_two_processes_make_the_run_of_one(undisturbed, tmp_path):
    """The same but for the order of sums in float32, which 60 steps of training amplify."""
    finish(one(tmp_path))
    tags = ("train/loss", "train/RE", "train/DE", "train/elbo", "w/w", "optimiser/gradient_norm", "val/elbo")
    assert_close_scalars(undisturbed, tmp_path, tags)
    last, other = (torch.load(d / "checkpoints" / "last.ckpt", weights_only=True) for d in (undisturbed, tmp_path))
    for part, whole in zip(last["carried_state"], other["carried_state"], strict=True):
        assert part.shape == whole.shape


def assert_close_scalars(left: Path, right: Path, tags: tuple[str, ...]) -> None:
    ours, theirs = scalars(left), scalars(right)
    assert ours.keys() == theirs.keys()
    for tag in tags:
        steps = sorted(step for name, step in theirs if name == tag)
        a, b = (torch.tensor([found[tag, step] for step in steps]) for found in (ours, theirs))
        assert steps, tag
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-5, msg=lambda text, tag=tag: f"{tag}: {text}")


@pytest.mark.sweeps
@pytest.mark.parametrize("latent", [["latent=categorical"], ["latent=gaussian"]], ids=["summed", "sampled"])
def test_two_processes_share_a_forecast_and_a_wake_phase(latent, tmp_path):
    """Shards differ in size, so both losses must be means over the whole batch."""
    settings = [*SIZES, *latent, "training.steps=30", "w_schedule=wake", "forecast=points", "forecast.horizons=[3,6]"]
    finish(one(tmp_path / "one", settings=settings))
    finish(two(tmp_path / "two", settings=settings))
    tags = ("train/loss", "train/forecast_loss", "train/elbo", "w/wake_nll", "w/wake_kl", "val/elbo")
    assert_close_scalars(tmp_path / "two", tmp_path / "one", tags)


@pytest.mark.sweeps
def test_two_processes_share_first_points(tmp_path):
    """Traces of unequal lengths: a window holds the first points of some traces, of none, or of all."""
    settings = [*SIZES, "training.steps=30", "data.min_steps=40", "model.first_points=3"]
    finish(one(tmp_path / "one", settings=settings))
    finish(two(tmp_path / "two", settings=settings))
    tags = ("train/loss", "train/elbo", "optimiser/gradient_norm", "val/elbo")
    assert_close_scalars(tmp_path / "two", tmp_path / "one", tags)
    for name in ("beginning.raw", "beginning.memory"):
        ours, theirs = (weight(tmp_path / run, name) for run in ("two", "one"))
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-5)


def weight(directory: Path, name: str) -> torch.Tensor:
    """A trained weight of the VRNN."""
    checkpoint = torch.load(directory / "checkpoints" / "last.ckpt", weights_only=True)
    return checkpoint["state_dict"][f"vrnn.{name}"]


@pytest.mark.sweeps
def test_two_processes_share_exogenous_series(tmp_path):
    settings = [*on_series(tmp_path), *SIZES, "training.steps=30"]
    finish(one(tmp_path / "one", settings=settings))
    finish(two(tmp_path / "two", settings=settings))
    assert_close_scalars(tmp_path / "two", tmp_path / "one", ("train/loss", "train/elbo", "val/elbo"))


@pytest.mark.sweeps
def test_both_processes_killed_then_resumed_bit_for_bit(undisturbed, tmp_path):
    with two(tmp_path) as process:
        while not (tmp_path / "checkpoints" / "last.ckpt").exists():
            assert process.poll() is None, process.communicate()[0]
            time.sleep(0.02)
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        assert len(children) == 2
        for child in children:
            os.kill(int(child), signal.SIGKILL)
        process.communicate(timeout=60)
    assert not (tmp_path / "done").exists()
    finish(two(tmp_path))
    assert_same_run(tmp_path, undisturbed)
    assert finish(two(tmp_path)).count("Already finished") == 1


@pytest.mark.sweeps
def test_asked_to_stop_both_keep_the_same_step(undisturbed, tmp_path):
    with two(tmp_path) as process:
        while not (tmp_path / "checkpoints" / "last.ckpt").exists():
            assert process.poll() is None, process.communicate()[0]
            time.sleep(0.02)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
    finish(two(tmp_path))
    assert_same_run(tmp_path, undisturbed)


@pytest.mark.sweeps
def test_what_does_not_go_together_is_said_in_one_line(tmp_path):
    assert "error: trainer.strategy=ddp needs torchrun" in finish(one(tmp_path, "trainer=ddp"), code=1)
    assert "error: -m cannot be combined with torchrun" in finish(two(tmp_path, "-m", "seed=0,1"), code=1)
    for override in ("data.gaps.share=0.3", "bound=iwae"):
        assert "must be trained by one process, but torchrun started 2" in finish(
            two(tmp_path, override, "w_schedule=constant", settings=SIZES), code=1
        )
    assert not list(tmp_path.glob("**/config.yaml"))


@pytest.mark.parametrize(("traces", "n"), [(8, 2), (7, 2), (5, 3), (3, 3)])
def test_shares_are_the_whole(traces, n):
    parts = [list(range(traces))[shard_slice(traces, rank, n)] for rank in range(n)]
    assert [trace for part in parts for trace in part] == list(range(traces))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_alone_nothing_is_shared():
    assert float(mean_per_step(torch.tensor([[1.0, 3.0]]), None)) == 2.0
