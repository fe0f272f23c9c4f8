"""A sweep on a real Slurm: it finishes, a cancelled job goes on, and one at its time limit is requeued and goes on."""

import subprocess

import pytest

from tests.conftest import ROOT
from tests.runs import slurm
from tests.runs.sweeps import command, finished, runs, sweep
from vrnn.runs.directory import state

pytestmark = [pytest.mark.slurm, pytest.mark.skipif(slurm.missing() is not None, reason=str(slurm.missing()))]

GRID = ("recurrence=elman,gru", "seed=0")
SLURM = ("hydra/launcher=slurm", "hydra.launcher.timeout_min=10")
SLOW = "training={steps: 400, log_every: 50, val_every: 200, checkpoint_every: 5, figure_every: 400}"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with slurm.slurm(tmp_path_factory.mktemp("slurm")) as environment:
        yield environment


def submit(root, environment, *overrides):
    return subprocess.Popen(
        command(root, *SLURM, *overrides),
        cwd=ROOT,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def test_a_cancelled_job_goes_on_and_a_warned_one_is_requeued(cluster, tmp_path):
    """Signals are sent as Slurm sends them: USR2 ahead of a time limit, TERM and KILL by scancel."""
    here = tmp_path / "here"
    sweep(here, *GRID, SLOW)

    root = tmp_path / "slurm"
    process = submit(root, cluster, *GRID, SLOW)
    slurm.wait_for(
        lambda: len(list(root.glob("s/*/checkpoints/last.ckpt"))) == 2, 90, "both jobs to write a checkpoint"
    )
    jobs = slurm.output(cluster, "squeue", "-h", "-r", "-o", "%F_%K").split()
    warned, cancelled = jobs
    slurm.output(cluster, "scancel", "--signal=USR2", warned)
    slurm.wait_for(
        lambda: "Restarts=1" in slurm.output(cluster, "scontrol", "show", "job", warned),
        30,
        "the warned job to be requeued",
    )
    slurm.output(cluster, "scancel", cancelled)
    process.kill()  # the jobs are Slurm's and live on; without slurmdbd, submitit would wait for the cancelled one for ever
    process.communicate()
    slurm.wait_for(lambda: not slurm.output(cluster, "squeue", "-h"), 200, "the requeued job to finish")
    assert sorted(state(run) for run in runs(root)) == ["finished", "interrupted"]

    process = submit(root, cluster, *GRID, SLOW)
    output, _ = process.communicate(timeout=200)
    assert process.returncode == 0, output
    assert finished(root) == finished(here)


def test_the_tasks_of_srun_share_a_sweep(cluster, tmp_path):
    sweep(tmp_path / "here", *GRID)
    output = slurm.output(cluster, "srun", "-n", "2", *command(tmp_path / "slurm", *GRID))
    assert output.count("finished: ELBO") - output.count("Already finished") == 2, output
    assert finished(tmp_path / "slurm") == finished(tmp_path / "here")
    for run in runs(tmp_path / "slurm"):
        assert list(run.glob("events.out.tfevents.*"))
