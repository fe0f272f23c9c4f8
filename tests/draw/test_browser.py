"""The page of `vrnn draw` in a headless Chromium, drawn on with real pointer events of a pen that presses."""

import json
import math
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from tools.draw_minute import DESKTOP, PHONE, DrawPage
from tools.screenshot import Browser

from tests.conftest import ROOT
from tests.draw.pages import SHORT, Client
from vrnn.draw import recipes

FIXTURE = ROOT / "tests" / "fixtures" / "runs" / "finished"
pytestmark = pytest.mark.skipif(shutil.which("chromium") is None, reason="needs Chromium (Debian: chromium)")


def loop(x: float, turns: int = 40) -> list[tuple[float, float]]:
    angles = [2 * math.pi * i / turns for i in range(turns + 1)]
    return [(x + 0.15 * math.sin(a), 0.5 + 0.2 * math.cos(a)) for a in angles]


DATA = "(c => c.getContext('2d').getImageData(0, 0, c.width, c.height).data)(document.getElementById('%s'))"


def pixels(page: DrawPage, canvas: str) -> int:
    """How many pixels of a canvas are painted."""
    return page.run(f"{DATA % canvas}.reduce((sum, value, i) => sum + (i % 4 === 3 && value > 0), 0)")


def said(page: DrawPage, name: str) -> str:
    return page.run(f"document.getElementById('{name}').textContent")


def test_draw_train_and_draw_on(client: Client, browser: Browser, tmp_path, monkeypatch):
    monkeypatch.setitem(recipes.RECIPES, "strokes", replace(recipes.RECIPES["strokes"], presets={"tiny": SHORT}))
    page = DrawPage(browser, f"http://127.0.0.1:{client.port}/#loops")

    # Draw: what the pen did is on the disk, and after a reload on the page.
    page.stroke("paper", loop(0.3), lambda share: 0.2 + 0.6 * share)
    page.stroke("paper", loop(0.7))
    page.wait("document.getElementById('saved').textContent.startsWith('saved in')")
    saved = json.loads(Path("outputs/drawings/loops/drawings.json").read_text())
    left, right = saved["drawings"][0]["strokes"]
    assert left["x"][0] == pytest.approx(300, abs=2)
    assert left["y"][0] == pytest.approx(700, abs=2)
    assert left["p"][0] == pytest.approx(0.2, abs=0.01)
    assert left["p"][-2] == pytest.approx(0.78, abs=0.05)
    assert left["t"] == sorted(left["t"])
    assert left["t"][-1] <= right["t"][0]
    assert len(left["x"]) == 41
    page.reload()
    page.wait("document.getElementById('says')?.textContent.startsWith('2 strokes')")
    assert pixels(page, "paper") > 1000
    page.click("seen")

    # Strokes that the server does not take stay in the browser.
    page.run("window.asked = window.fetch, window.fetch = () => Promise.reject(new TypeError('no server'))")
    page.stroke("paper", loop(0.5))
    page.wait("document.getElementById('wrong').textContent.includes('Nothing is lost')")
    page.reload()
    page.wait("document.getElementById('saved')?.textContent.startsWith('saved in')")
    assert len(client.get("/state?name=loops")["set"]["drawings"][0]["strokes"]) == 3
    page.click("undo")
    page.wait("document.getElementById('says').textContent.startsWith('2 strokes')")

    # Train to the end; what the model draws appears.
    page.click("start")
    page.wait("document.getElementById('progress').textContent.startsWith('Finished')", 120)
    page.wait("!document.getElementById('on').hidden")
    assert pixels(page, "chart") > 500
    page.wait("document.getElementById('wrong').hidden")
    page.reload()
    assert said(page, "progress").startswith("Finished"), "at once, not when the server is next asked"
    page.wait("!document.getElementById('on').hidden")

    # Draw on: futures beside the stroke that is continued.
    page.stroke("further", loop(0.3)[:15])
    page.wait("document.getElementById('thinking').textContent === ''")
    page.wait(
        f"{DATA % 'further'}.some((value, i, all) => i % 4 === 0 && value === 0 && all[i + 1] === 114 && all[i + 2] === 178)"
    )
    for size, dark in ((DESKTOP, False), (DESKTOP, True), (PHONE, False)):
        page.resize(size, dark)
        assert page.run("document.documentElement.scrollWidth") <= size[0]
        page.picture(tmp_path / "page.png", whole=True)
        assert (tmp_path / "page.png").stat().st_size > 20_000


@pytest.mark.parametrize("given_run", [FIXTURE])
def test_a_run_that_was_trained_elsewhere(client: Client, browser: Browser, given_run):
    page = DrawPage(browser, f"http://127.0.0.1:{client.port}/")
    page.wait("!document.getElementById('on').hidden")
    assert page.run("document.getElementById('draw').hidden && document.getElementById('train').hidden")
    example = client.get("/model")["example"]
    assert example
    page.stroke("further", [(x / 1000, y / 1000) for x, y in example[0][:20]])
    page.wait("document.getElementById('thinking').textContent === ''")
    assert said(page, "wrong") == ""
    assert list(Path().iterdir()) == []
