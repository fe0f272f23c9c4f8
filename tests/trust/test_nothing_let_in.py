"""A stranger's run directory or experiment file executes nothing and writes nowhere."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from hydra import compose, initialize_config_dir

from tests.conftest import ROOT
from vrnn.errors import ConfigError, DamagedError
from vrnn.files import write_text_atomically
from vrnn.runs.config_files import check_command_line
from vrnn.runs.directory import failure, read_settings, state
from vrnn.runs.instantiate import instantiate
from vrnn.runs.run import run
from vrnn.runs.schema import register
from vrnn.runs.stored import stored_settings
from vrnn.runs.trained import evaluate_run
from vrnn.text import csv_cell, printable

FINISHED = ROOT / "tests" / "fixtures" / "runs" / "finished"
# What a call in a file of settings may be: code, a pickle, a copy, a file that is opened for writing.
CALLS = {
    "sympify": "{_target_: sympy.sympify, a: \"__import__('pathlib').Path('MARKER').touch()\"}",
    "joblib": "{_target_: joblib.load, filename: PICKLE}",
    "torch": "{_target_: torch.load, f: PICKLE, weights_only: false}",
    "numpy": "{_target_: numpy.load, file: PICKLE, allow_pickle: true}",
    "unittest": "{_target_: unittest.TestProgram, module: stranger, argv: [x]}",
    "copyfile": "{_target_: shutil.copyfile, src: PICKLE, dst: MARKER}",
    "urlretrieve": "{_target_: urllib.request.urlretrieve, url: 'file://PICKLE', filename: MARKER}",
    "handler": "{_target_: logging.FileHandler, filename: MARKER}",
    "eval": "{_target_: builtins.eval, _args_: [\"open('MARKER', 'w')\"]}",
    "alias": "{_target_: vrnn.files.write_text_atomically, path: MARKER, text: x}",
    "writer": "{_target_: torch.utils.tensorboard.SummaryWriter, log_dir: MARKER}",
    "own": "{_target_: vrnn.runs.sweep.SweepStatus, directories: []}",
}


@pytest.fixture
def marker(tmp_path, monkeypatch):
    """A file that is there if anything was executed; a pickle, and a module, that make it."""
    path = tmp_path / "marker"
    touch = f"open({str(path)!r}, 'w').close()"
    (tmp_path / "pickle").write_bytes(b"cbuiltins\nexec\n(S" + repr(touch).encode() + b"\ntR.")
    (tmp_path / "stranger.py").write_text(touch)
    monkeypatch.syspath_prepend(tmp_path)
    return path


@pytest.fixture
def received(tmp_path):
    """A run's directory as a stranger sends it."""
    return Path(shutil.copytree(FINISHED, tmp_path / "received"))


def call(name: str, marker: Path) -> str:
    return CALLS[name].replace("MARKER", str(marker)).replace("PICKLE", str(marker.parent / "pickle"))


def edit(directory: Path, old: str, new: str) -> None:
    path = directory / "config.yaml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def compose_from(folder: Path, experiment: str):
    """Compose a run from a stranger's folder of experiments, as --config-dir does."""
    (folder / "experiment").mkdir(parents=True, exist_ok=True)
    (folder / "experiment" / "theirs.yaml").write_text("# @package _global_\n" + experiment)
    register()
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        return compose("train", overrides=["experiment=theirs", f"hydra.searchpath=[file://{folder}]"])


@pytest.mark.parametrize("form", ["${oc.create:%s}", "%s"])
@pytest.mark.parametrize("name", CALLS)
def test_a_stored_config_executes_nothing(received, marker, name, form):
    value = form % call(name, marker)
    edit(received, "free_nats: 0.02", f"free_nats: {yaml.safe_dump(value) if '$' in value else value}")
    with pytest.raises((ConfigError, DamagedError), match=r"interpolation|may name a class of vrnn"):
        evaluate_run(received)
    assert not marker.exists()


@pytest.mark.parametrize("form", ["'\\${oc.create:%s}'", "'${oc.create:%s}'", "%s"])
@pytest.mark.parametrize("name", CALLS)
def test_an_experiment_file_executes_nothing(tmp_path, marker, name, form):
    value = form % (call(name, marker).replace("'", "''") if "'" in form else call(name, marker))
    config = compose_from(tmp_path / "conf", f"w_schedule: {{free_nats: {value}}}\n")
    with pytest.raises(ConfigError, match=r"interpolation|may name a class of vrnn"):
        run(config, tmp_path / "run", progress_bar=False)
    assert not marker.exists()


