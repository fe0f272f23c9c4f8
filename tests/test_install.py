"""The wheel, installed into a fresh environment and used from another directory; the names of the package."""

import importlib.metadata
import os
import re
import runpy
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import pytest

import vrnn
from tests.conftest import ROOT, SMALL

PACE = "training={steps: 4, log_every: 2, val_every: 4, checkpoint_every: 2, figure_every: 4}"
SHORT = [*SMALL, PACE, "engine=reference", "w_schedule.steps=3"]
YAMLS = {str(path.relative_to(ROOT / "conf")) for path in (ROOT / "conf").rglob("*.yaml")}


def run(*command: str | Path, cwd: Path) -> str:
    """Run a command without this repository on its path, and return what it prints."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(
        list(map(str, command)), cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def sources(tmp_path_factory) -> Path:
    """A copy, in which the build may leave what it likes."""
    copy = tmp_path_factory.mktemp("sources")
    skip = shutil.ignore_patterns("__pycache__", "*.egg-info")
    for name in ("conf", "src"):
        shutil.copytree(ROOT / name, copy / name, ignore=skip)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    return copy


@pytest.fixture(scope="module")
def wheel(sources, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    run(*pip, "--wheel-dir", out, sources, cwd=out)
    (built,) = out.glob("vrnn_lab-*.whl")
    return built


@pytest.fixture(scope="module")
def environment(wheel, tmp_path_factory) -> Path:
    """The bin directory of a new environment that has the wheel; its other packages are those of this one."""
    root = tmp_path_factory.mktemp("environment")
    run(sys.executable, "-m", "venv", "--without-pip", root, cwd=root)
    python = root / "bin" / "python"
    site_packages = Path(run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=root).strip())
    (site_packages / "others.pth").write_text(sysconfig.get_path("purelib") + "\n")
    pip = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--disable-pip-version-check"]
    run(*pip, "--no-deps", "--no-index", "--ignore-installed", wheel, cwd=root)
    return root / "bin"


def test_the_wheel_holds_every_yaml_page_and_map(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.removeprefix("vrnn/conf/") for name in names if name.startswith("vrnn/conf/")} == YAMLS
    pages = {str(path.relative_to(ROOT / "src")) for path in (ROOT / "src/vrnn").glob("*/pages/*")}
    assert {"vrnn/py.typed", "vrnn/engine/README.md"} | pages <= {*names}
    modules = {str(path.relative_to(ROOT / "src")) for path in (ROOT / "src").rglob("*.py")}
    assert {name for name in names if name.endswith(".py")} == modules


def test_the_source_distribution_holds_every_yaml(sources, tmp_path):
    build = f"from setuptools.build_meta import build_sdist; build_sdist({str(tmp_path)!r})"
    run(sys.executable, "-c", build, cwd=sources)
    (archive,) = tmp_path.glob("vrnn_lab-*.tar.gz")
    with tarfile.open(archive) as opened:
        names = [name.partition("/")[2] for name in opened.getnames()]
    assert {f"conf/{name}" for name in YAMLS} | {"src/vrnn/engine/README.md"} <= {*names}


def test_the_metadata_of_the_wheel(wheel):
    (name,) = (name for name in zipfile.ZipFile(wheel).namelist() if name.endswith("METADATA"))
    text = zipfile.ZipFile(wheel).read(name).decode()
    assert re.search(r"^Author: VRNN Lab developers$", text, re.M)
    assert "https://github.com/vrnn-lab/vrnn-lab" in text
    for extra in ("digits", "sweeps", "ray", "dev"):
        assert f"Provides-Extra: {extra}\n" in text
    for package in ("hydra-joblib-launcher", "hydra-submitit-launcher", "optuna"):
        assert re.search(rf"^Requires-Dist: {package}.*extra == .sweeps.", text, re.M)


def test_trains_and_generates_from_another_directory(environment, tmp_path):
    assert re.fullmatch(r"vrnn \d+\.\d+\.\d+\n", run(environment / "vrnn", "--version", cwd=tmp_path))
    run(environment / "vrnn", "train", "experiment=quick", *SHORT, cwd=tmp_path)
    (directory,) = (tmp_path / "outputs" / "quick").iterdir()
    assert (directory / "done").exists()
    run(environment / "vrnn", "generate", f"run={directory.relative_to(tmp_path)}", "n=1", "steps=9", cwd=tmp_path)
    assert (directory / "generated.png").stat().st_size > 1000
    where = run(environment / "python", "-c", "import vrnn; print(vrnn.__file__)", cwd=tmp_path)
    assert str(ROOT) not in where


def test_the_command_takes_group_files_of_one_s_own(environment, tmp_path):
    (tmp_path / "my" / "model").mkdir(parents=True)
    own = (ROOT / "conf/model/tiny.yaml").read_text().replace("h_dim: 16", "h_dim: 5")
    (tmp_path / "my" / "model" / "five.yaml").write_text(own)
    small = [setting for setting in SHORT if setting != "model=tiny"]
    run(environment / "vrnn", "train", "--config-dir", "my", "model=five", *small, cwd=tmp_path)
    (config,) = tmp_path.glob("outputs/eye/*/config.yaml")
    assert "h_dim: 5" in config.read_text()


def test_every_public_name_resolves():
    assert len(vrnn.__all__) == len(set(vrnn.__all__))
    assert vrnn.__version__ == importlib.metadata.version("vrnn-lab") or vrnn.__version__ == "0+unknown"
    for name in vrnn.__all__:
        assert getattr(vrnn, name).__class__ is not None
        assert name in dir(vrnn)
    with pytest.raises(AttributeError, match="Nothing"):
        _ = vrnn.Nothing


def test_importing_the_package_imports_no_torch():
    code = "import sys, vrnn; assert vrnn.__version__; print('torch' in sys.modules, 'hydra' in sys.modules)"
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        == "False False\n"
    )


def test_an_audit_says_what_it_could_not_look_up():
    """pip-audit says "No known vulnerabilities found" where it finds no package at all."""
    report = runpy.run_path(str(ROOT / "tools" / "audit.py"))["report"]
    sound = {"name": "numpy", "version": "2.4", "vulns": []}
    skipped = {"name": "torch", "skip_reason": "Dependency not found on PyPI"}
    bad = {"name": "pyyaml", "version": "5.3", "vulns": [{"id": "PYSEC-2020-96", "fix_versions": ["5.3.1"]}]}
    assert report([sound]) == ("0 known vulnerabilities in 1 packages", False)
    said, failed = report([skipped, bad])
    assert failed
    assert "pyyaml 5.3: PYSEC-2020-96, mended in 5.3.1" in said
    assert "1 known vulnerabilities in 1 packages; 1 could not be looked up (torch)" in said
