"""What tables print of names that look like rich's styles and pictures: all of it."""

import ast

import pytest

from tests.conftest import ROOT
from vrnn.runs.compare_report import show
from vrnn.runs.console import plain_console
from vrnn.runs.summary import print_scored, print_scores

NAMES = ["[ema]", "[/bold]", ":key:", "x.npz[s0]", "[red]x"]


@pytest.mark.parametrize("name", NAMES)
def test_names_are_printed_as_they_are(name, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "200")
    print_scored([{"name": name, "steps": 3, "nats_per_step": 1.0, "surprising": None}])
    print_scores({"warnings": [name]}, tmp_path / name.replace("/", "_"))
    show([["callbacks", "runs", "elbo"], [name, "1", "1.0"]], {name: name}, {name: name}, tmp_path, [name])
    lines = capsys.readouterr().out.splitlines()
    for end in (f"warning: {name}", f"row 1: run={name}", f"left out: {name} has the settings and the seed of {name}"):
        assert any(line.rstrip() == end for line in lines)
    assert sum(name in line for line in lines) >= 7
    assert sum(line.split()[:1] == [name] for line in lines) >= 1  # a cell


def test_the_width_of_a_table_is_that_of_its_text():
    assert plain_console(width=1000).measure("[ema]:key:").maximum == len("[ema]:key:")


def test_no_other_console_is_made():
    """Rich's own Console takes names for styles: none is made but in vrnn.runs.console."""
    calls = {}
    for path in sorted((ROOT / "src" / "vrnn").rglob("*.py")):
        nodes = ast.walk(ast.parse(path.read_text()))
        calls[path.name] = [n for n in nodes if isinstance(n, ast.Call) and getattr(n.func, "id", "") == "Console"]
    assert [name for name, found in calls.items() if found] == ["console.py"]
