"""What TensorBoard shows, in a real browser."""

import math
import shutil
import subprocess
import sys

import pytest
import torch
import yaml
from hydra import compose, initialize_config_dir
from matplotlib.image import imread
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.custom_scalar import layout_pb2

from tests.conftest import ROOT, SMALL
from vrnn.runs.report import SCALARS
from vrnn.runs.run import run
from vrnn.runs.schema import register
from vrnn.runs.tensorboard import hparams_row

PACE = "training={steps: 6, log_every: 3, val_every: 6, checkpoint_every: 4, figure_every: 6}"


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Three runs of a sweep: what was asked of each, and its scores."""
    register()
    root = tmp_path_factory.mktemp("runs")
    scores = {}
    for recurrence, seed in (("gru", 0), ("gru", 1), ("elman", 0)):
        asked = [f"recurrence={recurrence}", f"seed={seed}"]
        with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
            config = compose("train", overrides=[*SMALL, PACE, *asked])
        scores[recurrence, seed] = run(config, root / f"{recurrence}-{seed}", asked, progress_bar=False)
    return root, scores


def test_charts_that_belong_together_are_laid_out(runs):
    events = EventAccumulator(str(runs[0] / "gru-0"), size_guidance={"tensors": 0}).Reload()
    [layout] = [event.tensor_proto.string_val[0] for event in events.Tensors("custom_scalars__config__")]
    charts = {
        chart.title: list(chart.multiline.tag)
        for c in layout_pb2.Layout.FromString(layout).category
        for chart in c.chart
    }
    assert charts["val"] == ["val/elbo", "val/log_likelihood", "val/kl"]
    assert {tag for tags in charts.values() for tag in tags} <= set(events.Tags()["scalars"])


def test_the_tab_text_tells_what_was_asked_and_what_made_it(runs):
    directory = runs[0] / "gru-1"
    events = EventAccumulator(str(directory), size_guidance={"tensors": 0}).Reload()
    found = {
        name: yaml.safe_load(events.Tensors(f"{name}/text_summary")[0].tensor_proto.string_val[0].decode())
        for name in ("settings", "provenance")
    }
    assert found["settings"] == yaml.safe_load((directory / "config.yaml").read_text())
    assert found["provenance"]["versions.torch"] == torch.__version__


def test_the_projector_has_codes_and_their_states(runs):
    directory = runs[0] / "gru-0"
    codes = [line.split("\t") for line in (directory / "projector" / "codes.tsv").read_text().splitlines()]
    heading, *states = [line.split("\t") for line in (directory / "projector" / "states.tsv").read_text().splitlines()]
    assert heading == ["state", "lap", "step"]
    assert len(codes) == len(states) == 2000
    assert {state for state, _, _ in states} == {"wide", "thin"}
    sheet = imread(directory / "projector" / "dots.png")
    across = math.isqrt(len(codes) - 1) + 1
    assert sheet.shape == (16 * across, 16 * across, 4)
    named = sorted({state[0] for state in states})
    colours = {name: set() for name in named}
    for n, state in enumerate(states):
        y, x = divmod(n, across)
        colours[state[0]].add(tuple(sheet[16 * y + 8, 16 * x + 8]))
    assert len(named) == 2
    assert [len(found) for found in colours.values()] == [1, 1]
    assert len(set.union(*colours.values())) == 2
    assert "projector/codes.tsv" in (directory / "projector_config.pbtxt").read_text()


def browse(root, tab, picture):
    """What TensorBoard's tab shows, its lines; a picture of it is taken."""
    command = [sys.executable, "tools/screenshot.py", str(root), str(picture), "--tab", tab]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert picture.stat().st_size > 20_000
    return [line.split("\t") for line in done.stdout.splitlines()]


@pytest.mark.skipif(shutil.which("chromium") is None, reason="needs Chromium (Debian: chromium)")
def test_the_table_of_hyperparameters_in_a_browser(runs, tmp_path):
    """Every run is a row; what was asked and the scores are columns."""
    root, scores = runs
    rows = browse(root, "hparams", tmp_path / "hparams.png")
    headings = {cell.replace("\n", "") for row in rows for cell in row}
    assert {"asked.recurrence", "asked.seed"} <= headings
    assert set(SCALARS) & headings
    for (recurrence, seed), found in scores.items():
        [row] = [row for row in rows if row[0] == f"{recurrence}-{seed}"]
        assert recurrence in row
        assert any(_close(cell, found["elbo_nats_per_step"]) for cell in row)


@pytest.mark.skipif(shutil.which("chromium") is None, reason="needs Chromium (Debian: chromium)")
@pytest.mark.parametrize(
    ("tab", "expected"),
    [
        ("images", {"laps", "latent", "samples", "traces", "transitions", "true_and_generated", "image of"}),
        ("custom_scalars", {"val", "train", "weight of the KL", "implied_beta", "Matches (9)"}),  # three curves a run
        ("projector", {"Points:", "2000", "Total variance described"}),
    ],
)
def test_figures_charts_and_codes_in_a_browser(runs, tmp_path, tab, expected):
    cells = [cell for row in browse(runs[0], tab, tmp_path / f"{tab}.png") for cell in row]
    assert {text for text in expected if any(text in cell for cell in cells)} == expected


def _close(cell: str, value: float) -> bool:
    try:
        return abs(float(cell) - value) <= 1e-3 * abs(value)
    except ValueError:
        return False


def test_a_row_of_hparams_begins_with_what_was_asked():
    settings = {"seed": 3, "allow": ["vrnn"], "condition": {"_target_": "vrnn.X", "_partial_": True}}
    row = hparams_row(["seed=3", "sweep=mine", "callbacks=[ema]"], settings)
    asked = {"asked": "callbacks=[ema] seed=3", "asked.seed": 3, "asked.callbacks": "['ema']"}
    assert row == asked | {"seed": 3, "condition._target_": "vrnn.X"}
