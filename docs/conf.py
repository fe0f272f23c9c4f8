"""How Sphinx builds the site of these pages: `make docs`."""

import shutil
from pathlib import Path

DOCS = Path(__file__).parent
ROOT = DOCS.parent

project = "VRNN Lab"
author = "The VRNN Lab authors"
copyright = "2026, the VRNN Lab authors"  # noqa: A001

extensions = ["myst_nb", "autoapi.extension"]
exclude_patterns = ["_build", "conf.py"]
html_theme = "furo"
html_title = "VRNN Lab"

# --- text ---
myst_enable_extensions = ["dollarmath", "amsmath"]
myst_heading_anchors = 3
source_suffix = {".md": "myst-nb", ".py": "myst-nb", ".rst": "restructuredtext"}

# --- the notebook: executed once, then read from a cache until it changes ---
nb_custom_formats = {".py": ["jupytext.reads", {"fmt": "py:percent"}]}
nb_execution_mode = "cache"
nb_execution_timeout = 1200
nb_execution_raise_on_error = True
notebooks = DOCS / "notebooks"  # Sphinx reads nothing outside docs/
notebooks.mkdir(exist_ok=True)
shutil.copy(ROOT / "examples" / "by_hand.py", notebooks / "by_hand.py")

# --- the reference of all classes and functions, from their docstrings ---
autoapi_dirs = [str(ROOT / "src" / "vrnn")]
autoapi_root = "api"
autoapi_ignore = ["*/engine/native/*", "*/conf/*"]
autoapi_options = ["members", "show-inheritance", "show-module-summary"]
autoapi_add_toctree_entry = False
autoapi_python_class_content = "both"
