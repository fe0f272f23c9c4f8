"""Optional callbacks in whole runs: when they end a training, and what they do to weights and gradients, by hand."""

import numpy as np
import pytest
import torch
from PIL import Image
from pytorch_lightning import Callback
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tests.conftest import SMALL
from vrnn.errors import ConfigError
from vrnn.runs.config import check, run_settings
from vrnn.runs.curves import curve
from vrnn.runs.load import load_run
from vrnn.runs.parts import check_parts, make_callbacks
from vrnn.runs.run import run
from vrnn.training.checkpoint_files import load_checkpoint
from vrnn.training.film import LAST_SHOWN, SIZE
from vrnn.training.optional_callbacks import GradientNoise

PACE = "training={steps: 24, log_every: 3, val_every: 3, checkpoint_every: 5, figure_every: 24}"


class Recorder(Callback):
    """Keeps the flat weights after every step, before and while they are validated."""

    def __init__(self):
        self.trained, self.validated = [], {}

    def on_train_start(self, trainer, pl_module):
        self.weights = trainer.optimizers[0].param_groups[0]["params"][0]
        self.first = self.weights.detach().clone()

    def on_train_batch_end(self, trainer, *_):
        self.trained.append(self.weights.detach().clone())

    def on_validation_epoch_end(self, trainer, pl_module):
        self.validated[trainer.global_step] = self.weights.detach().clone()


def test_averages_are_validated_and_saved_and_training_goes_on(composed, tmp_path):
    plain, averaged = Recorder(), Recorder()
    run(composed(*SMALL, PACE), tmp_path / "plain", progress_bar=False, extra_callbacks=[plain])
    asked = ["callbacks=ema", "callbacks.ema.decay=0.7"]
    run(composed(*SMALL, PACE, *asked), tmp_path / "ema", progress_bar=False, extra_callbacks=[averaged])
    for ours, theirs in zip(averaged.trained, plain.trained, strict=True):
        assert torch.equal(ours, theirs)
    average = plain.first.double()
    for n, weights in enumerate(plain.trained, start=1):
        decay = min(0.7, (1 + n) / (10 + n))
        average = decay * average + (1 - decay) * weights.double()
        if n in averaged.validated:
            assert torch.allclose(averaged.validated[n].double(), average, atol=1e-6)
    module = load_run(tmp_path / "ema").module
    loaded = torch.cat([p.detach().reshape(-1) for p in [*module.vrnn.parameters(), *module.forecast.parameters()]])
    assert torch.allclose(loaded.double(), average, atol=1e-6)
    kept = load_checkpoint(tmp_path / "ema" / "checkpoints" / "last.ckpt")["callbacks"]["EMA"]["weights"]
    assert torch.equal(kept, plain.trained[-1])


def test_a_training_ends_when_validation_does_not_become_better(composed, tmp_path):
    early = ["callbacks=early_stopping", "callbacks.early_stopping={patience: 3, min_delta: 100}"]
    scores = run(composed(*SMALL, PACE, *early), tmp_path, progress_bar=False)
    # The first validation is the best one; none of the three after it is better by 100 nats per step.
    assert load_checkpoint(tmp_path / "checkpoints" / "last.ckpt")["global_step"] == 12
    assert (tmp_path / "done").exists()
    assert "A callback ended the training after 12 steps" in (tmp_path / "run.log").read_text()
    assert run(composed(*SMALL, PACE, *early), tmp_path, progress_bar=False) == scores
    # Killed after the last validation, it has nothing left to train.
    before = load_checkpoint(tmp_path / "checkpoints" / "last.ckpt")
    (tmp_path / "done").unlink()
    assert run(composed(*SMALL, PACE, *early), tmp_path, progress_bar=False) == scores
    after = load_checkpoint(tmp_path / "checkpoints" / "last.ckpt")
    assert after["content_digest"] == before["content_digest"]


def test_a_film_shows_every_validation_and_changes_nothing(composed, tmp_path):
    scores = run(composed(*SMALL, PACE), tmp_path / "plain", progress_bar=False)
    filmed = ["callbacks=film", "callbacks.film={n: 2, steps: 30}"]
    assert run(composed(*SMALL, PACE, *filmed), tmp_path / "film", progress_bar=False) == scores
    validated = len(curve(tmp_path / "film", "val/elbo")[0])
    film = tmp_path / "film/figures/film.gif"
    with Image.open(film) as picture:
        assert (picture.n_frames, picture.size) == (validated, SIZE)
        picture.seek(validated - 1)
        assert picture.info["duration"] == LAST_SHOWN
    events = EventAccumulator(str(tmp_path / "film"), size_guidance={"images": 0}).Reload()
    assert [image.encoded_image_string for image in events.Images("film")] == [film.read_bytes()]


def test_gradient_noise_has_the_variance_of_the_paper():
    weights = torch.nn.Parameter(torch.zeros(100_000))
    weights.grad = torch.ones_like(weights)
    torch.manual_seed(0)

    class AtStep:
        global_step = 9

    GradientNoise(eta=0.3, gamma=0.55).on_before_optimizer_step(AtStep, None, torch.optim.SGD([weights], lr=1.0))
    noise = weights.grad.double().numpy() - 1
    variance = 0.3 / 10**0.55
    # Six standard errors: fails by chance once in 5e8.
    assert abs(noise.mean()) < 6 * np.sqrt(variance / noise.size)
    assert abs(noise.var() - variance) < 6 * variance * np.sqrt(2 / noise.size)


class Counter(Callback):
    """A user's own."""

    def __init__(self, every: int = 1):
        self.every = every


def test_a_callback_of_the_user_is_made(composed):
    settings = check(composed("+callbacks.mine={_target_: tests.training.test_optional_callbacks.Counter, every: 3}"))
    settings["allow"] = ["vrnn", "tests"]
    (made,) = make_callbacks(settings)
    assert (type(made), made.every) == (Counter, 3)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["callbacks=ema", "callbacks.ema.decay=1"], r"decay must be in \(0, 1\), but is 1"),
        (["callbacks=early_stopping", "callbacks.early_stopping.patience=0"], "patience must be at least 1, but is 0"),
        (["callbacks=early_stopping", "training.val_every=1000"], "but there are 2: lower training.val_every"),
        (["callbacks=gradient_noise", "callbacks.gradient_noise.eta=0"], "eta must be a number > 0, but is 0"),
        (
            ["+callbacks.mine._target_=vrnn.objective.ELBO"],
            "callbacks.mine._target_ must be a subclass of pytorch_light",
        ),
        (["+callbacks.mine._target_=my_package.Mine"], r"repeat the command with allow=\[vrnn,my_package\]"),
        (["+callbacks.mine.patience=3"], "callbacks.mine must name a class by _target_"),
    ],
)
def test_callbacks_that_cannot_be_are_refused(composed, overrides, message):
    with pytest.raises(ConfigError, match=message):
        check_parts(run_settings(composed(*overrides))[0], None)


def test_after_a_validation_callbacks_see_the_averages(composed):
    """EMA puts the weights of training back at the end of a validation, so it comes last, wherever the list has it."""
    for given in ("[ema,film]", "[film,ema]"):
        settings, _ = run_settings(composed(*SMALL, f"callbacks={given}"))
        assert [type(callback).__name__ for callback in make_callbacks(settings)] == ["Film", "EMA"]