@pytest.mark.parametrize("node", [{"_args_": [3]}, {"_recursive_": False}, {"_convert_": "all"}, {"_partial_": "yes"}])
def test_no_other_special_key_of_hydra_is_taken(node):
    with pytest.raises(ConfigError, match=next(iter(node))):
        instantiate({"_target_": "vrnn.patterns.Circle", **node}, ["vrnn"])


@pytest.mark.parametrize(
    ("node", "message"),
    [
        (
            {"_target_": "vrnn.objective.LinearW", "strat": 0.5},
            "unexpected keyword argument 'strat'; the nearest is start",
        ),
        ({"_target_": "vrnn.objective.LinerW"}, "which does not exist: vrnn.objective has LinearW"),
        ({"_target_": "vrnn.patterns.AutomatonPattern"}, "arguments automaton, pen must be given"),
        ({"_target_": ["vrnn"]}, r"but names \['vrnn'\]"),
        ({"_target_": "vrnn.networks.GRU.__class__"}, r"__class__ is <class 'type'>"),
        ({"_target_": "vrnn.networks.torch.nn.Linear"}, r"does not exist|torch.nn.Linear is <class"),
        (
            {"_target_": "my_lab.Heart"},
            r"if you trust the package my_lab, repeat the command with allow=\[vrnn,my_lab\]",
        ),
    ],
)
def test_what_cannot_be_built_is_named(node, message):
    with pytest.raises(ConfigError, match=message):
        instantiate(node, ["vrnn"])


def test_stored_packages_are_not_allowed(received, marker):
    edit(received, "- vrnn\n", "- vrnn\n- unittest\n")
    edit(received, "free_nats: 0.02", f"free_nats: {call('unittest', marker)}")
    assert "allow" not in read_settings(received)
    with pytest.raises(ConfigError, match="may name a class of vrnn "):
        evaluate_run(received)
    assert not marker.exists()


def test_packages_of_ones_own_count_from_the_command_line(received):
    edit(received, "_target_: vrnn.objective.ELBO", "_target_: tests.trust.lab.MyBound")
    with pytest.raises(ConfigError, match=r"trust the package tests, repeat the command with allow=\[vrnn,tests\]"):
        evaluate_run(received)
    assert evaluate_run(received, allow=["vrnn", "tests"])["elbo_nats_per_step"]


def test_a_file_cannot_allow_packages(tmp_path):
    config = compose_from(tmp_path / "conf", "allow: [vrnn, unittest]\n")
    with pytest.raises(
        ConfigError, match=r"allow must be given on the command line, but a file sets it to \['vrnn', 'u"
    ):
        run(config, tmp_path / "run", progress_bar=False)


def test_the_environment_is_not_read(received, monkeypatch):
    monkeypatch.setenv("SECRET", "key")
    edit(received, "activation: relu", "activation: ${oc.env:SECRET}")
    with pytest.raises(DamagedError, match=r"model.activation must be a value, but is the interpolation"):
        stored_settings(received)


