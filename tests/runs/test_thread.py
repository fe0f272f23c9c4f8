"""A run in a thread, as a notebook or a service starts it."""

import threading

from tests.conftest import SMALL
from vrnn.runs.run import run

PACE = "training={steps: 2, log_every: 1, val_every: 2, checkpoint_every: 2, figure_every: 2}"


def test_a_run_in_a_thread_gives_the_same_scores(composed, tmp_path):
    found = {}
    config = composed(*SMALL, PACE)
    thread = threading.Thread(target=lambda: found.update(run(config, tmp_path / "thread", progress_bar=False)))
    thread.start()
    thread.join()
    assert found == run(config, tmp_path / "here", progress_bar=False)
    assert (tmp_path / "thread" / "done").exists()
