"""What the README tells people to type works."""

import re
import shlex
import sys

import pytest
from hydra import compose, initialize_config_dir

from conftest import ROOT, SMALL
from vrnn.config import check, register
from vrnn.training.assembly import assemble

README = (ROOT / "README.md").read_text()
MAKEFILE = (ROOT / "Makefile").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


def commands() -> list[list[str]]:
    lines = [line.split("#")[0].strip() for block in blocks("") for line in block.splitlines()]
    return [shlex.split(line) for line in lines if re.match(r"(PYTHONPATH=\S+ )?python scripts/", line)]


def composed(script: str, overrides: list[str]):
    register()
    single = [re.sub(r"^([\w./]+)=([^\[{]*?),.*$", r"\1=\2", part) for part in overrides if part != "-m"]
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        return compose(script, overrides=single)


@pytest.mark.parametrize("words", commands(), ids=" ".join)
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
