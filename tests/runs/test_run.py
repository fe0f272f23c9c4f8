"""Runs from config to scores, in this process, at the smallest size that has every part."""

import json
import math
import os
import shutil
import signal
import sys
import time

import numpy as np
import pytest
import torch
import yaml
from pytorch_lightning import Callback
from pytorch_lightning.callbacks import Checkpoint
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import plugin_data_pb2
from tensorboard.summary.writer.event_file_writer import AtomicCounter

from tests.conftest import SMALL
from tests.handwriting import write_lines
from tests.runs.test_resume import assert_same_run
from vrnn.errors import ConfigError, DamagedError, NonFiniteError
from vrnn.files import write_text_atomically
from vrnn.runs.config import check
from vrnn.runs.load import load_run
from vrnn.runs.parts import build_vrnn
from vrnn.runs.report import SCALARS
from vrnn.runs.run import run
from vrnn.runs.trained import evaluate_run, generate_from_run, impute_from_run
from vrnn.training.checkpoint_files import load_checkpoint

PACE = "training={steps: 12, log_every: 3, val_every: 6, checkpoint_every: 4, figure_every: 6}"


@pytest.fixture
def small(composed):
    return lambda *overrides: composed(*SMALL, PACE, *overrides)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """One finished run, shared: its directory and its scores."""
    from hydra import compose, initialize_config_dir

    from tests.conftest import ROOT
    from vrnn.runs.schema import register

    register()
    directory = tmp_path_factory.mktemp("run")
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        config = compose("train", overrides=[*SMALL, PACE])
    return directory, run(config, directory)


def events(directory) -> EventAccumulator:
    accumulator = EventAccumulator(str(directory), size_guidance={"scalars": 0, "images": 0, "tensors": 0})
    accumulator.Reload()
    return accumulator


def test_a_run_leaves_what_the_readme_says(finished):
    directory, scores = finished
    for name in ("config.yaml", "scores.json", "done", "checkpoints/last.ckpt", "checkpoints/best.ckpt"):
        assert (directory / name).is_file()
    for name in ("training", "true_and_generated", "samples", "laps", "transitions", "latent"):
        assert (directory / "figures" / f"{name}.png").stat().st_size > 5000
    assert json.loads((directory / "scores.json").read_text()) == scores
    assert scores["judge"]["invalid_fraction"] < 0.1


@pytest.mark.parametrize("engine", ["native", "reference"])
def test_a_run_learns(small, tmp_path, engine):
    """Under Lightning, with all that lies between a gradient and a weight: half a nat a step from step 20 to 60."""
    pace = "training={steps: 60, log_every: 20, val_every: 20, checkpoint_every: 60, figure_every: 60}"
    run(small(pace, f"engine={engine}"), tmp_path)
    first, _, last = (event.value for event in events(tmp_path).Scalars("val/elbo"))
    assert last > first + 0.5


def test_tensorboard_holds_every_scalar_and_figure(finished):
    accumulator = events(finished[0])
    tags = accumulator.Tags()
    expected = {"optimiser/gradient_norm", "optimiser/learning_rate", "speed/steps_per_second", "w/w", "w/implied_beta"}
    expected |= {f"{split}/{part}" for split in ("train", "val") for part in ("elbo", "log_likelihood", "kl")}
    expected |= {"train/RE", "train/DE", "train/loss", "train/mean_sigma", "val/active_dims", "kl_per_dim/00"}
    assert expected <= set(tags["scalars"])
    assert [event.step for event in accumulator.Scalars("train/elbo")] == [3, 6, 9, 12]
    assert [event.step for event in accumulator.Scalars("val/elbo")] == [6, 12]
    assert {"traces", "true_and_generated", "laps", "transitions", "latent"} <= set(tags["images"])


