"""What the README tells people to type works."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir

from conftest import ROOT, SMALL
from vrnn.config import check, register
from vrnn.training.assembly import assemble

README = (ROOT / "README.md").read_text()
SWEEPS = (ROOT / "docs" / "sweeps.md").read_text()
MAKEFILE = (ROOT / "Makefile").read_text()


def blocks(language: str, page: str = README) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", page, flags=re.DOTALL)


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
    if (ROOT / "conf" / f"{script}.yaml").exists() and "recurrence=leaky" not in overrides:
        config = composed(script, overrides)
        if script == "train" and not any("dataset=traces" in part for part in overrides):
            assemble(check(config))
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


def test_a_recurrence_of_one_s_own(tmp_path, monkeypatch):
    """The README's class and YAML, from outside the package."""
    (source,) = (block for block in blocks("python") if "my_lab.py" in block)
    (yaml,) = (block for block in blocks("yaml") if "leaky.yaml" in block)
    (tmp_path / "my_lab.py").write_text(source)
    (tmp_path / "recurrence").mkdir()
    (tmp_path / "recurrence" / "leaky.yaml").write_text(yaml)
    monkeypatch.syspath_prepend(tmp_path)
    from vrnn.training.run import run

    overrides = [*SMALL, f"hydra.searchpath=[file://{tmp_path}]", "recurrence=leaky", "allow=[vrnn,my_lab]"]
    pace = "training={steps: 4, log_every: 2, val_every: 4, checkpoint_every: 2, figure_every: 4}"
    scores = run(composed("train", [*overrides, pace]), tmp_path / "run")
    assert scores["kl_nats_per_step"] > 0
    assert type(sys.modules["my_lab"].Leaky(2, 3)).__name__ == "Leaky"
