"""The command `vrnn`: help on one screen, wrong input answered in one line before anything is made, tab completion."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import vrnn
from tests.conftest import ROOT
from tests.torture import wrong_inputs
from tests.torture.outcome import sample
from vrnn import verbosity
from vrnn.cli import groups, main
from vrnn.cli.completion import complete
from vrnn.cli.help import COMMANDS, command_help, general_help
from vrnn.cli.signatures import class_arguments

NO_TORCH = "import atexit, os, sys; atexit.register(lambda: 'torch' in sys.modules and os._exit(7)); "


@pytest.fixture(autouse=True)
def _nothing_stays():
    yield
    groups.user_directories.clear()
    os.environ.pop(verbosity.VARIABLE, None)


def answer(line: str, monkeypatch) -> str:
    """The error of a command line, run in this process."""
    monkeypatch.setattr(sys, "argv", ["vrnn", *line.split(" ")])
    with pytest.raises(SystemExit) as caught:
        main()
    return str(caught.value.code)


# Every third; `make torture` tries all.
@pytest.mark.parametrize("line", sample(wrong_inputs.TABLE, 0.33))
def test_wrong_input_is_answered_in_one_line(line, monkeypatch, tmp_path):
    wrong_inputs.lay_out(tmp_path)
    before = wrong_inputs.listing(tmp_path)
    monkeypatch.chdir(tmp_path)
    said = answer(line, monkeypatch)
    assert said.startswith("error: ")
    assert "\n" not in said
    assert wrong_inputs.TABLE[line] in said
    assert wrong_inputs.listing(tmp_path) == before


def vrnn_process(*words: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess:
    code = "import sys; sys.argv[0] = 'vrnn'; from vrnn.cli import main; main()"
    variables = {**os.environ, "PYTHONPATH": str(ROOT / "src"), **environment}
    command = [sys.executable, "-c", code, *words]
    return subprocess.run(command, cwd=cwd, env=variables, capture_output=True, text=True, check=False, timeout=300)


@pytest.mark.parametrize("line", ["train model.h_dim=-3", "train +epochs=3", "train sweep=..", "generate run=x n=0"])
def test_an_error_of_value_takes_no_torch_and_ends_with_1(line, tmp_path):
    ended, seconds = wrong_inputs.run_vrnn(line, tmp_path, before=NO_TORCH)
    assert ended.returncode == 1
    assert ended.stderr.startswith("error: ")
    assert len(ended.stderr.splitlines()) == 1
    assert seconds < wrong_inputs.SLOWEST
    assert list(tmp_path.iterdir()) == []


def test_a_refused_combination_leaves_no_directory(tmp_path):
    """It is found when the parts are put together: after Hydra has made the directory."""
    done = vrnn_process("train", "likelihood=bernoulli", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("prefix", ["", "+"])
def test_an_argument_that_the_yaml_does_not_list(prefix, tmp_path):
    done = vrnn_process("train", f"{prefix}dataset.pen.white_noise=0.01", "--cfg", "job", cwd=tmp_path)
    assert "white_noise: 0.01" in done.stdout, done.stderr


def test_hydra_s_own_options_reach_hydra(tmp_path):
    assert "== Flags ==" in vrnn_process("train", "--hydra-help", cwd=tmp_path).stdout
    assert "h_dim: 16" in vrnn_process("train", "--cfg", "job", "model=tiny", cwd=tmp_path).stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_help_fits_on_a_screen_and_names_every_choice(command):
    lines = command_help(command).splitlines()
    assert len(lines) <= 60
    assert max(map(len, lines)) <= 82
    words = command_help(command).replace("*", " ").split()
    for group in groups.defaults(command):
        assert {group, *groups.choices(group)} <= {*words}
    assert sum(line.strip().startswith(f"vrnn {command}") for line in lines[lines.index("examples") :]) in (5, 6)


def test_help_shows_the_defaults_of_a_composed_run(composed):
    config, page = composed(), command_help("train")
    assert f"model.h_dim={config.model.h_dim} " in page
    assert f"training.steps={config.training.steps} " in page
    assert f"optim.learning_rate={config.optim.learning_rate} " in page


def test_help_of_the_command_lists_the_commands(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["vrnn", "--help"])
    main()
    assert capsys.readouterr().out.strip() == general_help()
    assert all(f"  {command} " in general_help() for command in COMMANDS)


def test_the_version(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["vrnn", "--version"])
    main()
    assert capsys.readouterr().out == f"vrnn {vrnn.__version__}\n"


def test_a_directory_of_one_s_own_is_searched_first(tmp_path):
    own = tmp_path / "my" / "model"
    own.mkdir(parents=True)
    (own / "tiny.yaml").write_text((ROOT / "conf/model/tiny.yaml").read_text().replace("h_dim: 16", "h_dim: 17"))
    (own / "minute.yaml").write_text((ROOT / "conf/model/tiny.yaml").read_text())
    shown = vrnn_process("train", "--config-dir", "my", "model=tiny", "--cfg", "job", cwd=tmp_path)
    assert "h_dim: 17" in shown.stdout, shown.stderr
    assert " minute " in vrnn_process("train", "--config-dir", "my", "--help", cwd=tmp_path).stdout
    wrong = vrnn_process("train", "--config-dir", "my", "model=minutes", cwd=tmp_path)
    assert "did you mean minute" in wrong.stderr


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_consoles_of_other_encodings(encoding, tmp_path):
    code = (
        "from vrnn.cli.console import use_any_encoding; use_any_encoding(); from pathlib import Path;"
        "from vrnn.runs.summary import print_scores;"
        "print_scores({'elbo_nats_per_step': 1.0, 'elbo_nats_per_step_se': 0.5}, Path('x')); print('…')"
    )
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert f"1.0000 {'+-' if encoding == 'ascii' else '±'} 0.5000" in done.stdout.decode(encoding)
    assert "..." in done.stdout.decode(encoding)


def test_arguments_are_read_from_the_source_as_python_sees_them():
    import inspect

    from vrnn import networks, objective, patterns

    targets = [networks.GRU, networks.Coordinates, objective.LinearW, objective.GaussianLikelihood, patterns.Pen]
    for target in targets:
        package = target.__module__.split(".")[1]
        found = class_arguments(f"vrnn.{package}.{target.__name__}")
        assert found == list(inspect.signature(target).parameters), target


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("vrnn tr", ["train"]),
        ("vrnn train experiment=qu", ["experiment=quick"]),
        ("vrnn train recurrence=gru,ls", ["recurrence=gru,lstm"]),
        ("vrnn train rec", ["recurrence="]),
        ("vrnn train nothing=", []),
    ],
)
def test_completion(line, words, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert complete(line) == words


def test_completion_of_a_path(monkeypatch, tmp_path):
    (tmp_path / "outputs" / "mine").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert complete("vrnn compare runs=outputs/m") == ["runs=outputs/mine/"]


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
@pytest.mark.parametrize(("line", "found"), [("vrnn tra", "train"), ("vrnn train experiment=qui", "quick")])
def test_completion_in_a_real_bash(line, found, tmp_path):
    """bash splits words at `=`: what it is given replaces the part after it."""
    (tmp_path / "vrnn").write_text(f"#!{sys.executable}\nfrom vrnn.cli import main\nmain()\n")
    (tmp_path / "vrnn").chmod(0o755)
    script = (
        'eval "$(vrnn --completion bash)"; complete -p vrnn >&2; '
        f'COMP_LINE="{line}"; COMP_POINT=${{#COMP_LINE}}; COMP_WORDS=(vrnn); _vrnn; printf "%s\\n" "${{COMPREPLY[@]}}"'
    )
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(["bash", "-c", script], env=environment, capture_output=True, text=True, check=False)
    assert done.stdout.split() == [found], done.stderr
    assert "complete -F _vrnn vrnn" in done.stderr


@pytest.mark.parametrize(
    ("line", "module", "extra"),
    [
        ("train -m hydra/launcher=cores seed=0,1", "hydra_plugins.hydra_joblib_launcher", "sweeps"),
        ("train -m hydra/launcher=slurm seed=0,1", "hydra_plugins.hydra_submitit_launcher", "sweeps"),
        ("train dataset=digits", "sklearn", "digits"),
        ("search", "optuna", "sweeps"),
    ],
)
def test_a_missing_extra_is_named_with_its_command(line, module, extra, monkeypatch):
    monkeypatch.setattr("vrnn.cli.overrides.find_spec", lambda name: None if name == module else name)
    assert answer(line, monkeypatch).endswith(
        f"needs a package that is not installed: pip install 'vrnn-lab[{extra}]'."
    )
