"""Runs as objects: in the units of their data, wherever their directory is."""

import json
import math
import shutil

import numpy as np
import pytest
import torch
from torch.utils.tensorboard import SummaryWriter

import vrnn
from tests.conftest import ROOT
from tests.measured import run_measured
from vrnn.errors import ConfigError, DamagedError
from vrnn.model.particles import log_evidence, log_evidence_per_step
from vrnn.objective.bounds import FIVO
from vrnn.patterns import Units
from vrnn.runs.trained import generate_from_run, impute_from_run
from vrnn.runs.units import read_units, write_units

FINISHED = ROOT / "tests" / "fixtures" / "runs" / "finished"
UNITS = Units(mean=(10.0, -3.0), scale=(2.0, 0.5))


@pytest.fixture(scope="module")
def run():
    return vrnn.load_run(FINISHED)


@pytest.fixture(scope="module")
def scaled(tmp_path_factory):
    """The same run, as if its data had been in other units."""
    directory = tmp_path_factory.mktemp("scaled") / "run"
    shutil.copytree(FINISHED, directory)
    write_units(directory, UNITS)
    return vrnn.load_run(directory)


@pytest.fixture(scope="module")
def x(run):
    """Three test traces of the run's data, (60, 3, 2)."""
    return np.stack([trace.points[:60] for trace in run.data.traces("test")[:3]], axis=1)


def test_a_run_has_settings_scores_and_its_model(run):
    assert run.settings["model"]["h_dim"] == run.vrnn.h_dim
    assert run.scores == json.loads((FINISHED / "scores.json").read_text())
    assert not run.vrnn.training
    assert list(run.pattern.names) == ["wide", "thin"]


def test_loading_leaves_the_generators_alone():
    before = torch.get_rng_state()
    vrnn.load_run(FINISHED)
    assert torch.equal(before, torch.get_rng_state())


def test_steps_of_log_likelihood_add_up_to_fivo(run, x):
    points = torch.as_tensor(x, dtype=torch.float32)
    mask = torch.ones(60, 3, dtype=torch.bool)
    mask[20:30, 0] = mask[50:, 1] = False
    bound, steps = (
        f(run.vrnn, points, over, mask, torch.Generator().manual_seed(1))
        for f, over in ((log_evidence, FIVO(8)), (log_evidence_per_step, 8))
    )
    torch.testing.assert_close(steps.sum(0), bound)
    assert steps[20:30, 0].eq(0).all()
    assert steps[50:, 1].eq(0).all()


def test_without_z_each_step_is_the_decoder_s_density():
    from vrnn.objective.latents import NoLatent

    torch.manual_seed(0)
    model = vrnn.VRNN(x_dim=2, h_dim=8, latent=NoLatent())
    x = torch.randn(12, 2, 2)
    run = model.infer(x)
    expected = model.likelihood.log_prob(run.decoder, x).double()
    torch.testing.assert_close(log_evidence_per_step(model, x, 4), expected.detach(), rtol=1e-4, atol=1e-4)


def test_missing_points_have_no_likelihood_and_the_rest_adds_up(run, x):
    holes = x.copy()
    holes[5:9, 1] = np.nan
    found = run.log_likelihood(holes, particles=4)
    assert np.isnan(found.per_step[5:9, 1]).all()
    assert np.isnan(found.per_step).sum() == 4
    np.testing.assert_allclose(np.nansum(found.per_step, axis=0), found.per_sequence)
    one = run.log_likelihood(torch.as_tensor(x[:, 0]), particles=4)
    assert isinstance(one.per_step, torch.Tensor)
    assert one.per_step.shape == (60,)
    assert one.per_sequence.shape == ()


def test_units_are_applied_both_ways(run, scaled, x):
    y = UNITS.to_units(x)
    np.testing.assert_allclose(
        scaled.log_likelihood(y, particles=4).per_step, run.log_likelihood(x, particles=4).per_step, atol=2e-3
    )
    generated, expected = scaled.generate(3, 20, prefix=y), run.generate(3, 20, prefix=x)
    np.testing.assert_allclose(generated[:5], UNITS.to_units(expected)[:5], atol=1e-3)
    np.testing.assert_allclose(scaled.latents(y), run.latents(x), atol=1e-4)
    holes = y.copy()
    holes[30:35] = np.nan
    filled = scaled.impute(holes, particles=8)
    np.testing.assert_array_equal(filled[:30], y[:30])
    assert abs(filled[30:35] - y[30:35]).max() < 1.0  # the gap is in the data's units again


