"""A server of `vrnn draw` in this process."""

import threading
from pathlib import Path

import pytest
from tools.draw_minute import DESKTOP
from tools.screenshot import Browser

from tests.draw.pages import Client
from vrnn.draw.drawings import Shelf
from vrnn.draw.server import App, open_server


@pytest.fixture
def given_run():
    """The run that the server is given."""
    return None


@pytest.fixture
def client(tmp_path, monkeypatch, given_run):
    """A server in this process, in an empty directory."""
    monkeypatch.chdir(tmp_path)
    app = App(Shelf(Path("outputs/drawings")), "127.0.0.1", given_run)
    server = open_server(app, 0)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield Client(server.server_port)
    server.shutdown()
    thread.join()
    server.server_close()
    app.trainings.stop_all()


@pytest.fixture
def browser():
    """A headless Chromium."""
    browser = Browser("chromium", DESKTOP[1])
    yield browser
    browser.close()