@pytest.mark.parametrize("latent", ["categorical", "none"])
def test_where_the_latent_works_is_told_where_there_is_one(small, tmp_path, latent):
    scores = run(small(f"latent={latent}", "w_schedule=constant"), tmp_path)
    there = latent != "none"
    assert scores["choice_entropy_nats"] == pytest.approx(0.6365, abs=5e-5)
    assert 0.0 < scores["steps_at_junctions_share"] < 0.2
    assert (scores["kl_at_junctions_share"] is not None) == (scores["kl_per_choice_nats_se"] is not None) == there
    assert (tmp_path / "figures" / "latent.png").exists() == there


def test_hparams_have_the_run_with_its_scores(finished):
    directory, scores = finished
    accumulator = events(directory)
    content = accumulator.summary_metadata["_hparams_/session_start_info"].plugin_data.content
    hparams = plugin_data_pb2.HParamsPluginData.FromString(content).session_start_info.hparams
    assert hparams["model.h_dim"].number_value == 16
    assert hparams["dataset._target_"].string_value == "vrnn.patterns.AutomatonPattern"
    final = {tag: accumulator.Scalars(tag)[-1].value for tag in SCALARS if tag in accumulator.Tags()["scalars"]}
    assert final["score/invalid_fraction"] == pytest.approx(scores["generated"]["invalid_fraction"])
    assert set(final) == set(SCALARS)


def test_checkpoints_load_with_weights_only_and_hold_all_state(finished):
    for name in ("last", "best"):
        checkpoint = torch.load(finished[0] / "checkpoints" / f"{name}.ckpt", weights_only=True)
        assert checkpoint["carried_state"][0].shape == (8, 16)
        state = next(value for key, value in checkpoint["callbacks"].items() if key.startswith("RunCheckpoints"))
        assert {"torch", "numpy", "python"} <= state["rng"].keys()
        assert checkpoint["state_dict"]["w_schedule.n"] > 0
        assert (
            checkpoint["loops"]["fit_loop"]["state_dict"]["combined_loader"][0]["position"] == checkpoint["global_step"]
        )
    assert checkpoint["global_step"] in (6, 12)


def test_other_settings_in_the_same_directory_are_refused(small, tmp_path):
    (tmp_path / "config.yaml").write_text(yaml.safe_dump({"seed": 3}))
    with pytest.raises(ConfigError, match="seed: 3 -> 0") as caught:
        run(small(), tmp_path)
    assert "fresh=true" in str(caught.value)


def test_another_order_of_states_is_another_run(finished, small, tmp_path):
    directory = shutil.copytree(finished[0], tmp_path / "run")
    settings = yaml.safe_load((directory / "config.yaml").read_text())
    states = settings["dataset"]["automaton"]["states"]
    settings["dataset"]["automaton"]["states"] = dict(reversed(states.items()))
    (directory / "config.yaml").write_text(yaml.safe_dump(settings, sort_keys=False))
    with pytest.raises(ConfigError, match=r"states\.order: thin, wide -> wide, thin"):
        run(small(), directory)


@pytest.mark.parametrize("option", ["+trainer.strategy=quantum", "+trainer.profiler=quantum"])
def test_options_lightning_refuses_are_a_config_error(small, tmp_path, option):
    value = option.split("=")[1]
    with pytest.raises(ConfigError, match=f"Lightning's Trainer cannot be made of trainer = .*{value}"):
        run(small(option), tmp_path, progress_bar=False)


@pytest.mark.parametrize("option", ["turbo=true", "max_steps=3", "gradient_clip_val=1"])
def test_trainer_options_that_change_training_are_refused(small, tmp_path, option):
    with pytest.raises(
        ConfigError, match=f"trainer.{option.split('=')[0]} is not a setting: trainer has accelerator, "
    ):
        run(small(f"+trainer.{option}"), tmp_path, progress_bar=False)


def test_fresh_starts_over_and_spares_what_is_not_the_run_s(small, tmp_path):
    first = run(small(), tmp_path)
    (tmp_path / "notes.txt").write_text("mine")
    again = run(small("fresh=true", "seed=1"), tmp_path)
    assert (tmp_path / "notes.txt").read_text() == "mine"
    assert again["elbo_nats_per_step"] != first["elbo_nats_per_step"]
    assert [event.step for event in events(tmp_path).Scalars("val/elbo")] == [6, 12]


