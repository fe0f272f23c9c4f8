"""Save a tab of TensorBoard over a directory of runs as an image, and print its text, by a headless Chromium.

    python tools/screenshot.py outputs/mine docs/hparams.png
    python tools/screenshot.py outputs/mine docs/curves.png --tab custom_scalars

The text is printed line by line: the table of HPARAMS; of other tabs everything, with the sizes of images.
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

# Becomes the program argv[3:] with the descriptors argv[1] and argv[2] as 3 and 4.
LAUNCH = """import os, sys
from fcntl import F_DUPFD_CLOEXEC, fcntl
for own, fd in zip((3, 4), [fcntl(int(fd), F_DUPFD_CLOEXEC, 10) for fd in sys.argv[1:3]]):
    os.dup2(fd, own)
os.execvp(sys.argv[3], sys.argv[3:])"""

# Returns [top, left, text] of each visible element, those in shadow roots and frames included.
READ = """(pick => {
  const inside = e => e.shadowRoot || e.contentDocument;
  const all = root => [...root.querySelectorAll('*')].flatMap(e => [e, ...(inside(e) ? all(inside(e)) : [])]);
  return JSON.stringify(all(document).filter(e => e.offsetParent !== null).map(
    e => { const at = e.getBoundingClientRect(); return [Math.round(at.top), Math.round(at.left), pick(e).trim()]; }));
})"""
CELLS = "e => e.tagName === 'VAADIN-GRID-CELL-CONTENT' ? e.innerText : ''"
EVERYTHING = """e => e.tagName === 'IMG' && e.naturalWidth ? `image of ${e.naturalWidth} x ${e.naturalHeight}`
  : [...e.childNodes].filter(node => node.nodeType === Node.TEXT_NODE).map(node => node.data).join('')"""


STABLE_FOR = 6.0  # seconds without a change until a tab counts as complete; a busy machine is slow to draw charts


class Tab(NamedTuple):
    """How a tab is read.

    Attributes:
        pick: JavaScript that returns an element's text.
        sign: A text that appears once the tab is loaded.
    """

    pick: str
    sign: str


TABS = {
    "hparams": Tab(CELLS, "Trial ID"),
    "custom_scalars": Tab(EVERYTHING, "Matches"),
    "images": Tab(EVERYTHING, "image of"),
    "projector": Tab(EVERYTHING, "Total variance"),
}


class Browser:
    """Chromium over its debugging pipe: file descriptors 3 and 4, JSON messages that end with a zero byte."""

    def __init__(self, executable: str, height: int):
        to_browser, self.send_fd = os.pipe()
        self.receive_fd, from_browser = os.pipe()
        self.profile = tempfile.TemporaryDirectory()
        command = [executable, *FLAGS.format(height=height).split(), f"--user-data-dir={self.profile.name}"]
        launch = [sys.executable, "-c", LAUNCH, str(to_browser), str(from_browser)]
        self.process = subprocess.Popen(
            [*launch, *command], pass_fds=(to_browser, from_browser), stderr=subprocess.DEVNULL
        )
        os.close(to_browser)
        os.close(from_browser)
        self.numbers, self.buffer, self.session = itertools.count(1), b"", ""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]

    def call(self, method: str, **params: Any) -> Any:
        """Send one command and return its result.

        Raises:
            RuntimeError: The browser refuses it, or has ended.
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
                    raise RuntimeError("Chromium ended early: start it by hand to see why.")
                self.buffer += part
            line, _, self.buffer = self.buffer.partition(b"\0")
            message = json.loads(line)
            if message.get("id") == number:
                if "error" in message:
                    raise RuntimeError(f"{method}: {message['error']}")
                return message["result"]

    def close(self) -> None:
        """End the browser and remove its profile."""
        self.process.terminate()
        self.process.wait()
        os.close(self.send_fd)
        os.close(self.receive_fd)
        shutil.rmtree(self.profile.name, ignore_errors=True)
        self.profile.cleanup()


@contextmanager
def tensorboard(logdir: Path) -> Iterator[str]:
    """Run TensorBoard over a directory; yield its address once it has read all runs there.

    Raises:
        RuntimeError: It does not start within a minute.
    """
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
                raise RuntimeError("TensorBoard did not start: run it by hand to see why.")
            time.sleep(0.3)
        yield address
    finally:
        process.terminate()
        process.wait()


def lines(browser: Browser, pick: str) -> list[list[str]]:
    """Return the page's text, line by line, each from left to right."""
    rows: dict[int, dict[int, str]] = {}
    for top, left, text in json.loads(
        browser.call("Runtime.evaluate", expression=f"{READ}({pick})")["result"]["value"]
    ):
        if text:
            rows.setdefault(top, {})[left] = text
    return [[row[left] for left in sorted(row)] for _, row in sorted(rows.items())]


def wait_for_tab(browser: Browser, tab: Tab) -> list[list[str]]:
    """Wait until the tab has not changed for STABLE_FOR seconds, and return its lines.

    Raises:
        RuntimeError: It does not appear within a minute.
    """
    last_change = start = time.monotonic()
    seen = lines(browser, tab.pick)
    while time.monotonic() < last_change + STABLE_FOR or not any(tab.sign in text for row in seen for text in row):
        if time.monotonic() > start + 60:
            raise RuntimeError("The tab showed nothing within a minute: give a directory of runs.")
        time.sleep(0.5)
        now = lines(browser, tab.pick)
        if now != seen:
            seen, last_change = now, time.monotonic()
    return seen


def main() -> None:
    """Save the image and print the text."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("logdir", type=Path)
    parser.add_argument("image", type=Path)
    parser.add_argument("--tab", choices=list(TABS), default="hparams")
    parser.add_argument("--chromium", default=shutil.which("chromium") or "chromium")
    parser.add_argument("--height", type=int, default=900)
    options = parser.parse_args()
    if not options.logdir.is_dir():
        sys.exit(f"error: logdir must be a directory, but {options.logdir} is none.")
    if shutil.which(options.chromium) is None:
        sys.exit(f"error: {options.chromium} is not installed: install Chromium, or give its path by --chromium.")
    try:
        text = take_screenshot(options)
    except RuntimeError as error:
        sys.exit(f"error: {error}")
    for row in text:
        print("\t".join(row))


def take_screenshot(options: argparse.Namespace) -> list[list[str]]:
    """Write the image and return the text."""
    with tensorboard(options.logdir) as address:
        browser = Browser(options.chromium, options.height)
        try:
            browser.call("Page.navigate", url=f"{address}/#{options.tab}")
            text = wait_for_tab(browser, TABS[options.tab])
            image = browser.call("Page.captureScreenshot", format="png")["data"]
        finally:
            browser.close()
    options.image.parent.mkdir(parents=True, exist_ok=True)
    options.image.write_bytes(base64.b64decode(image))
    return text


if __name__ == "__main__":
    main()
