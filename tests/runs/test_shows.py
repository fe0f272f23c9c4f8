"""What the docs claim of sweeps, at full size: killed again and again, on Slurm, compared, in a browser. `make shows`."""

import random
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.runs import slurm
from tests.runs.sweeps import finished, running, runs
from vrnn.runs.directory import state

pytestmark = [pytest.mark.shows, pytest.mark.timeout(3600)]

GRID = ("recurrence=elman,gru,lstm", "w_schedule=adaptive,constant,cyclical,linear", "seed=0,1")
BUDGET = ("experiment=quick", "training.steps=100")
CORES = ("hydra/launcher=cores", "hydra.launcher.n_jobs=2")


def start(root: Path, *overrides: str, **environment: str):
    command = [sys.executable, "scripts/train.py", "-m", f"hydra.sweep.dir={root}", "sweep=s", *BUDGET, *GRID]
    return running([*command, *overrides], **environment)


def trained(root: Path) -> int:
    """How often a run's training was begun in all: each time opens one file of events."""
    return len(list(root.glob("s/*/events.out.tfevents.*")))


def at_work(root: Path) -> bool:
    return any(state(run) == "running" for run in runs(root))


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("undisturbed")
    with start(root, *CORES) as process:
        output, _ = process.communicate()
    assert process.returncode == 0, output
    assert len(finished(root)) == 24
    return root


def test_24_runs_finish_once_despite_five_kills(undisturbed, tmp_path):
    moments = random.Random(time.time_ns())
    begun, ended = (
        [path.stat().st_mtime for path in undisturbed.glob(f"s/*/{name}")] for name in ("config.yaml", "done")
    )
    longest = (max(ended) - min(begun)) / 6  # of five, so that something is left for the last command
    stamps: dict[Path, int] = {}
    for _ in range(5):
        began, before = time.monotonic(), trained(tmp_path)
        with start(tmp_path, *CORES) as process:
            while trained(tmp_path) == before:
                assert process.poll() is None, process.communicate()[0]
                time.sleep(0.1)
            time.sleep(moments.uniform(0.0, longest))
            process.send_signal(signal.SIGKILL)
            process.communicate(timeout=60)
        assert not at_work(tmp_path)
        stamps |= {path: path.stat().st_mtime_ns for path in tmp_path.glob("s/*/done") if path not in stamps}
        print(f"killed after {time.monotonic() - began:.0f} s, {len(stamps)} finished")
    with start(tmp_path, *CORES) as process:
        output, _ = process.communicate()
    assert process.returncode == 0, output
    assert "sweep: 24 done, 0 running, 0 failed, 0 left" in output
    assert finished(tmp_path) == finished(undisturbed)
    assert {path: path.stat().st_mtime_ns for path in stamps} == stamps


@pytest.mark.skipif(slurm.missing() is not None, reason=str(slurm.missing()))
def test_a_cancelled_slurm_job_is_finished_by_the_command(undisturbed, tmp_path):
    root = tmp_path / "runs"
    launcher = (
        "hydra/launcher=slurm",
        "hydra.launcher.timeout_min=30",
        f"hydra.launcher.submitit_folder={tmp_path}/jobs",
    )
    with slurm.slurm(tmp_path) as cluster:
        with start(root, *launcher, **cluster):
            slurm.wait_for(lambda: any(root.glob("s/*/checkpoints/last.ckpt")), 300, "a job to write a checkpoint")
            job = slurm.output(cluster, "squeue", "-h", "-r", "-t", "R", "-o", "%F_%K").split()[0]
            slurm.output(cluster, "scancel", job)
            slurm.wait_for(lambda: not slurm.output(cluster, "squeue", "-h"), 1800, "the other jobs to finish")
        assert len(finished(root)) == 23
        with start(root, *launcher, **cluster) as process:
            output, _ = process.communicate()
        assert process.returncode == 0, output
    assert finished(root) == finished(undisturbed)


@pytest.mark.skipif(slurm.missing() is not None, reason=str(slurm.missing()))
def test_a_job_at_slurm_s_time_limit_is_requeued(tmp_path):
    """Slurm may warn up to a minute early: with two minutes and a warning of 30 s, after 30 to 90 s."""
    work = ("seed=0", "training.steps=20000", "training.checkpoint_every=50", "evaluation.steps=256")
    limit = ("hydra.launcher.timeout_min=2", "hydra.launcher.signal_delay_s=30")
    launcher = ("hydra/launcher=slurm", *limit, f"hydra.launcher.submitit_folder={tmp_path}/jobs")
    one = [sys.executable, "scripts/train.py", "-m", "sweep=s", "experiment=quick", *work]
    with (
        slurm.slurm(tmp_path) as cluster,
        running([*one, f"hydra.sweep.dir={tmp_path}/runs", *launcher], **cluster) as job,
    ):
        restarts = set()
        while job.poll() is None:
            restarts |= {
                int(n) for n in re.findall(r"Restarts=(\d+)", slurm.output(cluster, "scontrol", "show", "job"))
            }
            time.sleep(0.5)
        assert job.returncode == 0, job.communicate()[0]
    print(f"requeued {max(restarts)} times")
    assert max(restarts) >= 1
    with running([*one, f"hydra.sweep.dir={tmp_path}/here"]) as process:
        output, _ = process.communicate()
    assert process.returncode == 0, output
    assert finished(tmp_path / "runs") == finished(tmp_path / "here")


def test_compared_and_in_a_browser(undisturbed):
    sweep = undisturbed / "s"
    done = subprocess.run(
        [sys.executable, "scripts/compare.py", f"runs={sweep}"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert len((sweep / "compare.csv").read_text().splitlines()) == 13
    if shutil.which("chromium"):
        done = subprocess.run(
            [sys.executable, "tools/screenshot.py", str(sweep), str(sweep / "hparams.png")],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        names = {run.name for run in runs(undisturbed)}
        assert len(names & {line.split("\t")[0] for line in done.stdout.splitlines()}) == 24
