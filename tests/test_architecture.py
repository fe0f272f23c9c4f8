"""Rules of the source that no linter checks: classes are named by code, not by text, and old names do not come back."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT

SOURCE = ROOT / "src" / "vrnn"
LEGACY = SOURCE / "runs" / "legacy.py"  # translates old names
CONFIG = SOURCE / "runs" / "config.py"  # checks settings without torch, so that it cannot import the classes they name
TREES = {file: ast.parse(file.read_text()) for file in sorted(SOURCE.rglob("*.py"))}
CLASSES = {node.name for tree in TREES.values() for node in ast.walk(tree) if isinstance(node, ast.ClassDef)}

# Old names, as regular expressions, by what they are called now.
OLD_WORDS = {
    "is_main_process": r"\bleads\(",
    "world_size": r"\bstarted\(",
    "barrier": r"\bmeet\(",
    "process_group": r"\btogether\(",
    "shard_batch": r"\bsharing\(",
    "local_shard": r"\bown_part\b",
    "all_reduce_max": r"\bgreatest\(",
    "modules of runs and training": r"vrnn(\.\w+)*\.(again|outcome|measure|assembly|board|interruption|adam|processes)\b",
    "lock_run": r"\bholding\(",
    "bind_directory": r"\bclaim\(",
    "validate_data": r"\bintroduce\(",
    "as_config_error": r"\bchoices_that_fit\b",
    "train_worker": r"\bhelp_train\b",
    "run_particles": r"\bfollow\(",
    "ParticleResult": r"\bFollowed\b",
    "trace_ancestors": r"\blineage\b",
    "systematic_resample": r"\bsystematic\(",
    "Coordinates": r"\bFrame\b",
    "mean_offset": r"\.origin\(",
    "previous2": r"\bbefore_last\b",
    "is_start": r"\bstate\.fresh\b",
    "apply or forward": r"\bweigh\(",
    "stop_gradient_kls": r"\.sides\(",
    "scalar_weight": r"\bplain_w\b",
    "mean_kl": r"\bterms\.rate\b",
    "usage_penalty": r"\.unused\(",
    "sample_bernoulli": r"\btoss\b",
    "embedding": r"\.code\(",
    "rebuild": r"\blike_tuple\b",
    "concatenate": r"\bjoined\(",
    "inspect_model": r"\bexamine\(",
    "emission_spec": r"\bmanner\b",
    "CellSpec": r"\bwiring\b",
    "generate_z": r"\bthink\(",
    "advance": r"\bact\(",
    "Pen": r"\bHand\b",
    "SequenceKind": r"\bForm\b",
    "duplicates": r"\b[Dd]oubles\b",
    "orphaned": r"\b(unborn|STILLBORN)\b",
    "package": r"\brooms?\b",
    "layout": r"\bhouses?\b",
}


def texts() -> Iterator[tuple[Path, str]]:
    """Every file of src, conf, tools, examples and docs, and the README, that people read; not the history of changes."""
    files = [ROOT / "README.md"]
    for directory, suffixes in (
        ("src", ("py", "md")),
        ("conf", ("yaml",)),
        ("tools", ("py",)),
        ("examples", ("py", "md")),
        ("docs", ("md",)),
    ):
        files += [file for suffix in suffixes for file in sorted((ROOT / directory).rglob(f"*.{suffix}"))]
    yield from ((file, file.read_text()) for file in files if file != LEGACY)


TEXTS = dict(texts())


def class_in(text: str) -> str | None:
    """The class of ours that a text names by a dotted path, or by the end of one."""
    package, _, name = text.rpartition(".")
    return name if "." in text and name in CLASSES and re.fullmatch(r"(vrnn(\.\w+)*)?", package) else None


def named_classes(tree: ast.Module) -> list[str]:
    """The classes that string constants name, but for `__all__`."""
    exported = [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and any(getattr(target, "id", "") == "__all__" for target in node.targets)
    ]
    exempt = {id(constant) for value in exported for constant in ast.walk(value)}
    constants = (node for node in ast.walk(tree) if isinstance(node, ast.Constant) and id(node) not in exempt)
    return [found for node in constants if isinstance(node.value, str) and (found := class_in(node.value))]


def test_classes_are_found():
    assert {"VRNN", "GRU", "GaussianLatent", "Interruption"} <= CLASSES
    assert named_classes(ast.parse("x = 'vrnn.networks.GRU', '.GRU'\n__all__ = ['.GRU']")) == ["GRU", "GRU"]
    assert named_classes(ast.parse("x = 'a GRU', 'other.GRU', 'vrnn.networks'")) == []


@pytest.mark.parametrize(
    "file",
    [file for file in TREES if file.name != "__init__.py" and file not in (LEGACY, CONFIG) and "cli" not in file.parts],
    ids=lambda file: str(file.relative_to(SOURCE)),
)
def test_no_string_names_a_class(file):
    assert named_classes(TREES[file]) == []


@pytest.mark.parametrize("old", OLD_WORDS.values(), ids=list(OLD_WORDS))
def test_old_words_are_gone(old):
    lines = (
        f"{file.relative_to(ROOT)}:{number}: {line}"
        for file, text in TEXTS.items()
        for number, line in enumerate(text.splitlines(), 1)
        if re.search(old, line)
    )
    assert list(lines) == []


def test_the_texts_are_all_there():
    folders = {file.relative_to(ROOT).parts[0] for file in TEXTS}
    assert folders == {"README.md", "src", "conf", "tools", "examples", "docs"}


def test_names_of_tests_are_short():
    names = re.findall(r"def (test_\w+)", "".join(file.read_text() for file in sorted((ROOT / "tests").rglob("*.py"))))
    assert len(names) > 500
    assert [name for name in names if len(name) >= 60] == []
