"""The page of `vrnn draw run=…` with a run that draws the class it is asked for: a button per class, pressed in Chromium."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from hydra import compose, initialize_config_dir
from tools.draw_minute import PHONE, DrawPage
from tools.screenshot import Browser

from tests.conftest import ROOT, SMALL
from tests.draw.pages import Client
from vrnn.runs.run import run
from vrnn.runs.schema import register

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
    """A run on drawings of three classes, hardly trained: without an automaton, nothing is judged of what it generates."""
    for label, height in (("circle", 1.0), ("flat", 0.3), ("line", 0.0)):
        (tmp_path / "data" / label).mkdir(parents=True)
        for i in range(5):
            turn = 0.2 * np.arange(100) + i
            np.save(tmp_path / "data" / label / f"{i}.npy", np.stack([np.sin(turn), height * np.cos(turn)], axis=1))
    dataset = ["dataset=traces", f"dataset.files=[{tmp_path / 'data'}]", "dataset.label=folder", "condition=label"]
    data = "data={traces: 4, steps: 64, window: 32, batch_size: 4, val_traces: 2, test_traces: 2, eval_steps: 64}"
    pace = "training={steps: 2, log_every: 1, val_every: 2, checkpoint_every: 2, figure_every: 2}"
    register()
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        config = compose("train", [*dataset, *SMALL, data, pace, "engine=reference"])
    run(config, tmp_path / "run", progress_bar=False)
    return tmp_path / "run"


def test_each_button_asks_for_its_class(client: Client, browser: Browser):
    """From the same noise, each class is drawn otherwise."""
    page = DrawPage(browser, f"http://127.0.0.1:{client.port}/")
    page.wait("!document.getElementById('on').hidden && !document.getElementById('labels').hidden")
    assert page.run(f"{BUTTONS}.map(button => button.textContent)") == ["circle", "flat", "line"]
    assert page.run("document.querySelector('[name=label]:checked').value") == "circle"
    page.run(LISTEN)
    drawn = {}
    for count, label in enumerate(("line", "flat", "circle"), 1):
        page.press(f"{BUTTONS}.find(button => button.textContent === '{label}')")
        page.wait(f"heard.length === {count} && document.getElementById('thinking').textContent === ''")
        asked, drawn[label] = page.run("heard.at(-1)")
        assert asked == label
        assert drawn[label] == client.post("/continue", strokes=[], n=5, steps=150, label=label)["futures"]
    assert drawn["line"] != drawn["flat"] != drawn["circle"] != drawn["line"]
    assert page.run("document.getElementById('begin').hidden")
    assert page.run("document.getElementById('wrong').textContent") == ""
    page.resize(PHONE)
    assert page.run("document.documentElement.scrollWidth") <= PHONE[0]
