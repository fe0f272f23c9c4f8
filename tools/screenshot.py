"""A tab of TensorBoard over a directory of runs, as a picture and as text, from a headless Chromium.

    python tools/screenshot.py outputs/mine docs/hparams.png
    python tools/screenshot.py outputs/mine docs/curves.png --tab custom_scalars

The text is what the page shows, a line of it a line: of HPARAMS the table, of other tabs everything, pictures by their sizes.
"""

import argparse
import base64
import itertools
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --remote-debugging-pipe --window-size=1600,{height}"
)

# What the page shows, through shadow roots and frames: [top, left, text] of each visible element.
READ = """(pick => {
  const inside = e => e.shadowRoot || e.contentDocument;
  const all = root => [...root.querySelectorAll('*')].flatMap(e => [e, ...(inside(e) ? all(inside(e)) : [])]);
  return JSON.stringify(all(document).filter(e => e.offsetParent !== null).map(
    e => { const at = e.getBoundingClientRect(); return [Math.round(at.top), Math.round(at.left), pick(e).trim()]; }));
})"""
CELLS = "e => e.tagName === 'VAADIN-GRID-CELL-CONTENT' ? e.innerText : ''"
EVERYTHING = """e => e.tagName === 'IMG' && e.naturalWidth ? `picture of ${e.naturalWidth} x ${e.naturalHeight}`
  : [...e.childNodes].filter(node => node.nodeType === Node.TEXT_NODE).map(node => node.data).join('')"""


QUIET = 6.0  # seconds: on a busy machine the next chart may be as long in coming


class Tab(NamedTuple):
    """What is read of it, and a word that is there once it is."""

    pick: str
    sign: str


TABS = {
    "hparams": Tab(CELLS, "Trial ID"),
    "custom_scalars": Tab(EVERYTHING, "Matches"),
    "images": Tab(EVERYTHING, "picture of"),
    "projector": Tab(EVERYTHING, "Total variance"),
}


class Browser:
    """Chromium over its debugging pipe: file descriptors 3 and 4, JSON messages that end with a zero byte."""

    def __init__(self, executable: str, height: int):
        to_browser, self.send_fd = os.pipe()
        self.receive_fd, from_browser = os.pipe()
        self.profile = tempfile.TemporaryDirectory()
        command = [executable, *FLAGS.format(height=height).split(), f"--user-data-dir={self.profile.name}"]
        shell = ["sh", "-c", f'exec "$@" 3<&{to_browser} 4>&{from_browser}', "sh"]
        self.process = subprocess.Popen(
            [*shell, *command], pass_fds=(to_browser, from_browser), stderr=subprocess.DEVNULL
        )
        os.close(to_browser)
        os.close(from_browser)
        self.numbers, self.buffer, self.session = itertools.count(1), b"", ""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]

    def call(self, method: str, **params: Any) -> Any:
        """Send one command and return its result.

        Raises:
            RuntimeError: the browser refuses it, or has gone.
        """
        number = next(self.numbers)
        session = {"sessionId": self.session} if self.session else {}
        os.write(
            self.send_fd, json.dumps({"id": number, "method": method, "params": params} | session).encode() + b"\0"
        )
        while True:
            while b"\0" not in self.buffer:
                part = os.read(self.receive_fd, 1 << 20)
                if not part:
                    raise RuntimeError("Chromium ended early; start it by hand to see why.")
                self.buffer += part
            line, _, self.buffer = self.buffer.partition(b"\0")
            message = json.loads(line)
            if message.get("id") == number:
                if "error" in message:
                    raise RuntimeError(f"{method}: {message['error']}")
                return message["result"]

    def close(self) -> None:
        """End it, and remove its profile."""
        self.process.terminate()
        self.process.wait()
        os.close(self.send_fd)
        os.close(self.receive_fd)
        shutil.rmtree(self.profile.name, ignore_errors=True)
        self.profile.cleanup()


@contextmanager
def tensorboard(logdir: Path) -> Iterator[str]:
    """TensorBoard over a directory; yields its address once it has read all runs there."""
    runs = {path.parent for path in logdir.rglob("events.out.tfevents.*")}
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "tensorboard.main", "--logdir", str(logdir), "--host", "127.0.0.1"]
    process = subprocess.Popen([*command, "--port", str(port), "--load_fast", "false"], stderr=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                with urllib.request.urlopen(f"{address}/data/runs") as answer:
                    if len(json.load(answer)) >= len(runs):
                        break
            except OSError:
                pass
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("TensorBoard did not start; run it by hand to see why.")
            time.sleep(0.3)
        yield address
    finally:
        process.terminate()
        process.wait()


def lines(browser: Browser, pick: str) -> list[list[str]]:
    """What the page shows, line by line and from left to right."""
    rows: dict[int, dict[int, str]] = {}
    for top, left, text in json.loads(
        browser.call("Runtime.evaluate", expression=f"{READ}({pick})")["result"]["value"]
    ):
        if text:
            rows.setdefault(top, {})[left] = text
    return [[row[left] for left in sorted(row)] for _, row in sorted(rows.items())]


def shown(browser: Browser, tab: Tab) -> list[list[str]]:
    """Wait until the tab has not changed for QUIET seconds, and return it.

    Raises:
        RuntimeError: nothing of it appears within a minute.
    """
    since = began = time.monotonic()
    seen = lines(browser, tab.pick)
    while time.monotonic() < since + QUIET or not any(tab.sign in text for row in seen for text in row):
        if time.monotonic() > began + 60:
            raise RuntimeError("The tab showed nothing within a minute; is this a directory of runs?")
        time.sleep(0.5)
        now = lines(browser, tab.pick)
        if now != seen:
            seen, since = now, time.monotonic()
    return seen


def main() -> None:
    """Take the picture and print the text."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("logdir", type=Path)
    parser.add_argument("picture", type=Path)
    parser.add_argument("--tab", choices=list(TABS), default="hparams")
    parser.add_argument("--chromium", default=shutil.which("chromium") or "chromium")
    parser.add_argument("--height", type=int, default=900)
    options = parser.parse_args()
    if not options.logdir.is_dir():
        sys.exit(f"error: {options.logdir} is no directory.")
    if shutil.which(options.chromium) is None:
        sys.exit(f"error: there is no {options.chromium}: install Chromium, or say where it is by --chromium.")
    try:
        text = take(options)
    except RuntimeError as error:
        sys.exit(f"error: {error}")
    for row in text:
        print("\t".join(row))


def take(options: argparse.Namespace) -> list[list[str]]:
    """Write the picture and return the text."""
    with tensorboard(options.logdir) as address:
        browser = Browser(options.chromium, options.height)
        try:
            browser.call("Page.navigate", url=f"{address}/#{options.tab}")
            text = shown(browser, TABS[options.tab])
            picture = browser.call("Page.captureScreenshot", format="png")["data"]
        finally:
            browser.close()
    options.picture.parent.mkdir(parents=True, exist_ok=True)
    options.picture.write_bytes(base64.b64decode(picture))
    return text


if __name__ == "__main__":
    main()
