"""Sweeps in real processes: resumed, shared, extended, refused, failed."""

import fcntl
import os
import random
import signal
import time
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
import yaml
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.types import RunMode

from tests.conftest import ROOT
from tests.runs.sweeps import finished, runs, start, sweep
from tests.runs.test_resume import assert_same_run
from vrnn.errors import BusyError
from vrnn.runs.directory import failure, lock_run, record_failure, state
from vrnn.runs.schema import register
from vrnn.runs.sweep import sweep_jobs
from vrnn.text import duration

pytestmark = pytest.mark.sweeps

GRID = ("recurrence=elman,gru", "seed=0,1")
CORES = ("hydra/launcher=cores", "hydra.launcher.n_jobs=2")


def begun(root: Path) -> int:
    """How often runs were started: each start opens one file of events."""
    return len(list(root.glob("s/*/events.out.tfevents.*")))


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("undisturbed")
    output = sweep(root, *GRID, *CORES)
    assert "sweep: 4 done, 0 running, 0 failed, 0 pending" in output
    return root


def test_a_killed_sweep_is_finished_by_the_same_command(undisturbed, tmp_path):
    moments = random.Random(time.time_ns())  # not seeded: the result must not depend on them
    for _ in range(2):
        before = begun(tmp_path)
        with start(tmp_path, *GRID, *CORES) as process:
            while begun(tmp_path) == before:
                assert process.poll() is None, process.communicate()[0]
                time.sleep(0.02)
            time.sleep(moments.uniform(0.0, 2.5))
            process.send_signal(signal.SIGKILL)
            process.communicate(timeout=60)
    stamps = {path: path.stat().st_mtime_ns for path in tmp_path.glob("s/*/done")}
    sweep(tmp_path, *GRID, *CORES)
    assert len(runs(tmp_path)) == 4
    assert finished(tmp_path) == finished(undisturbed)
    assert {path: path.stat().st_mtime_ns for path in stamps} == stamps


@pytest.mark.skipif(
    find_spec("hydra_plugins.hydra_ray_launcher") is None, reason="needs the extra: pip install -e .[ray]"
)
def test_ray_gives_the_same_scores(undisturbed, tmp_path):
    assert "sweep: 4 done, 0 running, 0 failed, 0 pending" in sweep(tmp_path, *GRID, "hydra/launcher=ray")
    assert finished(tmp_path) == finished(undisturbed)


def test_workers_end_with_a_command_killed_before_their_jobs(tmp_path):
    """They have its standard output open, which ends when the last of them does."""
    with start(tmp_path, *GRID, *CORES) as process:
        while "Launching jobs" not in process.stdout.readline():
            assert process.poll() is None
        time.sleep(random.Random(time.time_ns()).uniform(0.0, 2.0))  # the workers are on their way
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=60)
    assert not finished(tmp_path)


def test_two_processes_share_a_sweep_and_run_nothing_twice(undisturbed, tmp_path):
    with start(tmp_path, *GRID) as one, start(tmp_path, *GRID) as other:
        outputs = [process.communicate(timeout=240)[0] for process in (one, other)]
    assert (one.returncode, other.returncode) == (0, 0), outputs
    both = "".join(outputs)
    assert both.count("finished: ELBO") - both.count("Already finished") == 4
    assert finished(tmp_path) == finished(undisturbed)
    assert begun(tmp_path) == begun(undisturbed)


def test_a_run_in_use_by_another_process_is_skipped(undisturbed):
    with lock_run(runs(undisturbed)[0]):
        output = sweep(undisturbed, *GRID)
    assert output.count("is in use by another process: skipped") == 1
    assert output.count("Already finished") == 3


def test_a_reordered_and_extended_grid_runs_only_new_jobs(undisturbed):
    before = {path: path.stat().st_mtime_ns for path in undisturbed.glob("s/*/*") if path.is_file()}
    output = sweep(undisturbed, "seed=1,0", "recurrence=lstm,gru,elman", "hydra.sweeper.max_batch_size=4", *CORES)
    assert output.count("Already finished") == 4
    assert len(finished(undisturbed)) == 6
    assert {path: path.stat().st_mtime_ns for path in before if path.name != ".lock"} == {
        path: stamp for path, stamp in before.items() if path.name != ".lock"
    }


def test_a_changed_default_and_a_bad_job_fail_alone(tmp_path):
    sweep(tmp_path, "seed=0")
    config = runs(tmp_path)[0] / "config.yaml"
    settings = yaml.safe_load(config.read_text())
    settings["frame"]["_target_"] = "vrnn.networks.Other"  # as if it had run with another default
    config.write_text(yaml.safe_dump(settings, sort_keys=False))
    assert "sweep: 1 done" in sweep(tmp_path, "seed=0", code=1)  # it finished with other settings
    assert "error: seed must be at least 0, but is -1." in sweep(tmp_path, "seed=0,1,-1", code=1)  # nothing has run
    assert len(finished(tmp_path)) == 1
    output = sweep(tmp_path, "seed=0,1", code=1)
    assert "frame._target_: vrnn.networks.Other -> " in output
    output = sweep(tmp_path, "likelihood.floor=-1,3e-3", code=1)
    assert "sweep: 1 done, 0 running, 1 failed, 0 pending" in output
    assert "likelihood.floor must be positive, but is -1" in output
    assert len(finished(tmp_path)) == 3
    failures = [failure(path.parent) for path in tmp_path.glob("s/*/failed")]
    assert len(failures) == 2
    settings["frame"] = yaml.safe_load((runs(tmp_path)[1] / "config.yaml").read_text())["frame"]
    config.write_text(yaml.safe_dump(settings, sort_keys=False))
    assert "failed: " not in sweep(tmp_path, "seed=0,1")
    assert not (config.parent / "failed").exists()


