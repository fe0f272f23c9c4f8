"""What the documentation says is true: links, choices, commands, and the code of docs/extending.md."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hydra import compose, initialize_config_dir
from scipy.stats import kstest

import vrnn
from tests.conftest import ROOT, SMALL
from tests.pages import DOCS, PAGES, README, blocks, commands, links, named_blocks
from tests.rolls import write_mat
from vrnn import cli
from vrnn.runs.name import run_name
from vrnn.runs.run import run
from vrnn.runs.schema import conf_directory, register

EYE = "outputs/eye/defaults-e3b0c442"
PACE = "training={steps: 4, log_every: 2, val_every: 4, checkpoint_every: 2, figure_every: 4}"
EXTENDING = ROOT / "docs" / "extending.md"
RUNNING = ROOT / "docs" / "running.md"
MAKEFILE = (ROOT / "Makefile").read_text()

LINES = sorted({shlex.join(words) for page in PAGES if page != EXTENDING for words in commands(page)})
SINGLE = [line for line in LINES if line.startswith("vrnn train") and " -m " not in line]
OF_A_RUN = [line for line in LINES if re.match(r"vrnn (evaluate|generate|score|impute|report) run=", line)]
MANY = [words for words in commands(ROOT / "docs" / "sweeps.md") if words[0] != "make"]
SERVED = [line for line in LINES if line.startswith("vrnn draw")]  # tests/draw asks these servers
TOOLS = [line for line in LINES if line.startswith("vrnn benchmark")]


# --- text ---


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_relative_links_resolve(page):
    missing = [target for target in links(page) if not (page.parent / target).exists()]
    assert not missing


def test_every_page_is_reached_from_the_readme():
    linked = {(README.parent / target).resolve() for target in links(README)}
    of_the_site = {"index", "contributing", "changelog", "security", "engine_map"}
    assert {page for page in DOCS if page.stem not in of_the_site} <= linked


def test_groups_and_choices_are_those_of_conf():
    page = (ROOT / "docs" / "configuration.md").read_text()
    section = page.partition("## Config groups")[2].partition("\n## ")[0]
    listed = {}
    for line in re.findall(r"^\| `[^\n]*", section, re.M):
        group, choices = line.strip("| ").split(" | ", 1)
        listed[group.strip("`")] = set(re.findall(r"`(\w+)`", choices)) - {"_5"}
    conf = ROOT / "conf"
    groups = {str(file.parent.relative_to(conf)) for file in conf.glob("**/*.yaml")} - {"."}
    assert listed == {group: {file.stem for file in (conf / group).glob("*.yaml")} for group in groups}


def test_settings_are_those_of_the_schema(composed):
    page = (ROOT / "docs" / "configuration.md").read_text()
    section = page.partition("## Settings outside the groups")[2]
    rows = dict(re.findall(r"^\| `(\w+)` \| (.*) \|$", section, re.M))
    groups = {path.name for path in (ROOT / "conf").iterdir() if path.is_dir()}
    config = composed()
    assert rows.keys() == {str(key) for key in config} - groups
    for group in ("data", "optim", "training", "evaluation"):
        named = {name.split(".")[0] for name in re.findall(r"`([\w.]+)`", rows[group])} - {"last", "best"}
        assert named == set(config[group])


def test_keys_of_scores_are_documented(shop):
    page = (ROOT / "docs" / "running.md").read_text()
    scores = json.loads((shop / EYE / "scores.json").read_text())
    plain = {key.replace("_per_sequence", "_per_step") for key in scores if not key.endswith("_se")}
    assert {key for key in plain if f"`{key}`" not in page} == set()


# --- commands ---


def test_every_line_is_a_command_that_is_run():
    of_make = [line for line in LINES if line.startswith("make ")]
    installs = [line for line in LINES if line.startswith("pip install ")]
    known = {*SINGLE, *OF_A_RUN, *SERVED, *TOOLS, *of_make, *installs, *map(shlex.join, MANY)}
    assert set(LINES) == known
    assert len(SINGLE) >= 10
    assert len(OF_A_RUN) >= 5


@pytest.mark.parametrize("line", [line for line in LINES if line.startswith("make ")])
def test_make_targets_exist(line):
    dry = subprocess.run(["make", "-n", *line.split()[1:]], cwd=ROOT, capture_output=True, text=True, check=False)
    assert dry.returncode == 0, dry.stderr


def test_make_targets_in_running_text_exist():
    named = {name for page in PAGES for name in re.findall(r"`make ([a-z-]+)", page.read_text())}
    assert named
    assert {name for name in named if not re.search(rf"^{name}:", MAKEFILE, re.M)} == set()


def test_eye_has_the_directory_the_docs_name():
    assert f"outputs/{run_name(None, 'eye', 'eye', ['experiment=eye'])}" == EYE


def settings(name: str, overrides: list[str]):
    register()
    with initialize_config_dir(str(conf_directory()), version_base="1.3"):
        return compose(name, overrides=overrides)


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """A directory with what the commands of the docs expect: a run of the eye, and drawings."""
    shop = tmp_path_factory.mktemp("shop")
    t = np.linspace(0, 40 * np.pi, 800)
    drawing = np.stack([np.cos(t), np.sin(t)], axis=1)
    np.save(shop / "drawing.npy", drawing)
    np.savetxt(shop / "b.csv", drawing, delimiter=",", header="x,y", comments="")
    points = " ".join(f"{x:.3f},{y:.3f}" for x, y in 100 * drawing)
    svg = f'<svg xmlns="http://www.w3.org/2000/svg"><polyline fill="none" stroke="black" points="{points}"/></svg>'
    (shop / "a.svg").write_text(svg)
    write_mat(shop / "JSB_Chorales.mat")
    run(settings("train", ["experiment=eye", *SMALL, PACE]), shop / EYE, progress_bar=False)
    return shop


@pytest.mark.parametrize("line", SINGLE)
def test_a_run_of_each_line(line, shop, tmp_path, monkeypatch):
    monkeypatch.chdir(shop)
    overrides = shlex.split(line)[2:]
    scores = run(settings("train", [*SMALL, PACE, *overrides]), tmp_path, progress_bar=False)
    assert np.isfinite(scores["elbo_nats_per_step"])
    assert (tmp_path / "done").exists()


@pytest.mark.parametrize("line", OF_A_RUN)
def test_what_is_done_with_a_run(line, shop, monkeypatch):
    monkeypatch.chdir(shop)
    _, name, *overrides = shlex.split(line)
    before = {file: file.stat().st_mtime_ns for file in (shop / EYE).iterdir()}
    few = {
        "evaluate": ["traces=4", "steps=256"],
        "generate": ["n=2", "steps=64"],
        "impute": ["n=2", "particles=4"],
        "score": ["particles=4"],
        "report": ["traces=4"],
    }
    cli.CONFIGURED[name](settings(name, [*overrides, *few[name]]))
    after = {file: file.stat().st_mtime_ns for file in (shop / EYE).iterdir()}
    assert before != after
    if "format=pdf" in overrides:
        assert {path.suffix for path in shop.glob(f"{EYE}/figures-*-thorough/*")} == {".pdf"}


@pytest.mark.sweeps
def test_sweeps_page_runs_line_by_line(tmp_path):
    """Each line is run, in order, at the smallest size: real processes that leave real runs."""
    pace = PACE.replace("steps: 4", "steps: 20").replace("val_every: 4", "val_every: 10")
    few = {"train": [*SMALL, pace], "search": ["trials=2", f"base={['experiment=quick', *SMALL, pace]}"]}
    for words in MANY:
        line = shlex.join(words)
        if words[0] == "pip" or ("screenshot" in line and shutil.which("chromium") is None):
            continue
        run_line(line, tmp_path, few)
    assert len(list(tmp_path.glob("outputs/mine/*/done"))) == 6
    assert len(list(tmp_path.glob("outputs/quick/*/done"))) == 1
    assert (tmp_path / "outputs/mine/compare.md").exists()
    assert "sortable" in (tmp_path / "outputs/mine/compare.html").read_text()
    assert (tmp_path / "outputs/mine/report.html").exists()


@pytest.mark.sweeps
@pytest.mark.parametrize("line", [line for line in TOOLS if "--only" in line])
def test_benchmark_runs(line, tmp_path):
    run_line(line, tmp_path, {})
    assert json.loads((tmp_path / "outputs" / "benchmark.json").read_text())


def run_line(line: str, directory, few: dict[str, list[str]], environment=None) -> str:
    """Run a command of the docs as a process with the further arguments of its name, and return what it printed."""
    words = shlex.split(line)
    if words[0] == "vrnn":
        words[:2] = ["python", f"scripts/{words[1]}.py"]
    if words[0] == "torchrun":
        words[:1] = ["python", "-m", "torch.distributed.run"]
    (script,) = (word for word in words if word.endswith(".py"))
    words = [str(ROOT / word) if word == script else word for word in words[1:]]
    done = subprocess.run(
        [sys.executable, *words, *few.get(Path(script).stem, [])],
        cwd=directory,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
    return done.stdout


# --- docs/extending.md ---


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """The classes and YAML files of docs/extending.md in a directory outside the repository."""
    directory = tmp_path_factory.mktemp("own")
    for language in ("python", "yaml"):
        for name, text in named_blocks(EXTENDING, language).items():
            (directory / name).parent.mkdir(parents=True, exist_ok=True)
            (directory / name).write_text(text)
    return directory


@pytest.fixture(scope="module")
def own():
    """The names that the Python blocks of docs/extending.md define."""
    names: dict = {}
    for block in blocks(EXTENDING, "python"):
        exec(block, names)
    return names


NATIVE, REFERENCE = "the native engine", "the reference engine"
ENGINES = {  # of training and inference, of generation: the table at the end of the page
    "recurrence": (REFERENCE, REFERENCE),
    "w_schedule": (NATIVE, NATIVE),
    "dataset": (NATIVE, NATIVE),
    "likelihood": (NATIVE, REFERENCE),
    "latent": (REFERENCE, REFERENCE),
}


def test_extending_has_all_five_kinds():
    files = named_blocks(EXTENDING, "yaml")
    assert {name.split("/")[2] for name in files} == ENGINES.keys()
    assert len(commands(EXTENDING)) == len(ENGINES)


@pytest.mark.parametrize("words", commands(EXTENDING), ids=lambda words: words[-1])
def test_own_parts_train_from_outside(words, lab):
    path, *command = words
    group = words[-1].split("=")[0]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([path.split("=")[1], str(ROOT / "src")])}
    few = [*SMALL, PACE, f"sweep={group}"] + (["w_schedule.steps=3"] if group == "w_schedule" else [])
    printed = run_line(shlex.join(command), lab, {"train": few}, environment)
    (directory,) = lab.glob(f"outputs/{group}/*")
    weights = torch.load(directory / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
    scores = json.loads((directory / "scores.json").read_text())
    assert np.isfinite(scores["elbo_nats_per_step"])
    for task, engine in zip(("Inference", "Generation"), ENGINES[group], strict=True):
        assert f"{task} uses {engine}" in printed
    if group == "recurrence":
        assert weights["vrnn.recurrence.cell.weight_hh"].shape == (16, 16)
    if group == "w_schedule":
        assert weights["w_schedule.n"] == 4
    if group == "dataset":
        assert scores["truth"]["pattern_fractions"] == {"heart": 1.0}
        assert scores["judge"]["invalid_fraction"] < 0.1
    if group == "latent":
        assert weights["vrnn.encoder.head.bias"].shape == (4,)
        assert (directory / "figures" / "latent.png").exists()


def test_own_likelihood_is_a_laplace_distribution(own):
    """Against torch's. The Kolmogorov-Smirnov test of 4000 points would fail by chance once in 1000 seeds."""
    likelihood = own["LaplaceLikelihood"]()
    torch.manual_seed(0)
    dist = likelihood.from_raw(torch.randn(5, 4), torch.randn(5, 2), scale=0.1)
    x = torch.randn(5, 2)
    expected = torch.distributions.Laplace(*dist)
    torch.testing.assert_close(likelihood.log_prob(dist, x), expected.log_prob(x).sum(-1))
    torch.testing.assert_close(likelihood.moments(dist).std, expected.stddev)
    points = likelihood.sample(tuple(part[0].expand(4000, 2) for part in dist), torch.randn(4000, 2), None)
    for i in range(2):
        mean, b = (float(part[0, i]) for part in dist)
        assert kstest(points[:, i].numpy(), "laplace", args=(mean, b)).pvalue > 5e-4


