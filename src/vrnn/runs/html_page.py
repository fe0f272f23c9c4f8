"""One HTML page that needs no other file: figures as data, our own style and script, and a policy that lets in no other."""

from __future__ import annotations

import base64
import hashlib
import io
import warnings
import zlib
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup
from matplotlib.figure import Figure
from PIL import Image, UnidentifiedImageError

from vrnn.errors import DamagedError
from vrnn.files import read_limited
from vrnn.text import printable

LARGEST_SVG = 400_000  # bytes; a figure with more lines than that is drawn as pixels
LARGEST_PNG = 20_000_000  # bytes of a stored figure
MOST_PIXELS = 25_000_000  # of a stored figure
DPI = 160


class Picture(NamedTuple):
    """A figure of a page.

    Args:
        caption: What it shows.
        source: The image as a data URI.
        width: In CSS pixels.
    """

    caption: str
    source: str
    width: int


def render(template: str, **values: Any) -> str:
    """Return a page. All values are escaped, and their control characters spelled out.

    Args:
        template: The name of a file in `vrnn/runs/pages`.
        values: What the template shows.
    """
    environment = Environment(
        loader=FunctionLoader(_page_file), autoescape=True, undefined=StrictUndefined, finalize=_shown,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    style, script = _page_file("page.css"), _page_file("page.js")
    policy = (
        "default-src 'none'; base-uri 'none'; form-action 'none'; img-src data:; "
        f"style-src '{_digest(style)}'; script-src '{_digest(script)}'"
    )
    own = {"style": Markup(style), "script": Markup(script), "policy": policy}
    return environment.get_template(template).render(**own, **values)


def embed_figure(figure: Figure, caption: str) -> Picture:
    """Return a figure as vectors, or as pixels where these take less."""
    width = round(96 * figure.get_figwidth())  # CSS has 96 pixels per inch
    image = io.BytesIO()
    figure.savefig(image, format="svg", metadata={"Date": None})
    if len(image.getvalue()) <= LARGEST_SVG:
        return Picture(caption, _data_uri("svg+xml", image.getvalue()), width)
    image = io.BytesIO()
    figure.savefig(image, format="png", dpi=DPI)
    return Picture(caption, _data_uri("png", image.getvalue()), width)


def embed_png(path: Path, caption: str) -> Picture:
    """Return the pixels of a PNG, encoded again: nothing else that the file may hold comes with them.

    Raises:
        DamagedError: The file is too large or no PNG.
    """
    try:
        content = io.BytesIO(read_limited(path, LARGEST_PNG))
        with warnings.catch_warnings(action="error"), Image.open(content, formats=["PNG"]) as image:
            if image.width * image.height > MOST_PIXELS:
                raise ValueError(f"it has {image.width} x {image.height} pixels, more than {MOST_PIXELS}")
            colours = image.convert("RGB")
    except (OSError, ValueError, SyntaxError, Warning, zlib.error, Image.DecompressionBombError) as error:
        said = "it is no PNG" if isinstance(error, UnidentifiedImageError) else error
        raise DamagedError(f"{path} is damaged, and the page is without it: {said}. Remove it.") from error
    encoded = io.BytesIO()
    Image.frombytes("RGB", colours.size, colours.tobytes()).save(encoded, "PNG", optimize=True)
    return Picture(caption, _data_uri("png", encoded.getvalue()), colours.width)


def _page_file(name: str) -> str:
    return (files("vrnn.runs") / "pages" / name).read_text(encoding="utf-8")


def _shown(value: Any) -> Any:
    return value if isinstance(value, Markup) else printable(value)


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _data_uri(kind: str, content: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"
