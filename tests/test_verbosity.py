"""-q and -v: what a command prints with them, that a run is the same run, and which log gets what."""

import shutil
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT, SMALL
from tests.runs.sweeps import PACE
from tests.terminal import run_in_terminal
from tests.test_cli import vrnn_process

FINISHED = ROOT / "tests" / "fixtures" / "runs" / "finished"
SHORT = "training={steps: 4, log_every: 2, val_every: 2, checkpoint_every: 2, figure_every: 4}"
RUN = ["train", *SMALL, SHORT, "engine=reference", "name=mine"]


def lines(*words: str, cwd: Path, **environment: str) -> list[str]:
    """What a command prints."""
    done = vrnn_process(*words, cwd=cwd, **environment)
    assert done.returncode == 0, done.stderr
    return (done.stdout + done.stderr).splitlines()


def test_a_training(tmp_path):
    quiet = lines(*RUN, "-q", cwd=tmp_path)
    assert quiet[-1] == "outputs/eye/mine"
    assert all(line.startswith(("warning: ", "WARNING: ")) for line in quiet[:-1]), quiet
    assert "INFO: Step 2 of 4: ELBO " in (tmp_path / "outputs/eye/mine/run.log").read_text()
    # With -q the run is the same: without it, it has finished.
    again = "\n".join(lines(*RUN, cwd=tmp_path))
    assert "Already finished" in again
    assert "ELBO, nats per step" in again
    assert lines(*RUN, "--quiet", cwd=tmp_path)[-1] == "outputs/eye/mine"
    shutil.rmtree(tmp_path / "outputs")

    normal = lines(*RUN, cwd=tmp_path)
    assert any(line.startswith("INFO: Step 2 of 4: ELBO ") and line.endswith(" to go.") for line in normal)
    assert any(line.startswith("INFO: Step 4 of 4: ELBO ") and line.endswith(" nats per step.") for line in normal)
    assert not any(line.startswith("DEBUG") or "\r" in line for line in normal)
    shutil.rmtree(tmp_path / "outputs")

    verbose = lines("train", "-v", *RUN[1:], cwd=tmp_path)
    assert {*normal_lines(normal)} <= {*normal_lines(verbose)}
    assert "DEBUG: last.ckpt is saved at step 2." in verbose
    assert any(
        line.startswith("DEBUG: val/elbo is ") and line.endswith(" nats per step at step 2.") for line in verbose
    )
    assert any("GPU available" in line for line in verbose), "what Lightning says"
    assert any("Total params" in line for line in verbose)
    assert any(line.startswith("DEBUG: The command took ") for line in verbose)


def normal_lines(said: list[str]) -> list[str]:
    """The lines in which there are no times."""
    return [line for line in said if "to go" not in line and "took" not in line]


def test_a_bar_on_a_terminal_and_lines_with_no_color(tmp_path):
    seen = []
    code = "import sys; sys.argv[0] = 'vrnn'; from vrnn.cli import main; main()"
    command = [sys.executable, "-c", code, *RUN]
    path = {"PYTHONPATH": str(ROOT / "src")}
    run_in_terminal(command, tmp_path, 70, watch=lambda screen, _: seen.append("\n".join(screen.text())), **path)
    assert any("/4 [" in text for text in seen)
    assert not any("Step 2 of 4" in text for text in seen)
    shutil.rmtree(tmp_path / "outputs")
    screen, _ = run_in_terminal(command, tmp_path, 100, 60, NO_COLOR="1", **path)
    assert any("Step 2 of 4: ELBO" in line for line in screen.history())
    assert not any("/4 [" in line for line in screen.history())


def test_requests_to_a_run(tmp_path):
    shutil.copytree(FINISHED, tmp_path / "RUN")
    assert lines("runs", ".", "-q", cwd=tmp_path) == ["RUN"]
    assert lines("generate", "run=RUN", "n=1", "steps=16", "-q", cwd=tmp_path) == ["RUN/generated.png"]
    verbose = lines("generate", "run=RUN", "n=1", "steps=16", "-v", cwd=tmp_path)
    assert any(line.startswith("RUN/checkpoints/last.ckpt: its weights are used.") for line in verbose)
    assert verbose[-1].startswith("The command took ")
    quiet = lines("evaluate", "run=RUN", "traces=2", "steps=64", "-q", cwd=tmp_path)
    assert quiet[-1] == "RUN"
    assert all(line.startswith("warning: ") for line in quiet[:-1]), quiet


@pytest.mark.sweeps
@pytest.mark.parametrize("launcher", [[], ["hydra/launcher=cores", "hydra.launcher.n_jobs=2"]])
def test_a_sweep(launcher, tmp_path):
    words = ["train", "-m", "sweep=s", *SMALL, PACE, "engine=reference", "seed=0,1", *launcher]
    said = lines(*words, "-q", cwd=tmp_path)
    assert said[-1] == "outputs/s"
    assert all(line.startswith("WARNING: ") for line in said[:-1]), said
    assert len(list(tmp_path.glob("outputs/s/*/done"))) == 2
    again = lines(*words, cwd=tmp_path)
    assert any("[HYDRA]" in line for line in again)
    assert any("Already finished" in line for line in again)