def test_hydra_s_own_settings_come_from_no_stranger(tmp_path, marker):
    """Hydra makes callbacks, launchers and log handlers before a command begins."""
    folder = tmp_path / "conf" / "experiment"
    folder.mkdir(parents=True)
    attacks = [
        f"hydra: {{callbacks: {{x: {call('handler', marker)}}}}}",
        f"hydra: {{job_logging: {{handlers: {{x: {{class: logging.FileHandler, filename: {marker}}}}}, root: "
        "{handlers: [x]}}}",
    ]
    for text in attacks:
        (folder / "theirs.yaml").write_text(f"# @package _global_\n{text}\n")
        command = [sys.executable, "scripts/train.py", "--config-dir", str(tmp_path / "conf"), "experiment=theirs"]
        command += [f"hydra.run.dir={tmp_path / 'run'}", "training.steps=1"]
        ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
        assert ended.returncode == 1
        assert "theirs.yaml must not change Hydra's own settings, but has a key `hydra`" in ended.stderr
        assert "Traceback" not in ended.stderr
        assert not marker.exists()
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("hydra/callbacks/x.yaml", "{}"),
        ("experiment/x.yaml", "# @package hydra.callbacks.x\n{}"),
        ("experiment/hydra.yaml", "# @package _name_\n{}"),
        ("experiment/x.yaml", "defaults: [{/model@hydra.callbacks.x: tiny}]"),
        ("experiment/x.yaml", "defaults: [{override /hydra/job_logging: theirs}]"),
        ("theirs.yaml", "hydra: {searchpath: [file:///tmp]}"),
        ("experiment/x.yaml", "a: &a [1, 1]\nb: [*a, *a]"),
    ],
)
def test_every_way_to_hydra_s_settings_is_refused(tmp_path, file, text):
    (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / file).write_text(text)
    for arguments in (
        ["--config-dir", str(tmp_path)],
        [f"--config-path={tmp_path}"],
        [f"hydra.searchpath=[{tmp_path}]"],
    ):
        with pytest.raises(ConfigError, match=r"must not change Hydra's own settings|holds an alias"):
            check_command_line(arguments)


def test_a_file_may_choose_a_launcher(tmp_path):
    (tmp_path / "x.yaml").write_text("defaults: [{override /hydra/launcher: cores}]\nseed: 1\n")
    check_command_line(["--config-dir", str(tmp_path)])


@pytest.mark.parametrize("name", ["scores.json", "scores.json.part", "figures/samples.png", "figures/laps.png"])
def test_nothing_is_written_through_a_link(received, tmp_path, name):
    target = tmp_path / "precious"
    target.write_text("precious")
    (received / name).parent.mkdir(exist_ok=True)
    (received / name).unlink(missing_ok=True)
    (received / name).symlink_to(target)
    evaluate_run(received)
    assert target.read_text() == "precious"


def test_no_folder_is_a_link(received, tmp_path):
    (tmp_path / "precious").mkdir()
    (received / "figures").symlink_to(tmp_path / "precious")
    with pytest.raises(OSError, match="figures must be a directory, but is a symbolic link"):
        evaluate_run(received)
    assert not list((tmp_path / "precious").iterdir())


def test_a_write_replaces_a_link_and_leaves_no_part(tmp_path):
    (tmp_path / "precious").write_text("precious")
    (tmp_path / "config.yaml").symlink_to(tmp_path / "precious")
    write_text_atomically(tmp_path / "config.yaml", "new")
    assert (tmp_path / "precious").read_text() == "precious"
    assert (tmp_path / "config.yaml").read_text() == "new"
    with pytest.raises(ZeroDivisionError):
        write_text_atomically(tmp_path / "other", 1 / 0)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["config.yaml", "precious"]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b]0;title\x07", r"\x1b]0;title\x07"),
        ("\x1b[2J", r"\x1b[2J"),
        ("\x9b31m", r"\x9b31m"),
        ("a\u202eb", r"a\u202eb"),
        ("a\rb", r"a\rb"),
        ("two\nlines\tand ü →", "two\nlines\tand ü →"),
    ],
)
def test_no_text_commands_the_terminal(tmp_path, text, shown):
    assert printable(text) == shown
    (tmp_path / "failed").write_bytes(text.encode() + b"\n\nTraceback (most recent call last)")
    assert failure(tmp_path) == shown


@pytest.mark.parametrize("cell", ["=cmd|' /C calc'!A0", "+1+1", "-2+3", "@SUM(A1)", "\t=1"])
def test_no_cell_is_a_formula(cell):
    assert csv_cell(cell) == "'" + cell
    assert csv_cell(-1.5) == -1.5
    assert csv_cell("eye") == "eye"


@pytest.mark.parametrize("name", ["config.yaml", ".lock", "failed", "scores.json"])
def test_a_pipe_holds_nobody_up(received, name):
    """Without the check each of these waits for ever."""
    (received / name).unlink(missing_ok=True)
    os.mkfifo(received / name)
    assert state(received) == "finished"
    assert failure(received) is None or "regular file" in failure(received)
    if name == "config.yaml":
        with pytest.raises(DamagedError, match="must be a regular file"):
            stored_settings(received)