def test_own_latent_is_a_bernoulli_distribution(own):
    """Against torch's. The mean of 20000 draws is off by more than 5 standard errors once in a million seeds."""
    latent = own["BinaryLatent"](bits=3)
    torch.manual_seed(0)
    q, p = (latent.from_raw(torch.randn(5, 3, requires_grad=True)) for _ in range(2))
    expected = [torch.distributions.Bernoulli(logits=dist.logits) for dist in (q, p)]
    torch.testing.assert_close(latent.kl(q, p), torch.distributions.kl_divergence(*expected))
    noise = latent.noise(20000, 5, like=q.logits)
    z = latent.sample(q, noise)
    error = (z.mean(0) - q.logits.sigmoid()).abs() / (z.detach().std(0) / 20000**0.5)
    assert error.max() < 5
    torch.testing.assert_close(latent.log_prob(q, z.detach()), expected[0].log_prob(z.detach().round()).sum(-1))
    assert torch.autograd.grad(z.sum(), q.logits)[0].abs().min() > 0


# --- other code ---


@pytest.mark.parametrize(
    "page", [page for page in PAGES if page not in (README, EXTENDING, RUNNING)], ids=lambda page: page.name
)
def test_python_blocks_run(page):
    names: dict = {}
    for block in blocks(page, "python"):
        exec(block, names)


def test_ten_lines_open_a_run_that_was_moved(shop, tmp_path):
    """As a process in another directory, after the run's directory has moved, with scores that `load_run` gives here."""
    (script,) = blocks(RUNNING, "python")
    assert len(script.splitlines()) <= 11
    moved = shop / "moved"
    (shop / EYE).rename(moved)
    try:
        words = [sys.executable, "-c", script, str(moved), str(shop / "b.csv")]
        done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        x = np.loadtxt(shop / "b.csv", delimiter=",", skiprows=1)
        expected = vrnn.load_run(moved).log_likelihood(x).per_sequence / len(x)
        assert float(done.stdout.rpartition(" ")[2]) == expected
        assert (tmp_path / "continued.png").stat().st_size > 5000
    finally:
        moved.rename(shop / EYE)