def test_a_run_is_a_function_of_its_config(small, tmp_path):
    one, same = (run(small("seed=5"), tmp_path / name) for name in ("one", "same"))
    assert one == same


def test_a_checkpoint_that_cannot_be_read_is_named(finished, small, tmp_path):
    last = tmp_path / "checkpoints" / "last.ckpt"
    last.parent.mkdir()
    for content in (b"", b"garbage", (finished[0] / "checkpoints" / "last.ckpt").read_bytes()[:5000]):
        last.write_bytes(content)
        with pytest.raises(DamagedError, match=r"last.ckpt cannot be read as a checkpoint: .*fresh=true"):
            run(small(), tmp_path, progress_bar=False)


def test_the_bar_knows_the_last_step_after_a_resume_too(small, tmp_path, capsys, monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)  # elsewhere there are lines instead

    class Stop(Callback):
        def on_train_batch_end(self, trainer, *_):
            if trainer.global_step == 9:
                raise InterruptedError

    with pytest.raises(InterruptedError):
        run(small(), tmp_path, extra_callbacks=[Stop()])
    capsys.readouterr()
    run(small(), tmp_path)
    shown = capsys.readouterr().out
    assert "| 12/12 [" in shown
    assert "Validation" not in shown


def asking(moment, step, then=None):
    """A callback that has this process sent a SIGTERM, and raises `then`."""

    class Ask(Checkpoint):  # as one of these it comes after RunCheckpoints
        def ask(self, trainer, *_, **__):
            if trainer.global_step == step:
                os.kill(os.getpid(), signal.SIGTERM)
                if then is not None:
                    raise then

    setattr(Ask, moment, Ask.ask)
    return Ask()


@pytest.mark.parametrize(
    ("moment", "step", "saved"),
    [("on_train_batch_start", 7, 8), ("on_train_batch_end", 7, 8), ("on_validation_start", 6, 6)],
)
def test_a_signal_within_a_step_saves_and_sets_the_exit_code(small, tmp_path, moment, step, saved):
    """Lightning, too, looks for signals, after our last callback: it would end with 0 there and keep nothing."""
    with pytest.raises(SystemExit) as stop:
        run(small("training.checkpoint_every=100"), tmp_path, extra_callbacks=[asking(moment, step)])
    assert stop.value.code == 128 + signal.SIGTERM
    assert load_checkpoint(tmp_path / "checkpoints" / "last.ckpt")["global_step"] == saved


def test_a_run_stopped_by_max_time_continues_to_the_same_bits(finished, small, tmp_path):
    """The limit is that of a command, not of the run: without it, or with another one, the run is the same."""

    class Pause(Callback):
        def on_train_batch_start(self, trainer, *_):
            if trainer.global_step == 7:
                time.sleep(1.1)

    with pytest.raises(SystemExit) as stop:
        run(small("+trainer.max_time='00:00:00:01'"), tmp_path, extra_callbacks=[Pause()])
    assert stop.value.code == 128 + signal.SIGALRM
    assert load_checkpoint(tmp_path / "checkpoints" / "last.ckpt")["global_step"] <= 8
    assert "max_time" not in (tmp_path / "config.yaml").read_text()
    assert not (tmp_path / "failed").exists()
    assert run(small("+trainer.max_time='00:01:00:00'"), tmp_path) == finished[1]
    assert_same_run(tmp_path, finished[0])
    assert run(small(), tmp_path) == finished[1]


@pytest.mark.parametrize("limit", ["5", "'00:00:00:00'", "'1:2:3'", "forever", "'00:00:00:-1'"])
def test_a_time_limit_that_is_none_is_refused(small, limit):
    with pytest.raises(ConfigError, match=r"trainer\.max_time must be days:hours:minutes:seconds"):
        check(small(f"+trainer.max_time={limit}"))


