"""The live table of a sweep: on terminals of any size, in a real sweep, after Ctrl-C; and plain lines elsewhere."""

import io
import signal
import time
from pathlib import Path

import pytest
from rich.console import Console

from tests.conftest import ROOT
from tests.runs.sweeps import command, finished, sweep
from tests.terminal import Screen, run_in_terminal
from vrnn.runs.directory import lock_run, state
from vrnn.runs.progress import ProgressReader
from vrnn.runs.sweep_table import SweepTable

COUNTS = "sweep: 3 done, 2 running, 1 failed, 34 pending, about 12 min to go"


def shown(jobs: dict[Path, list[str]], width: int, height: int) -> list[str]:
    """The screen of a terminal with the table of jobs."""
    text = io.StringIO()
    console = Console(
        file=text, width=width, height=height, force_terminal=True, color_system=None, legacy_windows=False
    )
    table = SweepTable(jobs, {directory: ProgressReader(directory) for directory in jobs}, console)
    table.start()
    for _ in range(3):
        table.show({directory: state(directory) for directory in jobs}, COUNTS)
    table.stop()
    screen = Screen(width, height)
    screen.feed(text.getvalue().replace("\n", "\r\n"))  # as a terminal does
    assert screen.has_cursor
    assert len(screen.history()) <= height, "the table has scrolled"
    return screen.text()


@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize("height", [10, 24, 60])
def test_forty_jobs_on_terminals_of_any_size(tmp_path, width, height):
    jobs = {
        tmp_path / f"job{i}": [f"recurrence={'gru' if i % 2 else 'lstm'}", f"optim.learning_rate=0.{i:04}", f"seed={i}"]
        for i in range(40)
    }
    for number in (3, 4, 5):
        (tmp_path / f"job{number}").mkdir()
        (tmp_path / f"job{number}/done").touch()
        time.sleep(0.02)  # the order of their ends
    (tmp_path / "job6").mkdir()
    (tmp_path / "job6/failed").write_text("ValueError: no\n")
    with lock_run(tmp_path / "job38"), lock_run(tmp_path / "job39"):
        lines = shown(jobs, width, height)
    rows = {line.split()[-4]: line for line in lines if line.split()[-3:] == ["-", "-", "-"]}
    assert len([line for line in lines if " running " in line]) == 2
    assert any("38" in line and " running " in line for line in lines)
    assert any("0.0006" in line and " failed " in line for line in lines)
    assert any("0.0005" in line and " finished " in line for line in lines), "the last that ended"
    assert rows
    hidden = 40 - sum(line.split()[-3:] == ["-", "-", "-"] for line in lines)
    assert (f"({hidden} not shown)" in " ".join(lines)) == (hidden > 0)
    assert hidden == max(0, 40 - (height - 4))
    heading = lines[0].split()
    if width == 60:
        assert heading[:4] == ["recurrence,", "optim.learning_r…", "state", "step"] or heading[0] == "recurrence,"
    else:
        assert any("recurrence=gru optim.learning_rate=0.0005 seed=5" in line for line in lines)


def test_a_single_job_has_its_directory_s_name(tmp_path):
    assert any("defaults-1234 " in line for line in shown({tmp_path / "defaults-1234": []}, 80, 24))


GRID = ("recurrence=elman,gru",)


@pytest.mark.sweeps
@pytest.mark.parametrize("launcher", [(), ("hydra/launcher=cores", "hydra.launcher.n_jobs=2")])
def test_a_sweep_on_a_terminal(tmp_path, launcher):
    """Its last screen has a line per job and nothing else that has been left over: no worker writes into the table."""
    seen = []

    def watch(screen: Screen, _) -> None:
        seen.append(screen.text())

    screen, code = run_in_terminal(command(tmp_path, *GRID, *launcher), ROOT, 100, 40, watch)
    assert code == 0
    assert screen.has_cursor
    assert len(finished(tmp_path)) == 2
    lines = screen.text()
    head = next(i for i, line in enumerate(lines) if line.split() == ["job", "state", "step", "ELBO", "left"])
    table = lines[head + 1 : head + 3]
    assert [line.split()[:3] for line in table] == [[f"recurrence={r}", "finished", "60/60"] for r in ("elman", "gru")]
    assert all(float(line.split()[3]) for line in table)
    assert lines[head + 3].startswith("sweep: 2 done, 0 running, 0 failed, 0 pending after ")
    assert not any(lines[head + 4 :])
    assert any("running" in line and "/60" in line for text in seen for line in text), "progress was seen"


@pytest.mark.sweeps
def test_ctrl_c_leaves_the_terminal_clean(tmp_path):
    pressed = []

    def watch(screen: Screen, process) -> None:
        if not pressed and list(tmp_path.glob("s/*/checkpoints/last.ckpt")):
            pressed.append(True)
            process.send_signal(signal.SIGINT)

    screen, code = run_in_terminal(command(tmp_path, *GRID), ROOT, 70, 24, watch)
    assert code == 128 + signal.SIGINT
    assert screen.has_cursor
    assert "".join(screen.text()).endswith("The same command continues the pending runs.")
    assert sum(line.startswith("sweep: ") for line in screen.text()) == 1


@pytest.mark.sweeps
def test_plain_lines_without_a_terminal_or_with_no_color(tmp_path):
    output = sweep(tmp_path, "seed=0")
    assert "\x1b" not in output
    assert "sweep: 0 done, 0 running, 0 failed, 1 pending\n" in output
    assert "sweep: 1 done, 0 running, 0 failed, 0 pending after " in output
    screen, code = run_in_terminal(command(tmp_path, "seed=0"), ROOT, NO_COLOR="1")
    assert code == 0
    assert "sweep: 1 done, 0 running, 0 failed, 0 pending" in "\n".join(screen.text())
    assert not any(line.startswith("job ") for line in screen.history())
