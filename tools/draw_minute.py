"""A new user's minute with `vrnn draw` in a headless Chromium: the seconds until each thing is done; and pictures of it.

    python -m tools.draw_minute                     prints the table of docs/draw.md
    python -m tools.draw_minute --pictures docs    writes docs/draw.png and docs/draw_on.png, too

The drawing is made of real pointer events of a pen with pressure.
"""

import argparse
import base64
import json
import math
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tools.screenshot import Browser

Point = tuple[float, float]

DESKTOP, PHONE = (1180, 860), (390, 844)  # width and height in CSS pixels


class DrawPage:
    """The page of `vrnn draw` in a browser, drawn on by a pen.

    Args:
        browser: A headless Chromium.
        address: Of the page.
        size: Width and height of the window.
    """

    def __init__(self, browser: Browser, address: str, size: tuple[int, int] = DESKTOP):
        self.browser, self.size = browser, size
        browser.call("Page.enable")
        self.resize(size)
        browser.call("Page.navigate", url=address)
        self.wait("document.getElementById('name')?.value")

    def resize(self, size: tuple[int, int], dark: bool = False, scale: float = 1.0) -> None:
        """Show the page on a screen of another size or colour scheme."""
        self.size = size
        phone = size[0] < 600
        screen = {"width": size[0], "height": size[1], "deviceScaleFactor": scale, "mobile": phone}
        self.browser.call("Emulation.setDeviceMetricsOverride", **screen)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.browser.call("Emulation.setEmulatedMedia", features=[scheme])

    def run(self, script: str) -> Any:
        """Return the value of a JavaScript expression.

        Raises:
            RuntimeError: It throws an error.
        """
        answer = self.browser.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(f"{script}: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    def wait(self, script: str, seconds: float = 60.0) -> Any:
        """Return the value of an expression as soon as it is true.

        Raises:
            TimeoutError: It does not become true.
        """
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            with suppress(RuntimeError):  # a page that is being left does not answer
                if value := self.run(script):
                    return value
            time.sleep(0.05)
        raise TimeoutError(f"{script} did not become true; the page says: {self.run('document.body.innerText')}")

    def reload(self) -> None:
        """Load the page again, and wait until it is there."""
        self.run("window.before = true")
        self.browser.call("Page.reload")
        self.wait("!window.before && document.getElementById('name')?.value")

    def click(self, name: str) -> None:
        """Click an element by its id."""
        self.run(f"document.getElementById({json.dumps(name)}).click()")

    def press(self, element: str) -> None:
        """Press and release the mouse on an element, given as a JavaScript expression."""
        box = f"(box => [box.left + box.width / 2, box.top + box.height / 2])({element}.getBoundingClientRect())"
        self.run(f"{element}.scrollIntoView({{block: 'center'}})")
        x, y = self.run(box)
        for kind in ("mousePressed", "mouseReleased"):
            self.browser.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def stroke(
        self, canvas: str, points: Sequence[Point], pressure: Callable[[float], float] = lambda share: 0.5
    ) -> None:
        """Draw a stroke with a pen.

        Args:
            canvas: The id of a canvas.
            points: In units of its width, from 0 to 1.
            pressure: Of the share of the stroke that is drawn.
        """
        self.run(f"document.getElementById('{canvas}').scrollIntoView({{block: 'center'}})")
        left, top, width = self.run(
            f"(box => [box.left, box.top, box.width])(document.getElementById('{canvas}').getBoundingClientRect())"
        )
        kinds = ["mousePressed", *["mouseMoved"] * (len(points) - 2), "mouseReleased"]
        for i, (kind, (x, y)) in enumerate(zip(kinds, points, strict=True)):
            place = {"x": left + width * x, "y": top + width * y, "pointerType": "pen", "button": "left"}
            force = 0.0 if kind == "mouseReleased" else pressure(i / len(points))
            self.browser.call("Input.dispatchMouseEvent", type=kind, **place, buttons=1, force=force, clickCount=1)

    def picture(self, path: Path, whole: bool = False) -> None:
        """Write what the window shows, or the whole page, as PNG."""
        if whole:
            self.run("scrollTo(0, 0)")
        shot = self.browser.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(shot["data"]))


