"""How Sphinx builds the site of these pages: `make docs`."""

import os
import re
from pathlib import Path
from typing import Any

import jupytext

DOCS = Path(__file__).parent
ROOT = DOCS.parent

project = "VRNN Lab"
author = "The VRNN Lab authors"
copyright = "2026, the VRNN Lab authors"

extensions = ["myst_nb", "autoapi.extension", "sphinx.ext.napoleon"]
exclude_patterns = ["_build", "conf.py"]
html_theme = "furo"
html_title = "VRNN Lab"

# --- text ---
myst_enable_extensions = ["dollarmath", "amsmath"]
myst_heading_anchors = 3

# --- the notebook: executed once, then read from a cache until it changes ---
nb_execution_mode = "cache"
nb_execution_timeout = 1200
nb_execution_raise_on_error = True
notebooks = DOCS / "notebooks"  # Sphinx reads nothing outside docs/
notebooks.mkdir(exist_ok=True)
jupytext.write(jupytext.read(ROOT / "examples" / "by_hand.py"), notebooks / "by_hand.ipynb")

# --- the reference of all classes and functions, from their docstrings ---
autoapi_dirs = [str(ROOT / "src" / "vrnn")]
autoapi_root = "api"
autoapi_ignore = ["*/engine/native/*", "*/conf/*"]
autoapi_options = ["members", "undoc-members", "show-inheritance", "show-module-summary"]
autoapi_add_toctree_entry = False
autoapi_python_class_content = "both"
napoleon_use_ivar = True  # an attribute is described once, by autoapi
suppress_warnings = [
    "autoapi.python_import_resolution",  # the kernels are left out
    "ref.python",  # a short name such as `laps` may be an attribute of several classes
]


# --- links: written for GitHub, where they lead to files; here they lead to pages ---
INCLUDED = {  # pages that are files elsewhere in the repository
    "contributing": ROOT / "CONTRIBUTING.md",
    "changelog": ROOT / "CHANGELOG.md",
    "security": ROOT / "SECURITY.md",
    "engine_map": ROOT / "src" / "vrnn" / "engine" / "README.md",
}
PAGES = {
    **{file: f"/{page}.md" for page, file in INCLUDED.items()},
    ROOT / "README.md": "/index.md",
    ROOT / "examples" / "by_hand.py": "/notebooks/by_hand.ipynb",
}
LINK = re.compile(r"(?<!!)\[([^\]]+)\]\((?!\w+:|#)([^)#\s]+)(#[^)\s]*)?\)")


def rewrite(source: str, directory: Path) -> str:
    """Return a page's text with its relative links, seen from a directory, turned into links of this site."""

    def link(found: re.Match[str]) -> str:
        text, target, anchor = found[1], (directory / found[2]).resolve(), found[3] or ""
        reference = target.relative_to(ROOT / "src").with_suffix("") if target.is_relative_to(ROOT / "src") else None
        if target in PAGES:
            return f"[{text}]({PAGES[target]}{anchor})"
        if target.suffix == ".py" and reference and "native" not in reference.parts:
            return f"[{text}](/api/{reference}/index.rst)"
        return text if target.is_dir() else f"[{text}]({os.path.relpath(target, DOCS)}{anchor})"

    return LINK.sub(link, source)


def read_source(app: Any, page: str, source: list[str]) -> None:
    """Read the included pages, and rewrite the links of all that are written by hand."""
    if page in INCLUDED:
        source[0] = rewrite(INCLUDED[page].read_text(), INCLUDED[page].parent)
    elif (DOCS / f"{page}.md").exists():
        source[0] = rewrite(source[0], DOCS)


def setup(app: Any) -> None:
    """Connect to Sphinx."""
    app.connect("source-read", read_source)
