"""The order of event files, also where the clock was set back."""

import time

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch.utils.tensorboard import SummaryWriter

from tests.torture import damage
from vrnn.training.event_files import put_in_the_past


def write(directory, *steps):
    with SummaryWriter(directory) as writer:
        for step in steps:
            writer.add_scalar("elbo", step, step)


def test_a_clock_set_back_loses_no_scalar(tmp_path, monkeypatch):
    now = time.time()
    for clock, steps in ((now, (1, 2)), (now - 5000, (3, 4)), (now - 9000, (5, 6)), (now + 5, (7,))):
        monkeypatch.setattr(time, "time", lambda clock=clock: clock)
        put_in_the_past(tmp_path)
        write(tmp_path, *steps)
    monkeypatch.undo()
    shown = EventAccumulator(str(tmp_path)).Reload()
    assert [event.step for event in shown.Scalars("elbo")] == [1, 2, 3, 4, 5, 6, 7]


def test_a_run_resumed_a_day_earlier_loses_no_scalar(tmp_path):
    """A killed process, and one with another clock; the scores at the end are scalars, too."""
    expected = damage.interrupt(tmp_path)
    assert "score/" in expected["events"]
    assert damage.try_clock(tmp_path, expected, 86_400) == ""