@pytest.mark.parametrize(("pause", "saved"), [(0.0, 8), (1.1, 6)])
def test_only_a_later_second_signal_ends_at_once(small, tmp_path, pause, saved):
    class Insist(Callback):
        def on_train_batch_start(self, trainer, *_):
            if trainer.global_step == 7:
                os.kill(os.getpid(), signal.SIGINT)
                time.sleep(pause)
                os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(SystemExit):
        run(small("training.checkpoint_every=100"), tmp_path, extra_callbacks=[Insist()])
    assert load_checkpoint(tmp_path / "checkpoints" / "last.ckpt")["global_step"] == saved


def test_a_signal_before_the_first_step_sets_the_exit_code(small, tmp_path):
    for moment, step, saved in (("on_validation_start", 6, 6), ("setup", 0, 7), ("on_train_start", 7, 8)):
        with pytest.raises(SystemExit) as stop:
            run(small(), tmp_path, extra_callbacks=[asking(moment, step)])
        assert stop.value.code == 128 + signal.SIGTERM
        assert load_checkpoint(tmp_path / "checkpoints" / "last.ckpt")["global_step"] == saved


def test_an_error_does_not_hide_a_pending_signal(small, tmp_path):
    """A sweep and a search go on after an error, as after a trial that is pruned."""
    with pytest.raises(SystemExit) as stop:
        run(small(), tmp_path, extra_callbacks=[asking("on_validation_end", 6, then=ArithmeticError())])
    assert stop.value.code == 128 + signal.SIGTERM


def test_interrupted_runs_write_every_scalar_once(small, tmp_path, monkeypatch):
    class Stop(Callback):
        def __init__(self, step):
            self.step = step

        def on_train_batch_end(self, trainer, *_):
            if trainer.global_step == self.step:
                raise InterruptedError

    # Files of one second are read in the order of a process's count of them, as text: 10 would come before 9.
    monkeypatch.setattr("tensorboard.summary.writer.event_file_writer._global_uid", AtomicCounter(0))

    def no_done(path, text):
        if path.name == "done":
            raise InterruptedError
        write_text_atomically(path, text)

    for step in (3, 7, 11):  # the first before there is a checkpoint
        with pytest.raises(InterruptedError):
            run(small(), tmp_path, extra_callbacks=[Stop(step)])
    with monkeypatch.context() as patch:
        patch.setattr("vrnn.runs.directory.write_text_atomically", no_done)
        with pytest.raises(InterruptedError):
            run(small(), tmp_path)
    run(small(), tmp_path)
    found = events(tmp_path)
    for tag in found.Tags()["scalars"]:
        steps = [event.step for event in found.Scalars(tag)]
        assert steps == sorted(set(steps)), tag
    assert [event.step for event in found.Scalars("train/elbo")] == [3, 6, 9, 12]
    assert [event.step for event in found.Scalars("score/elbo_nats_per_step")] == [0, 13]
    for tag in found.Tags()["images"]:
        steps = [event.step for event in found.Images(tag)]
        assert steps == sorted(set(steps)), tag


def test_a_requeued_job_continues_also_with_fresh(small, tmp_path, monkeypatch):
    class Begin(Callback):
        def on_train_start(self, trainer, _):
            began.append(trainer.global_step)

    began = []
    run(small(), tmp_path, extra_callbacks=[Begin()])
    for job, attempt, step in (("7", "1", 6), ("8", "0", 6), ("8", "0", 6), ("8", "1", 8), ("8", "2", 10)):
        monkeypatch.setenv("SLURM_JOB_ID", job)  # as Slurm tells a job; what another began is thrown away
        monkeypatch.setenv("SLURM_RESTART_COUNT", attempt)
        with pytest.raises(SystemExit):
            run(small("fresh=true"), tmp_path, extra_callbacks=[Begin(), asking("on_train_batch_start", step)])
    assert began == [0, 0, 0, 0, 7, 9]