@contextmanager
def serving(directory: Path, *words: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Run `vrnn draw` in a directory; yield the page's address and the process.

    Raises:
        RuntimeError: It does not start.
    """
    command = [sys.executable, "-m", "vrnn", "draw", "port=0", *words]
    process = subprocess.Popen(command, cwd=directory, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    said = ""
    try:
        assert process.stdout is not None
        for line in process.stdout:
            said += line
            if found := re.match(r"http://\S+", line):
                yield found[0], process
                break
        else:
            raise RuntimeError(f"vrnn draw did not start: {said}")
    finally:
        process.terminate()
        process.wait(60)


def eye(laps: int, seed: int = 7, steps: int = 36) -> list[Point]:
    """Return laps through one point at the top, wide and thin ones, as a hand draws them."""
    points: list[Point] = []
    for lap in range(laps):
        chance = math.sin(seed + 12.9898 * lap) * 43758.5453
        share = chance - math.floor(chance)  # a random number in [0, 1) that is the same everywhere
        width = (0.36 if share < 0.6 else 0.13) * (1 + 0.08 * (share - 0.5))
        for i in range(steps):
            turn = 2 * math.pi * i / steps
            points.append((0.5 - width * math.sin(turn), 0.48 - (0.33 + 0.02 * share) * math.cos(turn)))
    return [*points, points[0]]


def minute(pictures: Path | None, chromium: str, preset: str) -> list[tuple[str, float]]:
    """Draw, train and draw on; return what was done, and the seconds since the command."""
    with tempfile.TemporaryDirectory() as scratch:
        begun, times = time.monotonic(), []

        def note(what: str) -> None:
            times.append((what, time.monotonic() - begun))

        with serving(Path(scratch)) as (address, _):
            note("the page is there")
            browser = Browser(chromium, DESKTOP[1])
            try:
                page = DrawPage(browser, address)
                page.stroke("paper", eye(14), lambda share: 0.35 + 0.3 * abs(math.sin(9 * share)))
                page.wait("document.getElementById('says').textContent.includes('laps')")
                note("fourteen laps are drawn and saved")
                page.run(f"document.querySelector('[name=preset][value={preset}]').click()")
                page.click("seen")
                if pictures:
                    page.resize(DESKTOP, scale=1)
                    page.run("scrollTo(0, 0)")
                    time.sleep(0.5)
                    page.picture(pictures / "draw.png")
                page.click("start")
                page.wait("Number(document.getElementById('bar').value) > 0", 180)
                note("the training is at work")
                page.wait("!document.getElementById('on').hidden", 600)
                note("the model's first drawing is seen")
                page.wait("document.getElementById('progress').textContent.startsWith('Finished')", 1200)
                note("the training has finished, and is scored")
                page.stroke("further", eye(1)[:14])
                page.wait("document.getElementById('thinking').textContent === '' && true", 60)
                note("five futures of a stroke are drawn")
                time.sleep(2.5)
                if pictures:
                    page.resize((1180, 1330))
                    page.run("document.getElementById('train').scrollIntoView()")
                    time.sleep(0.5)
                    page.picture(pictures / "draw_on.png")
            finally:
                browser.close()
    return times


def main() -> None:
    """Print the table, and write the pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=Path)
    parser.add_argument("--preset", default="quick", choices=["tiny", "quick", "whole"])
    parser.add_argument("--chromium", default=shutil.which("chromium") or "chromium")
    options = parser.parse_args()
    if shutil.which(options.chromium) is None:
        sys.exit(f"error: {options.chromium} is not installed: install Chromium, or give its path by --chromium.")
    print("| | seconds since the command |\n|---|---|")
    for what, seconds in minute(options.pictures, options.chromium, options.preset):
        print(f"| {what} | {seconds:.0f} |")


if __name__ == "__main__":
    main()
