"""Runs on piano rolls: scores per step and per sequence, bounds by particles, figures, MIDI; one file, one run."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from tools import music
from tools.music import BOUNDS, ELBO, Found, Training, beside_published, verdict

from tests.rolls import LENGTHS, random_rolls, write_mat
from vrnn.errors import ConfigError
from vrnn.evaluation import held_out_scores, particle_scores
from vrnn.model import VRNN
from vrnn.networks import Coordinates
from vrnn.objective import BernoulliLikelihood
from vrnn.objective.latents import NoLatent
from vrnn.runs.build import build_run
from vrnn.runs.config import run_settings
from vrnn.runs.load import load_run
from vrnn.runs.run import run
from vrnn.runs.start import start_bias
from vrnn.runs.trained import generate_from_run

PACE = "training={steps: 6, log_every: 3, val_every: 3, checkpoint_every: 3, figure_every: 6}"
SMALL = ["model=tiny", "evaluation={traces: 3, steps: 8, particles: 4}", PACE]
GENERATE = {"n": 2, "steps": 8, "prefix": None, "sample": True, "checkpoint": "best", "seed": 0}


@pytest.fixture
def words(tmp_path):
    return ["dataset=piano_rolls", f"dataset.file={write_mat(tmp_path / 'tiny.mat')}", *SMALL]


def padded(rolls, filler):
    mask = torch.arange(max(map(len, rolls)))[:, None] < torch.tensor([len(roll) for roll in rolls])
    x = torch.full((*mask.shape, 88), filler)
    for i, roll in enumerate(rolls):
        x[: len(roll), i] = torch.as_tensor(roll)
    return x, mask


def model(**parts):
    torch.manual_seed(0)
    coordinates = Coordinates(inputs="position", relative_to="nothing", scale=1.0)
    return VRNN(88, h_dim=8, coordinates=coordinates, likelihood=BernoulliLikelihood(), **parts).eval()


def test_a_run_scores_whole_pieces_and_draws_music(composed, words, tmp_path):
    scores = run(composed(*words), tmp_path / "run", progress_bar=False)
    n, steps = len(LENGTHS["testdata"]), sum(LENGTHS["testdata"])
    for name in ("elbo", "iwae", "fivo"):
        per_step, per_sequence = (scores[f"{name}_nats_per_{unit}"] for unit in ("step", "sequence"))
        assert per_step * steps == pytest.approx(per_sequence * n, rel=1e-6)
        assert -88 * math.log(2) < per_step < 0
    assert scores["particles"] == 4
    assert scores["constant_nats_per_step"] < 0
    for name in ("reconstructed", "true_and_generated", "samples", "training"):
        assert (tmp_path / "run" / "figures" / f"{name}.png").stat().st_size > 2000
    csv = generate_from_run(tmp_path / "run", **GENERATE, format="csv", out=None).read_text().splitlines()
    assert csv[0].startswith("trace,step,A0,A#0,B0,C1,")
    assert set(csv[1].split(",")[2:]) <= {"0.0", "1.0"}
    (tmp_path / "tiny.mat").unlink()
    write_mat(tmp_path / "tiny.mat", random_rolls(seed=1))
    with pytest.raises(ConfigError, match=r"dataset\.digest: \w+ -> \w+"):
        run(composed(*words), tmp_path / "run", progress_bar=False)


def test_the_decoder_starts_at_the_training_means(composed, words):
    settings, _ = run_settings(composed(*words))
    _, module, data = build_run(settings)
    start_bias(module.vrnn, data)
    train = np.concatenate(random_rolls()["traindata"])
    expected = (train.sum(0) + 1) / (len(train) + 2)
    np.testing.assert_allclose(module.vrnn.decoder[-1].bias.detach().sigmoid(), expected, rtol=1e-5)
    settings, _ = run_settings(composed(*words, "likelihood=bernoulli"))
    _, module, data = build_run(settings)
    before = module.vrnn.decoder[-1].bias.detach().clone()
    start_bias(module.vrnn, data)
    assert torch.equal(module.vrnn.decoder[-1].bias, before)


def test_what_is_in_the_padding_changes_nothing():
    rolls = random_rolls()["testdata"]
    found = []
    for filler in (math.nan, 1.0):
        x, mask = padded(rolls, filler)
        noise = torch.Generator().manual_seed(1)
        vrnn = model()
        found.append(held_out_scores(vrnn, x, mask, noise) | particle_scores(vrnn, x, mask, 4, noise))
    assert found[0] == found[1]
    assert all(math.isfinite(value) for value in found[0].values())


def test_bounds_of_unequal_lengths_are_exact_without_z():
    """Without z every bound is log p(x): summed over each piece by itself, in whatever parts the pieces are run."""
    rolls = [roll for part in random_rolls().values() for roll in part] * 3
    vrnn = model(latent=NoLatent())
    alone = [vrnn.infer(torch.as_tensor(roll)[:, None].float()) for roll in rolls]
    total = [vrnn.likelihood.log_prob(run.decoder, run.x).sum().item() for run in alone]
    scores = particle_scores(vrnn, *padded(rolls, math.nan), 512, torch.Generator().manual_seed(0))
    for name in ("iwae", "fivo"):
        assert scores[f"{name}_nats_per_sequence"] == pytest.approx(sum(total) / len(rolls), rel=1e-5)
        assert scores[f"{name}_nats_per_step"] == pytest.approx(sum(total) / sum(map(len, rolls)), rel=1e-5)


@pytest.mark.parametrize(("training", "name"), [(training, name) for training in music.TRIES for name in training.sets])
def test_every_training_of_the_pages_has_its_experiment(composed, tmp_path, training, name):
    write_mat(tmp_path / music.SETS[name].file)
    settings, _ = run_settings(composed(*music.overrides(training, name, tmp_path, 0)))
    kind = "NADELikelihood" if "nade" in " ".join([training.suffix, *training.overrides]) else "BernoulliLikelihood"
    assert settings["likelihood"]["_target_"].endswith(kind)
    assert settings["bound"]["_target_"].endswith("FIVO" if "bound=fivo" in training.overrides else "ELBO")


def test_no_verdict_on_fewer_than_five_seeds():
    rising = np.array([0.1, 0.2, 0.1, 0.2, 0.15])
    assert [verdict(rising), verdict(-rising)] == ["Holds", "Does not hold"]
    assert [verdict(rising[:4]), verdict(rising - 0.15)] == ["Cannot be told"] * 2


def test_the_table_of_music_shows_means_and_what_was_published():
    scores = [{f"{key}_nats_per_step": value for key in BOUNDS} for value in (-6.0, -7.0)]
    lines = beside_published({(ELBO, "jsb"): Found(scores, [1.0, 2.0], "", Path())}, {"jsb": -11.06})
    assert lines[2].startswith("| **VRNN Lab, trained on the ELBO: ELBO** | -6.500 [-12.853, -0.147] (2) |  |")
    assert lines[5].startswith("| one constant probability per key | -11.06 |")
    assert "| VRNN, FIVO-16 (Maddison et al. 2017) | -6.72 | -2.58 | -5.89 | -7.43 | from memory |" in lines
    assert {text.count(" | ") for text in lines[5:]} == {5}


def test_tries_are_shown_by_their_validation_sequences(composed, tmp_path, monkeypatch):
    """The bound at the checkpoints is that of the validation sequences alone: the file's test sequences may be anything."""
    options = (PACE, "evaluation={particles: null, traces: 3, steps: 8}", "bound.particles=3")
    training = Training("one", ("bound=fivo", *options), ("jsb",))
    monkeypatch.setattr(music, "ROOT", tmp_path)
    monkeypatch.setattr(music, "PARTICLES", 4)
    monkeypatch.setattr(music, "TRIES", (training, Training("not run", (), ("jsb",))))
    write_mat(tmp_path / "JSB_Chorales.mat")
    path = tmp_path / music.directory(training, "jsb", tmp_path, 0)
    run(composed(*music.overrides(training, "jsb", tmp_path, 0)), path, progress_bar=False)
    (row,) = music.tried(tmp_path)[2:]
    kept = json.loads((path / "validation.json").read_text())
    _, label, _, *bounds, _, _, _ = row.split("|")
    assert label == " one "
    assert bounds == [f" {kept[checkpoint]:.3f} " for checkpoint in ("best", "last")]
    x, mask = padded(random_rolls()["validdata"], 0.0)
    noise = torch.Generator().manual_seed(0)
    assert kept["last"] == particle_scores(load_run(path).vrnn, x, mask, 4, noise)["fivo_nats_per_step"]
