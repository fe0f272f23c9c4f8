"""Arguments of our classes, read from their source: importing them would import torch."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import vrnn


def class_arguments(target: str) -> list[str]:
    """Return the names of a class's arguments; [] if our sources have no such class.

    Args:
        target: A `_target_`, as in vrnn.networks.GRU.
    """
    if not target.startswith("vrnn."):
        return []
    *package, name = target.removeprefix("vrnn.").split(".")
    root = Path(vrnn.__file__).parent.joinpath(*package)
    found = _class(root.with_suffix(".py") if root.with_suffix(".py").is_file() else root, name)
    if found is None:
        return []
    for statement in found.body:
        if isinstance(statement, ast.FunctionDef) and statement.name == "__init__":
            return [argument.arg for argument in (*statement.args.args, *statement.args.kwonlyargs)][1:]
    fields = [s.target.id for s in found.body if isinstance(s, ast.AnnAssign) and isinstance(s.target, ast.Name)]
    if fields and (found.decorator_list or any(ast.unparse(base) == "NamedTuple" for base in found.bases)):
        return fields
    inherited = (class_arguments(".".join(["vrnn", *package, ast.unparse(base)])) for base in found.bases)
    return next(filter(None, inherited), [])


@cache
def _class(path: Path, name: str) -> ast.ClassDef | None:
    """Return the definition of a class in a file or below a package."""
    for file in [path] if path.is_file() else sorted(path.rglob("*.py")):
        text = file.read_text(encoding="utf-8")
        if f"class {name}" in text:
            for node in ast.parse(text).body:
                if isinstance(node, ast.ClassDef) and node.name == name:
                    return node
    return None
