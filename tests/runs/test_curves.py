"""Curves of a run: from scalars.csv, and from event files what it does not have."""

import time
from pathlib import Path

from torch.utils.tensorboard import SummaryWriter

from vrnn.runs.curves import curve


def events(directory: Path, purge_step: int | None = None, **logged: dict[int, float]) -> None:
    """Write an event file; `logged` are {tag: {step: value}}."""
    writer = SummaryWriter(directory, purge_step=purge_step)
    for step in sorted(set().union(*logged.values())):
        for tag, values in logged.items():
            if step in values:
                writer.add_scalar(f"val/{tag}", values[step], step)
    writer.close()


def read(directory: Path, tag: str) -> dict[int, float]:
    return dict(zip(*(part.tolist() for part in curve(directory, tag)), strict=True))


def test_a_resumed_run_is_one_curve(tmp_path):
    events(tmp_path, elbo={10: 1.0, 20: 2.0, 30: 3.0})
    time.sleep(1.1)  # event files are named by the second
    events(tmp_path, purge_step=20, elbo={20: 2.5, 30: 3.5, 40: 4.5})
    assert read(tmp_path, "val/elbo") == {10: 1.0, 20: 2.5, 30: 3.5, 40: 4.5}


def test_the_file_of_scalars_says_the_same(tmp_path):
    events(tmp_path, elbo={10: 1.0, 20: 2.0}, kl={5: 0.5, 10: 0.25})
    whole = {tag: read(tmp_path, f"val/{tag}") for tag in ("elbo", "kl")}
    (tmp_path / "scalars.csv").write_text(
        "step,name,value\n5,val/kl,0.5\n10,val/kl,0.25\n10,val/elbo,1.0\n20,val/elbo,2.0\n"
    )
    assert {tag: read(tmp_path, f"val/{tag}") for tag in ("elbo", "kl")} == whole


def test_steps_before_the_file_of_scalars_are_in_the_events(tmp_path):
    """A run that a version without scalars.csv began, and this one continued after step 20."""
    events(tmp_path, elbo={10: 1.0, 20: 2.0, 30: 3.0})
    (tmp_path / "scalars.csv").write_text("step,name,value\n25,train/elbo,9.0\n30,val/elbo,3.5\n40,val/elbo,4.5\n")
    assert read(tmp_path, "val/elbo") == {10: 1.0, 20: 2.0, 30: 3.5, 40: 4.5}


def test_a_scalar_that_is_only_in_the_events(tmp_path):
    events(tmp_path, other={10: 1.0, 400: 2.0})
    (tmp_path / "scalars.csv").write_text("step,name,value\n10,val/elbo,1.0\n")
    assert read(tmp_path, "val/other") == {10: 1.0, 400: 2.0}
    assert read(tmp_path, "val/none") == {}