def test_a_bad_name_is_refused_before_anything_runs(tmp_path):
    assert "error: sweep must be a directory's name" in sweep(tmp_path / "runs", "sweep=../other", code=1)
    assert not list(tmp_path.glob("*/*/"))


LONG = "training={steps: 1000000, log_every: 500, val_every: 1000000, checkpoint_every: 500, figure_every: 1000000}"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("everybody", [False, True])
def test_workers_save_a_checkpoint_when_the_command_stops(tmp_path, number, everybody):
    """Also when a terminal or a cluster signals them as well. Fails by chance, for each worker, once in 500 times."""
    with start(tmp_path, "seed=0,1", *CORES, LONG, new_session=True) as process:
        while len(list(tmp_path.glob("s/*/checkpoints/last.ckpt"))) < 2:
            assert process.poll() is None, process.communicate()[0]
            time.sleep(0.02)
        if everybody:
            os.killpg(process.pid, number)
        else:
            process.send_signal(number)
        process.communicate(timeout=60)  # until the last worker has closed its output
    assert process.returncode in (-number, 128 + number)
    kept = [torch.load(path, weights_only=True)["global_step"] for path in tmp_path.glob("s/*/checkpoints/last.ckpt")]
    assert [step % 500 > 0 for step in kept] == [True, True]


def test_sigterm_ends_a_sweep_with_a_checkpoint_and_its_code(tmp_path):
    with start(tmp_path, "seed=0,1") as process:
        while not list(tmp_path.glob("s/*/checkpoints/last.ckpt")):
            assert process.poll() is None
            time.sleep(0.02)
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGTERM
    assert "The same command continues the pending runs." in output
    assert [state(run) for run in runs(tmp_path)] == ["interrupted"]


@pytest.mark.timeout(1200)
def test_the_state_of_every_w_schedule_survives_a_kill(tmp_path):
    """A sweep over all of them, killed in the middle of each run, gives the same results as one that was not killed."""
    names = sorted(path.stem for path in (ROOT / "conf" / "w_schedule").glob("*.yaml"))
    grid = f"w_schedule={','.join(names)}"
    sweep(tmp_path / "undisturbed", grid, *CORES)
    root, killed = tmp_path / "killed", set()
    while len(killed) < len(names):
        with start(root, grid) as process:
            while not (half_way := {run for run in runs(root) if has_checkpoint(run) and not done(run)} - killed):
                assert process.poll() is None, process.communicate()[0]
                time.sleep(0.005)
            process.send_signal(signal.SIGKILL)
            process.communicate(timeout=60)
        killed |= {run for run in half_way if not done(run)}  # one may have ended just before
    sweep(root, grid, *CORES)
    assert len(finished(root)) == len(names)
    for run in runs(root):
        assert_same_run(run, tmp_path / "undisturbed" / "s" / run.name)


def has_checkpoint(run: Path) -> bool:
    return (run / "checkpoints" / "last.ckpt").exists()


def done(run: Path) -> bool:
    return (run / "done").exists()


def test_states_of_a_run_s_directory(tmp_path):
    assert state(tmp_path) == "pending"
    with (tmp_path / ".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_SH)  # as another process does that reads the state
        assert state(tmp_path) == "pending"
    with lock_run(tmp_path):
        assert state(tmp_path) == "running"
        with pytest.raises(BusyError, match="in use by another process"), lock_run(tmp_path):
            pass
    with pytest.raises(ValueError, match="broken"), record_failure(tmp_path):
        raise ValueError("broken\nin two lines")
    assert state(tmp_path) == "failed"
    assert failure(tmp_path) == "ValueError: broken\nin two lines"
    with record_failure(tmp_path):
        pass
    (tmp_path / "config.yaml").touch()
    assert state(tmp_path) == "interrupted"
    (tmp_path / "done").touch()
    assert state(tmp_path) == "finished"


def test_durations():
    assert [duration(s) for s in (5, 99.6, 600, 7200)] == ["5 s", "100 s", "10 min", "2.0 h"]


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ((), ["eye/seed-0-42792869", "eye/seed-1-bb8c5544"]),
        (("hydra.sweep.subdir=${hydra.job.num}",), ["0", "1"]),
        (("hydra.sweep.subdir=${hydra:runtime.choices.dataset}/${seed}",), ["eye/0", "eye/1"]),
    ],
)
def test_directories_that_the_user_names(given, names, tmp_path):
    register()
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        loader = GlobalHydra.instance().config_loader()
        words = ["seed=0,1", f"hydra.sweep.dir={tmp_path}", *given]
        config = loader.load_configuration("train", words, run_mode=RunMode.MULTIRUN)
        assert sweep_jobs(config) == {tmp_path / name: [f"seed={seed}"] for seed, name in enumerate(names)}


def test_a_sweep_in_directories_of_the_user_s_own(tmp_path):
    own = ("hydra.sweep.dir=" + str(tmp_path / "${now:%H-%M-%S-%f}"), "hydra.sweep.subdir=${seed}")
    output = sweep(tmp_path, "seed=0,1", *own)
    assert "sweep: 2 done, 0 running, 0 failed, 0 pending" in output
    assert len({path.parents[1] for path in tmp_path.glob("*/*/done")}) == 1