def test_a_kill_while_discarding_keeps_the_directory_bound(small, tmp_path, monkeypatch):
    def killed(_):
        raise InterruptedError

    run(small(), tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr("vrnn.runs.directory.shutil.rmtree", killed)
        with pytest.raises(InterruptedError):
            run(small("fresh=true", "seed=1"), tmp_path)
    with pytest.raises(ConfigError, match="seed: 0 -> 1"):
        run(small("seed=1"), tmp_path)
    assert not (tmp_path / "done").exists()
    assert not (tmp_path / "checkpoints" / "last.ckpt").exists()


def test_divergence_keeps_the_last_good_checkpoint(small, tmp_path):
    pace = "training={steps: 400, log_every: 3, val_every: 100, checkpoint_every: 1, figure_every: 100}"
    wild = ["optim.learning_rate=1e12", "optim.clip=null", "optim.warmup_steps=0", pace]
    with pytest.raises(NonFiniteError, match=r"became (nan|inf|-inf) at step \d+.*optim.learning_rate"):
        run(small(*wild), tmp_path)
    weights = torch.load(tmp_path / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
    assert all(torch.isfinite(w).all() for w in weights.values())
    assert not (tmp_path / "done").exists()


def test_the_validation_traces_have_a_score_of_their_own(small, tmp_path):
    """Without z nothing is drawn, so the score is what the last validation logged, and not that of the test traces."""
    scores = run(small("architecture=rnn"), tmp_path)
    logged = events(tmp_path).Scalars("val/elbo")[-1].value
    assert scores["val_elbo_nats_per_step"] == pytest.approx(logged, rel=1e-5)
    assert abs(scores["val_elbo_nats_per_step"] - scores["elbo_nats_per_step"]) > 1e-3
    assert scores["val_elbo_nats_per_step"] == evaluate_run(tmp_path)["val_elbo_nats_per_step"]


def test_whole_traces_one_at_a_time(small, tmp_path):
    """The blog's way: no windows, B = 1."""
    scores = run(small("data.window=null", "data.batch_size=1", "data.traces=1", "likelihood=mse"), tmp_path)
    assert math.isfinite(scores["elbo_nats_per_step"])


@pytest.mark.parametrize("recurrence", ["elman", "lstm", "mtrnn"])
def test_every_recurrence_trains(small, tmp_path, recurrence):
    assert math.isfinite(run(small(f"recurrence={recurrence}"), tmp_path)["elbo_nats_per_step"])


def test_series_of_unequal_length_train_and_open(small, tmp_path):
    rng = np.random.default_rng(0)
    series = {f"s{i}": 100 + rng.standard_normal((20 + 3 * i, 3)).cumsum(0) for i in range(12)}
    series["s3"][4, 1] = np.nan
    np.savez(tmp_path / "series.npz", **series)
    directory = tmp_path / "run"
    overrides = [f"dataset.files=[{tmp_path / 'series.npz'}]", "dataset.holdout=0.5", "engine=native"]
    scores = run(small("dataset=series", *overrides), directory)
    assert math.isfinite(scores["elbo_nats_per_step"])
    assert "generated" not in scores
    assert (directory / "figures" / "continued.png").exists()
    (tmp_path / "series.npz").unlink()  # a run opens without its data
    traces = np.load(generate_from_run(directory, **GENERATE | {"n": 2, "steps": 5}))["traces"]
    assert traces.shape == (2, 5, 3)
    assert np.abs(traces - 100).max() < 50
    assert load_run(directory).generate(2, 5).shape == (5, 2, 3)


def test_a_drawing_trains_generates_and_continues(small, tmp_path):
    angle = np.linspace(0, 120, 1500)
    np.save(tmp_path / "drawing.npy", np.stack([2 * np.cos(angle), np.sin(angle)], -1))
    directory = tmp_path / "run"
    scores = run(small("dataset=traces", f"dataset.files=[{tmp_path / 'drawing.npy'}]"), directory)
    assert "generated" not in scores
    drawn = np.load(tmp_path / "drawing.npy")
    np.save(tmp_path / "drawing.npy", drawn + 0.5)
    with pytest.raises(ConfigError, match=r"dataset\.digest: \w+ -> \w+"):
        run(small("dataset=traces", f"dataset.files=[{tmp_path / 'drawing.npy'}]"), directory)
    with pytest.raises(ConfigError, match=r"drawing\.npy must be as when the run began"):
        evaluate_run(directory)
    np.save(tmp_path / "drawing.npy", drawn)
    assert run(small("dataset=traces", f"dataset.files=[{tmp_path / 'drawing.npy'}]"), directory) == scores
    for kind in ("png", "npz", "csv", "svg"):
        assert generate_from_run(directory, **GENERATE | {"format": kind}).stat().st_size > 0
    whole = np.load(generate_from_run(directory, **GENERATE | {"n": 2, "steps": 30}))["traces"]
    assert whole.shape == (2, 30, 2)
    np.save(tmp_path / "prefix.npy", np.cumsum(np.full((12, 2), 0.1), 0))
    path = generate_from_run(directory, **GENERATE | {"n": 2, "prefix": str(tmp_path / "prefix.npy")})
    continued = np.load(path)["traces"]
    assert np.abs(continued[:, 0] - [1.2, 1.2]).max() < np.abs(whole[:, 0] - [1.2, 1.2]).max()
    drawing = 2 * np.stack([np.cos(angle), np.sin(angle)], -1)[:100]
    np.save(tmp_path / "gap.npy", drawing)
    options = {"drawing": str(tmp_path / "gap.npy"), "gap": [40, 60], "out": None, "checkpoint": "last", "seed": 0}
    for kind in ("png", "csv", "svg"):
        assert impute_from_run(directory, n=2, particles=1, format=kind, **options).stat().st_size > 0
    filled = np.load(impute_from_run(directory, n=3, particles=4, format="npz", **options))["traces"]
    np.testing.assert_allclose(
        np.delete(filled, np.s_[40:60], 1), np.delete(drawing, np.s_[40:60], 0)[None].repeat(3, 0)
    )
    assert np.ptp(filled[:, 40:60], axis=0).min() > 0  # n different ways
    assert np.abs(filled[:, 40:60] - drawing[40:60]).min() > 0  # and none is the hidden one
    for gap in ([60, 40], [40, 101], [-1, 5], [3]):
        with pytest.raises(ConfigError, match=r"gap must be \[first, end\] with 0 <= first < end <= 100"):
            impute_from_run(directory, n=1, particles=1, format="png", **(options | {"gap": gap}))


GENERATE = {
    "n": 3,
    "steps": 8,
    "prefix": None,
    "format": "npz",
    "out": None,
    "sample": True,
    "checkpoint": "last",
    "seed": 0,
}


def drawn_in(directory, kinds):
    return {kind: generate_from_run(directory, **GENERATE | {"format": kind}) for kind in kinds}


def test_a_trained_model_draws_hard_classes(composed, tmp_path):
    """The soft draws of gumbel_softmax are for training: what is drawn later is what an evaluation would draw."""
    settings = check(composed(*SMALL, "latent=categorical", "latent.estimator=gumbel_softmax"))
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(settings))
    (tmp_path / "checkpoints").mkdir()
    torch.manual_seed(0)
    vrnn = build_vrnn(settings).eval()
    weights = {f"vrnn.{name}": value for name, value in vrnn.state_dict().items()}
    torch.save({"state_dict": weights}, tmp_path / "checkpoints" / "last.ckpt")
    drawn = np.load(drawn_in(tmp_path, ["npz"])["npz"])["traces"]
    expected = vrnn.generate(3, 8, generator=torch.Generator().manual_seed(0))
    np.testing.assert_allclose(drawn, expected.transpose(0, 1), rtol=1e-5)


def test_digits_train_and_are_drawn(composed, tmp_path):
    pytest.importorskip("sklearn")
    scores = run(composed("dataset=digits", "model=tiny", "evaluation.traces=9", PACE), tmp_path)
    assert -8 * math.log(2) * 2 < scores["elbo_nats_per_step"] < 0  # two nats a pixel would be worse than a coin's
    for name in ("training", "true_and_generated", "samples"):
        assert (tmp_path / "figures" / f"{name}.png").stat().st_size > 2000
    states = {line.split("\t")[0] for line in (tmp_path / "projector" / "states.tsv").read_text().splitlines()[1:]}
    assert states == set("0123456789")
    images = np.load(drawn_in(tmp_path, ["png", "csv", "npz"])["npz"])["traces"]
    assert images.shape == (3, 8, 8)
    assert set(images.ravel()) <= {0.0, 1.0}
    out = str(tmp_path / "whole.npz")
    whole = generate_from_run(tmp_path, **GENERATE | {"n": 1, "steps": None, "format": None, "out": out})
    assert np.load(whole)["traces"].shape == (1, 8, 8)  # as many rows as the run's images have
    with pytest.raises(ValueError, match="of the form image are none: write png, npz or csv"):
        drawn_in(tmp_path, ["svg"])
    with pytest.raises(ConfigError, match="sequences are of the form image"):
        generate_from_run(tmp_path, **GENERATE | {"prefix": "drawing.npy"})


def test_handwriting_trains_and_is_drawn(composed, tmp_path):
    lines = write_lines(tmp_path / "lines", 12)
    small = ["model=tiny", "likelihood.components=2", "data.window=20", "evaluation={traces: 3, steps: 30}", PACE]
    directory = tmp_path / "run"
    scores = run(composed("dataset=iam", f"dataset.directory={lines}", *small), directory)
    assert math.isfinite(scores["elbo_nats_per_step"])
    file = next(lines.rglob("*.xml"))
    file.write_text(file.read_text() + "\n")
    with pytest.raises(ConfigError, match=r"dataset\.digest: \w+ -> \w+"):
        run(composed("dataset=iam", f"dataset.directory={lines}", *small), directory)
    shutil.rmtree(lines)  # drawing needs no data
    strokes = np.load(drawn_in(directory, ["png", "csv", "svg", "npz"])["npz"])["traces"]
    assert strokes.shape == (3, 8, 3)
    assert set(strokes[..., 0].ravel()) <= {0.0, 1.0}


def test_traces_of_unequal_length_with_gaps_train(small, tmp_path):
    scores = run(small("data.min_steps=40", "data.gaps={share: 0.3, length: 40}"), tmp_path)
    assert math.isfinite(scores["elbo_nats_per_step"])
    assert scores["judge"]["invalid_fraction"] < 0.1


def test_evaluating_again_gives_the_same_scores(finished):
    directory, scores = finished
    before = (directory / "scores.json").read_bytes()
    assert evaluate_run(directory) == scores
    assert (directory / "scores.json").read_bytes() == before
    assert "particles" not in scores
    evaluate_run(directory, particles=16)
    tighter = json.loads((directory / "scores-last-4x256-samples-seed0-16particles.json").read_text())
    assert tighter["particles"] == 16
    for name in ("iwae", "fivo"):  # 16 particles find more than one; the same traces, so the same errors
        assert tighter[f"{name}_nats_per_step"] > tighter["elbo_nats_per_step"]
        assert tighter[f"{name}_nats_per_step_se"] > 0
        assert tighter[f"{name}_nats_per_sequence"] == pytest.approx(256 * tighter[f"{name}_nats_per_step"])
    assert {name: tighter[name] for name in scores} == scores
    evaluate_run(directory, traces=6, checkpoint="best")
    assert (directory / "scores.json").read_bytes() == before
    assert json.loads((directory / "scores-best-6x256-samples-seed0.json").read_text())["generated"]["traces"] == 6


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda run: evaluate_run(run / "nowhere"), "no config.yaml"),
        (lambda run: evaluate_run(run, checkpoint="first"), "checkpoint must be one of last, best"),
        (lambda run: evaluate_run(run, traces=0), "traces must be at least 1"),
        (lambda run: evaluate_run(run, particles=0), "particles must be at least 1"),
        (lambda run: generate_from_run(run, **GENERATE | {"n": 0}), "n must be at least 1"),
        (lambda run: generate_from_run(run, **GENERATE | {"format": "jpg"}), "format must be one of"),
        (lambda run: generate_from_run(run, **GENERATE | {"prefix": "none.npy"}), "none.npy"),
    ],
)
def test_bad_requests_for_a_finished_run(finished, call, message):
    with pytest.raises(ValueError, match=message):
        call(finished[0])
