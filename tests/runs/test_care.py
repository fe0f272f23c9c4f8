"""Runs listed, filtered, noted, tagged and removed, by the command itself."""

import shutil
import subprocess
import sys

import pytest
from omegaconf import OmegaConf

from tests.conftest import ROOT
from vrnn.cli.arguments import runs_words
from vrnn.errors import ConfigError
from vrnn.runs.care import care, read_notes, read_where
from vrnn.runs.collect import read_run
from vrnn.runs.directory import lock_run
from vrnn.runs.schema import RunsConfig

RUNS = ROOT / "tests" / "fixtures" / "runs"


@pytest.fixture
def outputs(tmp_path):
    for name in ("finished", "interrupted"):
        shutil.copytree(RUNS / name, tmp_path / name)
    return tmp_path


def ask(outputs, **options):
    care(OmegaConf.structured(RunsConfig(directory=str(outputs), **options)))


@pytest.mark.parametrize(
    ("where", "names"),
    [
        (None, {"finished", "interrupted"}),
        ("elbo_nats_per_step>-1e9", {"finished"}),
        ("elbo_nats_per_step > 1e9", set()),
        ("state=interrupted", {"interrupted"}),
        ("state!=interrupted and seed==0", {"finished"}),
        ("recurrence=GRU and model.h_dim<=64", {"finished", "interrupted"}),
        ("name=finished", {"finished"}),
    ],
)
def test_conditions(outputs, capsys, where, names):
    ask(outputs, where=where)
    printed = "".join(capsys.readouterr().out.split())
    assert {name for name in ("finished", "interrupted") if f"/{name}" in printed} == names
    assert f"{len(names)}run{'s' * (len(names) != 1)}," in printed


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("__import__('os')", "where must be conditions"),
        ("elbo>", "where must be"),
        ("elbow>3", "elbow is none"),
        ("state=fail", "state must be one of finished, running, failed"),
    ],
)
def test_conditions_that_cannot_be_read(outputs, where, message):
    with pytest.raises(ConfigError, match=message):
        ask(outputs, where=where)


def test_notes_and_tags(outputs):
    ask(outputs, where="state=finished", note="über", tag="good")
    ask(outputs, tag="all")
    assert read_notes(outputs / "finished") == ("über", ["all", "good"])
    ask(outputs, where="tag=good", tag="-all")
    assert read_notes(outputs / "finished") == ("über", ["good"])
    assert read_notes(outputs / "interrupted") == ("", ["all"])
    assert read_where("tag!=good")[0].holds(read_run(outputs / "interrupted"), ["all"])


def test_runs_are_removed_after_a_question(outputs, monkeypatch, capsys):
    monkeypatch.setattr("builtins.input", lambda question: "n")
    ask(outputs, remove=True)
    assert len(list(outputs.iterdir())) == 2
    with lock_run(outputs / "finished"):
        ask(outputs, remove=True, yes=True)
    assert [path.name for path in outputs.iterdir()] == ["finished"]
    assert "kept, in use" in capsys.readouterr().out


def test_words_of_the_command_become_settings():
    words = runs_words(["outputs/mine", "where=elbo_nats_per_step>6", 'note=a "b"', "remove=true", "--help"])
    assert words == [
        "directory=outputs/mine",
        'where="elbo_nats_per_step>6"',
        'note="a \\"b\\""',
        "remove=true",
        "--help",
    ]


def test_the_command_lists_what_is_left(outputs, tmp_path):
    words = [sys.executable, str(ROOT / "scripts" / "runs.py"), str(outputs), "where=state=finished and seed>=0"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "1 run," in done.stdout


def test_nobody_there_to_confirm_removes_nothing(outputs):
    words = [sys.executable, str(ROOT / "scripts" / "runs.py"), str(outputs), "remove=true"]
    done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "yes=true" in done.stderr
    assert "Traceback" not in done.stderr
    assert (outputs / "finished").is_dir()


def test_what_no_run_has_made_is_kept_when_runs_are_removed(outputs, monkeypatch, capsys):
    """Other programs, too, write a config.yaml: beside a project's, and above the runs that are in it."""
    (outputs / "config.yaml").write_text("hello: 1\n")
    (outputs / "thing").mkdir()
    (outputs / "thing" / "config.yaml").write_text("- a\n")
    (outputs / "thing" / "precious.txt").write_text("mine")
    (outputs / "other").mkdir()
    for name, text in (("config.yaml", "model: {layers: 3}"), ("scores.json", "{}"), ("done", ""), (".lock", "")):
        (outputs / "other" / name).write_text(text)
    monkeypatch.chdir(outputs / "interrupted")
    ask(outputs, remove=True, yes=True)
    assert {path.name for path in outputs.iterdir()} == {"config.yaml", "thing", "other", "interrupted"}
    assert (outputs / "thing" / "precious.txt").read_text() == "mine"
    printed = "".join(capsys.readouterr().out.split())
    assert "kept,notknowntobearun's" in printed
    assert "kept,youareinit" in printed


@pytest.mark.parametrize(
    ("where", "count"), [("data.min_steps=null", 2), ("data.min_steps=none", 2), ("data.min_steps!=null", 0)]
)
def test_a_setting_without_a_value_is_null(outputs, capsys, where, count):
    ask(outputs, where=where)
    assert f"{count}runs," in "".join(capsys.readouterr().out.split())
