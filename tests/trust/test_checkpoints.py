"""No damaged checkpoint is believed, none of other settings is adopted, and the newest good one is used."""

import logging
import random
import shutil
from pathlib import Path

import pytest
import torch
from hydra import compose, initialize_config_dir
from pytorch_lightning import Callback

from tests.conftest import ROOT, SMALL
from tests.runs.test_resume import assert_same_run
from vrnn.errors import DamagedError, NonFiniteError
from vrnn.runs.directory import settings_digest
from vrnn.runs.run import run
from vrnn.runs.schema import register
from vrnn.runs.trained import evaluate_run
from vrnn.training.checkpoint_files import LAST, PREVIOUS, RunCheckpointIO, content_digest, load_checkpoint

PACE = "training={steps: 12, log_every: 3, val_every: 6, checkpoint_every: 4, figure_every: 6}"
CONTENT = {
    "global_step": 3,
    "state_dict": {"a": torch.arange(300.0).reshape(3, 100), "b": torch.tensor(2)},
    "rng": [(1, 2.5, None, "x"), {"on": True}],
}


@pytest.fixture
def small(composed):
    return lambda *overrides: composed(*SMALL, PACE, *overrides)


class Stop(Callback):
    def on_train_batch_end(self, trainer, *_):
        if trainer.global_step == 9:
            raise InterruptedError


@pytest.fixture(scope="module")
def once(tmp_path_factory):
    """A run that was not interrupted, and one that was after step 9."""
    register()
    directory = tmp_path_factory.mktemp("runs")
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        config = compose("train", overrides=[*SMALL, PACE])
    run(config, directory / "whole")
    with pytest.raises(InterruptedError):
        run(config, directory / "stopped", extra_callbacks=[Stop()])
    return directory


@pytest.fixture
def whole(once, tmp_path):
    """The run that was not interrupted, and a copy of the other one."""
    return once / "whole", Path(shutil.copytree(once / "stopped", tmp_path / "stopped"))


def flip(path, position, bit=7):
    content = bytearray(path.read_bytes())
    content[position] ^= 1 << bit
    path.write_bytes(content)


def flip_a_weight(path):
    """Flip the sign of one weight, in the middle of its bytes in the file."""
    sought = torch.load(path, weights_only=True)["state_dict"]["vrnn.recurrence.cell.weight_hh"]
    flip(path, path.read_bytes().index(sought.numpy().tobytes()) + 3)


def test_every_byte_that_is_read_is_checked(tmp_path):
    path = tmp_path / "checkpoint.ckpt"
    RunCheckpointIO("settings").save_checkpoint(CONTENT, path)
    good, rng, refused = path.read_bytes(), random.Random(0), 0
    digest = content_digest(load_checkpoint(path))
    for _ in range(300):
        path.write_bytes(good)
        flip(path, rng.randrange(len(good)), rng.randrange(8))
        try:
            assert content_digest(load_checkpoint(path, "settings")) == digest
        except DamagedError:
            refused += 1
    assert refused > 100


@pytest.mark.parametrize("content", [[1], {"a": 1}, {"state_dict": [1]}, {"state_dict": {"a": 1}}, torch.ones(2)])
def test_what_is_no_checkpoint_is_named(tmp_path, content):
    torch.save(content, tmp_path / LAST)
    with pytest.raises(DamagedError, match=r"last.ckpt must be a checkpoint with a state_dict"):
        load_checkpoint(tmp_path / LAST)


def test_a_text_is_no_checkpoint(tmp_path):
    (tmp_path / LAST).write_text("junk")
    with pytest.raises(DamagedError, match=r"last.ckpt cannot be read as a checkpoint"):
        load_checkpoint(tmp_path / LAST)


def test_a_damaged_last_gives_way_to_the_previous(whole, small, caplog):
    reference, directory = whole
    flip_a_weight(directory / "checkpoints" / LAST)
    with pytest.raises(DamagedError, match="does not have the digest"):
        evaluate_run(directory)
    with caplog.at_level(logging.INFO):
        run(small(), directory)
    assert "last.ckpt is damaged" in caplog.text
    assert "previous.ckpt, of step 6" in caplog.text
    assert "The run is resumed at step 6." in (directory / "run.log").read_text()
    assert_same_run(directory, reference)


def test_a_run_without_a_good_checkpoint_is_refused(whole, small):
    directory = whole[1]
    for path in (directory / "checkpoints").iterdir():
        flip_a_weight(path)
    with pytest.raises(DamagedError, match=r"last.ckpt is damaged"):
        run(small(), directory)


def test_another_seed_s_checkpoint_is_not_adopted(whole, small, tmp_path, caplog):
    reference, directory = whole
    last = directory / "checkpoints" / LAST
    (tmp_path / "config.yaml").write_text((directory / "config.yaml").read_text().replace("seed: 0", "seed: 1"))
    other = load_checkpoint(last)
    last.unlink()
    RunCheckpointIO(settings_digest(tmp_path)).save_checkpoint(other, last)
    with pytest.raises(DamagedError, match=r"last.ckpt is of a run with other settings"):
        evaluate_run(directory)
    run(small(), directory)
    assert "other settings" in caplog.text
    assert_same_run(directory, reference)


def test_the_previous_checkpoint_is_kept(tmp_path):
    io = RunCheckpointIO("")
    for step in range(3):
        io.save_checkpoint({**CONTENT, "global_step": step}, tmp_path / LAST)
    steps = [load_checkpoint(tmp_path / name)["global_step"] for name in (LAST, PREVIOUS)]
    assert steps == [2, 1]
    assert len(list(tmp_path.iterdir())) == 2


def test_checkpoints_without_digests_load():
    path = ROOT / "tests" / "fixtures" / "runs" / "finished" / "checkpoints" / LAST
    assert load_checkpoint(path, "any")["global_step"] == 100


def test_a_validation_that_is_not_finite_ends_the_run(small, tmp_path):
    class Spoil(Callback):
        def on_validation_start(self, trainer, module):
            module.vrnn.decoder.parameters().__next__().data.fill_(float("nan"))

    with pytest.raises(NonFiniteError, match="val/elbo became nan at step 6"):
        run(small(), tmp_path, extra_callbacks=[Spoil()])
    assert load_checkpoint(tmp_path / "checkpoints" / LAST)["global_step"] == 4
