"""How Sphinx builds the site of these pages: `make docs`."""

import re
from pathlib import Path
from typing import Any

import jupytext

DOCS = Path(__file__).parent
ROOT = DOCS.parent

project = "VRNN Lab"
author = "The VRNN Lab authors"
copyright = "2026, the VRNN Lab authors"  # noqa: A001

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
autoapi_options = ["members", "show-inheritance", "show-module-summary"]
autoapi_add_toctree_entry = False
autoapi_python_class_content = "both"
suppress_warnings = ["autoapi.python_import_resolution"]  # constants without a docstring have no entry


def link_to_reference(app: Any, page: str, source: list[str]) -> None:
    """Turn links to our source files, which GitHub shows, into links to their pages in the reference."""
    source[0] = re.sub(r"\]\(\.\./src/vrnn/(?!engine/native)([\w/]+)\.py\)", r"](/api/vrnn/\1/index.rst)", source[0])
    source[0] = source[0].replace("](../examples/by_hand.py)", "](/notebooks/by_hand.ipynb)")


def setup(app: Any) -> None:
    """Connect to Sphinx."""
    app.connect("source-read", link_to_reference)
