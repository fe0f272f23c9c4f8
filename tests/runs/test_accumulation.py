"""An optimiser step by the mean gradient of several windows: against a plain loop, and over an interruption."""

import pytest
import torch
from hydra import compose, initialize_config_dir
from pytorch_lightning import Callback
from torch.nn.utils import parameters_to_vector

from tests.conftest import ROOT, SMALL
from tests.runs.test_resume import assert_same_run
from vrnn.runs.build import build_run, validate_data
from vrnn.runs.config import run_settings
from vrnn.runs.run import run
from vrnn.runs.schema import register
from vrnn.training.checkpoint_files import load_checkpoint

WINDOWS, STEPS = 3, 12
PACE = f"training={{steps: {STEPS}, log_every: 3, val_every: 6, checkpoint_every: 4, figure_every: 6}}"
SETTINGS = [*SMALL, PACE, "lr_schedule=constant", "optim.warmup_steps=0", "w_schedule.steps=10", "forecast=points"]
SETTINGS.append(f"+trainer.accumulate_grad_batches={WINDOWS}")


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    register()
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        config = compose("train", overrides=SETTINGS)
    directory = tmp_path_factory.mktemp("whole")
    run(config, directory, progress_bar=False)
    return directory


def test_a_step_is_that_of_the_mean_gradient(composed, whole):
    """A loop of plain torch with Adam over every weight. Twelve steps move weights by up to 0.1, rounding by 1e-5."""
    settings, _ = run_settings(composed(*SETTINGS))
    _, module, data = build_run(settings)
    validate_data(module, data)
    weights = [*module.vrnn.parameters(), *module.forecast.parameters()]
    before = parameters_to_vector(module.vrnn.parameters()).detach().clone()
    adam = torch.optim.Adam(weights, lr=settings["optim"]["learning_rate"])
    batches = list(data.train_dataloader())
    assert len(batches) == STEPS * WINDOWS
    for step in range(STEPS):
        adam.zero_grad()
        for batch in batches[step * WINDOWS : (step + 1) * WINDOWS]:
            module.w_schedule.n.fill_(step)
            module.forecast.n.fill_(step)
            inference, loss = module.loss(batch)
            total = loss.loss + module.forecast(inference.h, inference.x, inference.mask)
            (total / WINDOWS).backward()
        torch.nn.utils.clip_grad_norm_(weights, settings["optim"]["clip"])
        adam.step()
    stored = load_checkpoint(whole / "checkpoints" / "last.ckpt")["state_dict"]
    assert stored["w_schedule.n"] == stored["forecast.n"] == STEPS
    ours = parameters_to_vector(module.vrnn.parameters()).detach()
    theirs = torch.cat([stored[f"vrnn.{name}"].reshape(-1) for name, _ in module.vrnn.named_parameters()])
    assert (ours - before).abs().max() > 0.05
    torch.testing.assert_close(ours, theirs, rtol=0, atol=2e-5)


def test_an_unfinished_step_is_made_again(composed, whole, tmp_path):
    class Stop(Callback):
        def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
            if batch_idx == 9 * WINDOWS + 1:
                raise InterruptedError

    with pytest.raises(InterruptedError):
        run(composed(*SETTINGS), tmp_path / "run", extra_callbacks=[Stop()])
    assert load_checkpoint(tmp_path / "run" / "checkpoints" / "last.ckpt")["global_step"] == 8
    run(composed(*SETTINGS), tmp_path / "run")
    assert_same_run(tmp_path / "run", whole)
