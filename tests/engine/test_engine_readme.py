"""The engine's README names every instruction with its operands, and only files and names that exist."""

import re
from pathlib import Path

import vrnn.engine
from vrnn.engine.native.gaps import FillProgram
from vrnn.engine.native.instructions import INSTRUCTIONS
from vrnn.engine.native.kernels import Program
from vrnn.engine.native.particles import FilterProgram

PACKAGE = Path(vrnn.engine.__file__).parent
ROOT = Path(__file__).parents[2]
TEXT = (PACKAGE / "README.md").read_text()


def test_every_instruction_has_its_operands():
    rows = dict(re.findall(r"^\| `(\w+)` \| ([\w, ]+) \|", TEXT, re.MULTILINE))
    assert {name: tuple(operands.split(", ")) for name, operands in rows.items() if name[0].isupper()} == {
        kind.__name__: kind._fields for kind in INSTRUCTIONS
    }


def test_files_exist():
    files = re.findall(r"`([\w/]+\.py)`", TEXT)
    assert len(files) > 15
    assert not [name for name in files if not (PACKAGE / name).is_file() and not (ROOT / name).is_file()]


def test_every_file_of_the_native_engine_is_named():
    files = {path.name for path in (PACKAGE / "native").glob("*.py")} - {"__init__.py"}
    assert not {name for name in files if f"native/{name}`" not in TEXT}


def test_names_exist():
    """Every `name` in code font, except commands and settings, is defined in the package or is a part of a program."""
    sources = "".join(path.read_text() for path in PACKAGE.rglob("*.py"))
    names = {name.rpartition(".")[2] for name in re.findall(r"`([A-Za-z_][\w.]*)`", TEXT) if not name.endswith(".py")}
    known = {
        "infer",
        "filter",
        "generate",
        "Function",
        "uintp",
        *Program._fields,
        *FilterProgram._fields,
        *FillProgram._fields,
    }
    undefined = {
        name for name in names - known if not re.search(rf"(def|class) {name}\b|^{name}\b.* = ", sources, re.M)
    }
    assert not undefined
