"""What the README tells people to type works."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from hydra import compose, initialize_config_dir

from tests.conftest import ROOT, SMALL
from vrnn.runs.build import build_run
from vrnn.runs.config import check, register

README = (ROOT / "README.md").read_text()
SWEEPS = (ROOT / "docs" / "sweeps.md").read_text()
MAKEFILE = (ROOT / "Makefile").read_text()


def blocks(language: str, page: str = README) -> list[str]:
    fenced = re.findall(r"^```(\w*)\n(.*?)^```$", page, flags=re.DOTALL | re.MULTILINE)
    return [text for name, text in fenced if name == language]


def commands(page: str) -> list[list[str]]:
    lines = [line.split("#")[0].strip() for block in blocks("", page) for line in block.splitlines()]
    return [shlex.split(line) for line in lines if re.match(r"(PYTHONPATH=\S+ )?python scripts/", line)]


def composed(script: str, overrides: list[str]):
    register()
    single = [re.sub(r"^([\w./]+)=([^\[{]*?),.*$", r"\1=\2", part) for part in overrides if part != "-m"]
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        return compose(script, overrides=single)


@pytest.mark.parametrize("words", [*commands(README), *commands(SWEEPS)], ids=" ".join)
def test_commands(words):
    script, overrides = (
        re.fullmatch(r"scripts/(\w+)\.py", words[words.index("python") + 1])[1],
        words[words.index("python") + 2 :],
    )
    if (ROOT / "conf" / f"{script}.yaml").exists() and "--config-dir" not in overrides:
        config = composed(script, overrides)
        if script == "train" and not any("dataset=traces" in part for part in overrides):
            build_run(check(config))
    else:
        assert (ROOT / "scripts" / f"{script}.py").exists()


@pytest.mark.sweeps
def test_the_section_on_sweeps_runs_as_it_stands(tmp_path):
    """Each line is run, in order, at the smallest size: real processes that leave real runs."""
    (section,) = re.findall(r"## Sweeps\n\n```\n(.*?)```", README, flags=re.DOTALL)
    pace = "training={steps: 20, log_every: 5, val_every: 10, checkpoint_every: 10, figure_every: 20}"
    small = {"train": [*SMALL, pace], "search": ["trials=2", f"base={['experiment=quick', *SMALL, pace]}"]}
    for line in section.splitlines():
        words = shlex.split(line.replace("torchrun", "python -m torch.distributed.run"))
        (script,) = (word for word in words if word.startswith("scripts/"))
        if "screenshot" in script and shutil.which("chromium") is None:
            continue
        command = [sys.executable, *words[1:], *small.get(Path(script).stem, [])]
        command[command.index(script)] = str(ROOT / script)
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
    assert len(list(tmp_path.glob("outputs/mine/*/done"))) == 6
    assert len(list(tmp_path.glob("outputs/quick/*/done"))) == 1
    assert (tmp_path / "outputs/mine/compare.md").exists()


@pytest.mark.parametrize("target", sorted(set(re.findall(r"make ([a-z]+)", README)) - {"it"}))
def test_make_targets(target):
    assert re.search(rf"^{target}:", MAKEFILE, flags=re.MULTILINE)


def test_links():
    for target in re.findall(r"\]\((?!http)([^)#]+)", README):
        assert (ROOT / target).exists(), target


def test_the_notebook_s_lines():
    (notebook,) = (block for block in blocks("python") if "vrnn.infer" in block)
    names: dict = {}
    exec(notebook, names)
    assert names["drawn"].shape == (500, 4, 2)
    assert names["run"].z.shape == (100, 16, 8)


def test_parts_of_one_s_own(tmp_path):
    """The README's classes, YAML files and command, in a directory that knows nothing of this repository."""
    files = {
        re.match(r"# (lab/\S+)\n", block)[1]: block for block in blocks("python") + blocks("yaml") if "# lab/" in block
    }
    assert {Path(name).parent.name for name in files} == {"lab", "recurrence", "w_schedule", "dataset"}
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    (line,) = (line for block in blocks("") for line in block.splitlines() if "--config-dir" in line)
    path, _, script, *words = shlex.split(line)
    pace = "training={steps: 4, log_every: 2, val_every: 4, checkpoint_every: 2, figure_every: 4}"
    command = [sys.executable, str(ROOT / script), *words, *SMALL, pace, "w_schedule.steps=3", "sweep=own"]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([path.split("=")[1], str(ROOT / "src")])}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (run,) = tmp_path.glob("outputs/own/*")
    weights = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
    assert weights["w_schedule.n"] == 4
    assert weights["vrnn.recurrence.cell.weight_hh"].shape == (16, 16)
    scores = json.loads((run / "scores.json").read_text())
    assert scores["truth"]["pattern_fractions"] == {"heart": 1.0}
    assert scores["judge"]["invalid_fraction"] < 0.1
