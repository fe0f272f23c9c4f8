"""The page of a run and of many: whole, and harmless whatever the run's directory holds."""

import base64
import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import yaml
from matplotlib.figure import Figure
from PIL import Image, PngImagePlugin

from tests.runs.test_compare import make_run
from vrnn import plots
from vrnn.errors import DamagedError
from vrnn.runs import html_report
from vrnn.runs.html_page import LARGEST_SVG, embed_figure

EVIL = "\"'><script>alert(1)</script><img src=x onerror=alert(2)>$\\foo$ {{ 7 * 7 }} \u202e"
ALLOWED = {
    *(
        "html",
        "head",
        "meta",
        "title",
        "style",
        "script",
        "body",
        "main",
        "header",
        "footer",
        "section",
        "h1",
        "h2",
        "h3",
    ),
    *("p", "dl", "div", "dt", "dd", "ul", "li", "pre", "table", "thead", "tbody", "tr", "th", "td", "wbr"),
    *("details", "summary", "figure", "img", "figcaption"),
}


class Page(HTMLParser):
    """What a browser would find: elements with their attributes, and text."""

    def __init__(self, text: str):
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_data(self, data):
        self.text += data

    def images(self) -> list[bytes]:
        return [base64.b64decode(given["src"].partition(",")[2]) for tag, given in self.elements if tag == "img"]


def stranger(root: Path, seed: int = 0) -> Path:
    """A finished run in which every text is an attack."""
    run = make_run(root, {"seed": seed}, 1.5)
    tree = yaml.safe_load((run / "config.yaml").read_text())
    own = {"_target_": EVIL, EVIL: EVIL, "swept": f"{EVIL} {seed}", "control": "\x07\x1b[2J"}
    (run / "config.yaml").write_text(yaml.safe_dump(tree | {"dataset": own}))
    scores = {"elbo_nats_per_step": 1.5, EVIL: EVIL, "warnings": [EVIL, {"a": EVIL}]}
    (run / "scores.json").write_text(json.dumps(scores))
    session = {"command": EVIL, "started": EVIL, "machine": {EVIL: EVIL}}
    (run / "provenance.json").write_text(json.dumps({"sessions": [EVIL, session, session]}))
    (run / "scalars.csv").write_text(
        "step,name,value\n1,val/elbo,1.0\n2,val/elbo,nan\n3,val/elbo,inf\n4,val/elbo,2.0\n"
    )
    (run / "figures").mkdir()
    notes = PngImagePlugin.PngInfo()
    notes.add_text("Comment", "<script>secret</script>")
    Image.new("RGBA", (3, 2), (9, 99, 199, 255)).save(
        run / "figures" / "<b>bold.png", pnginfo=notes, icc_profile=b"secret"
    )
    (run / "figures" / "no.png").write_bytes(b"<svg onload='alert(3)'/>")
    (run / "figures" / "own.svg").write_text("<svg onload='alert(4)'/>")
    return run


def check_harmless(text: str) -> Page:
    """Check that a page holds only what our templates write, and loads nothing."""
    page = Page(text)
    assert {tag for tag, _ in page.elements} <= ALLOWED
    assert sum(tag == "script" for tag, _ in page.elements) == 1
    given = [(name, value) for _, attributes in page.elements for name, value in attributes.items()]
    assert not [name for name, _ in given if name.startswith("on") or name in ("style", "href", "srcset", "action")]
    assert all(re.match("data:image/(png|svg\\+xml);base64,", value) for name, value in given if name == "src")
    assert "\u202e" not in text
    assert "\x1b" not in text
    policy = next(value for name, value in given if name == "content" and value.startswith("default-src"))
    assert policy.startswith("default-src 'none'; base-uri 'none'; form-action 'none'; img-src data:; ")
    assert "unsafe" not in policy
    for image in page.images():
        if not image.startswith(b"\x89PNG"):
            drawn = {element.tag.rpartition("}")[2] for element in ElementTree.fromstring(image).iter()}
            assert not drawn & {"script", "image", "foreignObject", "a"}
    return page


def test_a_strangers_run_stays_text(tmp_path):
    page = check_harmless(html_report.run_page(stranger(tmp_path)))
    assert page.text.count("<script>alert(1)</script>") >= 7
    assert "{{ 7 * 7 }}" in page.text
    assert "figures/no.png is damaged, and the page is without it: it is no PNG" in page.text
    assert str(tmp_path) not in page.text
    stored = next(image for image in page.images() if image.startswith(b"\x89PNG"))
    assert b"secret" not in stored
    assert Image.open(io.BytesIO(stored)).getpixel((0, 0)) == (9, 99, 199)


def test_strangers_runs_side_by_side_stay_text(tmp_path):
    for seed in range(2):
        stranger(tmp_path, seed)
    (make_run(tmp_path, {"seed": 9}) / "failed").write_text(EVIL)
    page = check_harmless(html_report.runs_page(tmp_path, "elbo_nats_per_step", 4))
    assert len(page.images()) == 3
    assert f"{EVIL[:30]}" in page.text


@pytest.mark.parametrize("name", ["config.yaml", "scores.json", "provenance.json", "figures", "figures/a.png"])
def test_links_bring_nothing_of_the_readers_in(tmp_path, name):
    run = make_run(tmp_path, {"seed": 0}, 1.5)
    (tmp_path / "private").write_text("{}")
    (run / name).unlink(missing_ok=True)
    (run / name).parent.mkdir(exist_ok=True)
    (run / name).symlink_to(tmp_path / "private")
    for page in (lambda: html_report.run_page(run), lambda: html_report.runs_page(tmp_path, "elbo_nats_per_step", 4)):
        with pytest.raises(DamagedError, match="must be the run's own, but is a symbolic link"):
            page()


@pytest.mark.parametrize("scores", ['{"elbo_nats_per_step": "high"}', '{"generated": 3}', "[" * 60 + "]" * 60])
def test_damaged_scores_are_named(tmp_path, scores):
    run = make_run(tmp_path, {"seed": 0}, 1.5)
    (run / "scores.json").write_text(scores)
    assert "scores.json is damaged" in check_harmless(html_report.run_page(run)).text


def test_an_interrupted_run_has_a_page(tmp_path):
    page = check_harmless(html_report.run_page(make_run(tmp_path, {"seed": 0}, curve=(1.0, 2.0))))
    assert "interrupted" in page.text
    assert len(page.images()) == 1  # its curve


def test_a_figure_is_vectors_unless_these_are_large():
    figure = Figure()
    figure.subplots().plot([1, 2])
    assert embed_figure(figure, "").source.startswith("data:image/svg+xml;")
    crowd = Figure()
    crowd.subplots().scatter(*np.random.default_rng(0).random((2, LARGEST_SVG // 200)), s=np.arange(LARGEST_SVG // 200))
    assert embed_figure(crowd, "").source.startswith("data:image/png;")


def test_names_in_figures_are_no_formulas():
    steps, values = np.arange(2), np.ones((1, 2))
    figure = plots.plot_curves({"a$\\wrong$\x00": (steps, values)}, "score")
    embed_figure(figure, "")
    assert figure.axes[0].get_legend().get_texts()[0].get_text() == "a\\$\\wrong\\$\\x00"
