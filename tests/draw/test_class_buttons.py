"""The page of `vrnn draw run=…` with a run that draws the class it is asked for: a button per class, pressed in Chromium."""

import shutil
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from tools.draw_minute import PHONE, DrawPage
from tools.screenshot import Browser

from tests.conftest import ROOT, SMALL
from tests.draw.pages import Client
from vrnn.runs.config import register
from vrnn.runs.run import run

pytestmark = pytest.mark.skipif(shutil.which("chromium") is None, reason="needs Chromium (Debian: chromium)")

BUTTONS = "[...document.querySelectorAll('#labels label')]"
# Keeps the class that each request names, and the futures that come back.
LISTEN = """window.heard = [], window.before = fetch, window.fetch = async (path, options) => {
    const answer = await before(path, options);
    if (path === '/continue') heard.push([JSON.parse(options.body).label, (await answer.clone().json()).futures]);
    return answer;
}"""


@pytest.fixture
def given_run(tmp_path) -> Path:
    """A run with a class for each of four patterns, hardly trained."""
    register()
    pace = "training={steps: 2, log_every: 1, val_every: 2, checkpoint_every: 2, figure_every: 2}"
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        config = compose("train", [*SMALL, pace, "dataset=classes", "condition=label", "engine=reference"])
    run(config, tmp_path / "run", progress_bar=False)
    return tmp_path / "run"


def test_each_button_asks_for_its_class(client: Client, browser: Browser):
    """From the same noise, each class is drawn otherwise."""
    page = DrawPage(browser, f"http://127.0.0.1:{client.port}/")
    page.wait("!document.getElementById('on').hidden && !document.getElementById('labels').hidden")
    assert page.run(f"{BUTTONS}.map(button => button.textContent)") == ["circle", "triangle", "eight", "eye"]
    assert page.run("document.querySelector('[name=label]:checked').value") == "circle"
    page.run(LISTEN)
    drawn = {}
    for count, label in enumerate(("triangle", "eye", "circle"), 1):
        page.press(f"{BUTTONS}.find(button => button.textContent === '{label}')")
        page.wait(f"heard.length === {count} && document.getElementById('thinking').textContent === ''")
        asked, drawn[label] = page.run("heard.at(-1)")
        assert asked == label
        assert drawn[label] == client.post("/continue", strokes=[], n=5, steps=150, label=label)["futures"]
    assert drawn["triangle"] != drawn["eye"] != drawn["circle"] != drawn["triangle"]
    assert page.run("document.getElementById('begin').hidden")
    assert page.run("document.getElementById('wrong').textContent") == ""
    page.resize(PHONE)
    assert page.run("document.documentElement.scrollWidth") <= PHONE[0]
