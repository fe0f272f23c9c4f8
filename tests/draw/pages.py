"""Sets of drawings as the page of `vrnn draw` sends them, and a client that is as the page is."""

import http.client
import json
import math
import time
from collections.abc import Callable
from typing import Any

from vrnn.draw.recipes import TINY

SHORT = TINY._replace(
    steps=40,
    overrides=(
        *TINY.overrides,
        "data={traces: 8, steps: 128, window: 32, batch_size: 4, eval_steps: 128}",
        "training={checkpoint_every: 2, val_every: 20}",
        "evaluation={traces: 2, steps: 64}",
    ),
)


def stroke(points: list[tuple[float, float]], begin: float = 0.0) -> dict[str, list[float]]:
    """A stroke of points on the canvas, one every 10 ms."""
    x, y = ([round(value, 1) for value in axis] for axis in zip(*points, strict=True))
    return {"x": x, "y": y, "t": [begin + 10.0 * i for i in range(len(x))], "p": [0.5] * len(x)}


def laps(widths: str = "wwtwtwwtwtww") -> dict[str, Any]:
    """A set of one drawing: wide (w) and thin (t) laps through one point."""
    radius = {"w": 300.0, "t": 100.0}
    turns = [2 * math.pi * i / 40 for i in range(40)]
    points = [(500 - radius[w] * math.sin(a), 500 - 300 * math.cos(a)) for w in widths for a in turns]
    return {"drawings": [{"strokes": [stroke([*points, points[0]])]}], "junction": None, "kind": None}


def two_loops() -> dict[str, Any]:
    """A set of one drawing of two strokes."""
    turns = [2 * math.pi * i / 60 for i in range(61)]
    left, right = ([(x + 120 * math.sin(a), 500 + 150 * math.cos(a)) for a in turns] for x in (350, 650))
    return {"drawings": [{"strokes": [stroke(left), stroke(right, 900.0)]}], "junction": None, "kind": None}


class Client:
    """Asks the server as the page does.

    Args:
        port: The server's.
    """

    def __init__(self, port: int):
        self.port = port
        self.token = self.get("/state")["token"]

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        """Return the status and the content of an answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            fields = {key.replace("_", "-"): value for key, value in headers.items()}
            connection.request(method, path, body, fields, encode_chunked="Transfer_Encoding" in headers)
            answer = connection.getresponse()
            content = answer.read()
            is_json = answer.headers.get_content_type() == "application/json"
            return answer.status, json.loads(content) if is_json else content.decode()
        finally:
            connection.close()

    def get(self, path: str) -> Any:
        """Return what there is at a path."""
        status, content = self.ask("GET", path)
        assert status == 200, content
        return content

    def post(self, path: str, expect: int = 200, **content: Any) -> Any:
        """Return the answer to a post with the page's token."""
        body = json.dumps(content).encode()
        status, answer = self.ask("POST", path, body, Content_Type="application/json", X_Token=self.token)
        assert status == expect, answer
        return answer


def wait(check: Callable[[], Any], seconds: float = 120.0) -> Any:
    """Return what a check finds as soon as it finds something."""
    end = time.monotonic() + seconds
    while not (found := check()):
        assert time.monotonic() < end
        time.sleep(0.05)
    return found