def test_numbers_and_tensors_give_the_same(run, x):
    as_tensor = run.generate(2, 5, prefix=torch.as_tensor(x[:, 0]))
    np.testing.assert_array_equal(as_tensor.numpy(), run.generate(2, 5, prefix=x[:, 0]))
    assert run.latents(x[:, 0]).shape == (60, run.vrnn.latent.embedding(run.infer(x).q).shape[-1])
    assert run.generate(2, 5).shape == (5, 2, 2)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda run: vrnn.load_run(ROOT), ConfigError, "no config.yaml"),
        (lambda run: vrnn.load_run(FINISHED, "first"), ConfigError, "checkpoint must be one of last, best"),
        (lambda run: run.infer(np.zeros((5, 3))), ValueError, r"x must have the shape \(T, 2\) or \(T, B, 2\)"),
        (lambda run: run.infer(np.zeros((5, 2)), mask=np.ones(4)), ValueError, "mask must have the shape"),
        (lambda run: run.generate(1, 5, prefix=np.full((3, 2), np.nan)), ValueError, "prefix must have all"),
        (lambda run: run.log_likelihood(np.zeros((5, 2)), particles=0), ValueError, "particles must be at least 1"),
        (lambda run: vrnn.read_runs(ROOT / "docs"), ValueError, "expected a directory with runs"),
    ],
)
def test_bad_requests_are_answered(run, call, error, message):
    with pytest.raises(error, match=message):
        call(run)


def test_damaged_units_are_named(tmp_path):
    (tmp_path / "units.json").write_text('{"mean": [0], "scale": [-1]}')
    with pytest.raises(DamagedError, match=r"units.json is damaged: units.scale must be a number > 0"):
        read_units(tmp_path)


def test_load_from_checkpoint_needs_nothing_else(run, x):
    module = vrnn.VRNNModule.load_from_checkpoint(FINISHED / "checkpoints" / "last.ckpt")
    assert not module.training
    for name, weight in module.state_dict().items():
        assert torch.equal(weight, run.module.state_dict()[name])


MANY = """
import sys, time
import vrnn
start = time.process_time()
rows = vrnn.read_runs(sys.argv[1])
print(time.process_time() - start, len(rows))
"""


def test_a_thousand_runs_are_read_within_10_s_and_1_gb(tmp_path):
    """Processor time and peak memory of a process of its own; with as many scalars as a run of 2500 steps logs."""
    first = tmp_path / "0000"
    first.mkdir()
    for name in ("config.yaml", "scores.json", "done"):
        shutil.copy(FINISHED / name, first / name)
    logged = [(step, f"train/{i}", step + i) for step in range(25, 2501, 25) for i in range(10)]
    logged += [(step, "val/elbo", math.log(step)) for step in range(100, 2501, 100)]
    writer = SummaryWriter(first)
    for step, tag, value in logged:
        writer.add_scalar(tag, value, step)
    writer.close()
    rows = "".join(f"{step},{tag},{value}\n" for step, tag, value in logged)
    (first / "scalars.csv").write_text(f"step,name,value\n{rows}")
    for i in range(1, 1000):
        shutil.copytree(first, tmp_path / f"{i:04d}")
    took = run_measured("-c", MANY, str(tmp_path))
    assert took.code == 0, took.text
    seconds, rows = took.text.split()
    print(f"1000 runs: {seconds} s, {took.peak:.2f} GB")
    assert rows == "1000"
    assert float(seconds) < 10
    assert took.peak < 1.0


def test_the_commands_draw_in_the_units_of_the_data(x, scaled, tmp_path):
    """As if the data had been in other units: what is given and what is written are scaled, and nothing else changes."""
    options = {"checkpoint": "last", "seed": 0, "format": "npz"}
    made = []
    for directory, drawing in ((FINISHED, x[:, 0]), (scaled.directory, UNITS.to_units(x[:, 0]))):
        path, out = str(tmp_path / "drawing.npy"), str(tmp_path / "out.npz")
        np.save(path, drawing)
        generate_from_run(directory, n=2, steps=5, prefix=path, out=out, sample=True, **options)
        made.append([np.load(out)["traces"]])
        impute_from_run(directory, drawing=path, gap=[40, 45], n=2, particles=1, out=out, **options)
        made[-1].append(np.load(out)["traces"])
    for ours, others in zip(*made, strict=True):
        np.testing.assert_allclose(others, UNITS.to_units(ours), atol=1e-2)
