"""The server of `vrnn draw`, asked over HTTP: what it keeps, what it refuses, and a training that outlives it."""

import json
import os
import re
import signal
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import ROOT
from tests.draw.pages import SHORT, laps, two_loops, wait
from vrnn.draw import recipes
from vrnn.draw.drawings import View
from vrnn.draw.training import Record
from vrnn.patterns import DrawnLaps, DrawnStrokes, read_drawings
from vrnn.runs.directory import state


def files() -> list[str]:
    return sorted(str(path) for path in Path().rglob("*"))


# --- drawings ---


def test_a_saved_set_is_read_by_every_dataset_of_drawings(client):
    file = client.post("/save", name="loops", set=two_loops())["file"]
    assert file == "outputs/drawings/loops/drawings.json"
    assert client.get("/state?name=loops")["set"] == two_loops()
    (points,) = read_drawings(file).values()
    first = two_loops()["drawings"][0]["strokes"][0]
    np.testing.assert_array_equal(points[:61], np.array([first["x"], first["y"]]).T * [1, -1])
    assert len(DrawnStrokes([file], holdout=0, interval=20).sources["train"][0].points) == 61
    client.post("/save", name="laps", set=laps())
    assert DrawnLaps(["outputs/drawings/laps/drawings.json"]).names == ["shape_1", "shape_2"]
    assert client.get("/state")["names"] == ["laps", "loops"]


def test_drawings_are_shown_as_the_model_sees_them(client):
    client.post("/save", name="laps", set=laps())
    seen = client.post("/see", name="laps")
    assert seen["kind"] == "laps"
    assert sorted(seen["shapes"]) == [0] * 7 + [1] * 4  # of twelve laps the last is open at its end
    widths = [np.ptp(np.array(line)[:, 0]) for line in seen["lines"]]
    np.testing.assert_allclose(widths, [600.0] * 7 + [200.0] * 4, rtol=0.02)
    assert "after shape 2, shape 1 in 100 %" in seen["says"]
    client.post("/save", name="laps", set=laps() | {"kind": "strokes"})
    assert client.post("/see", name="laps")["kind"] == "strokes"
    client.post("/save", name="two", set=two_loops())
    seen = client.post("/see", name="two")
    assert seen["says"] == "2 strokes, 61 steps of 20 ms."
    assert len(seen["lines"][0]) == 31
    client.post("/save", name="laps", set=laps() | {"junction": {"drawing": 0, "x": 500, "y": 800}})
    assert client.post("/see", name="laps")["says"].startswith("11 laps")


# --- refusals ---


def test_requests_of_others_are_refused(client):
    body = json.dumps({"name": "loops", "set": two_loops()}).encode()
    page = {"Content_Type": "application/json", "X_Token": client.token}
    for headers, status in (
        ({"Host": "evil.example"}, 403),
        ({"Host": f"evil.example:{client.port}"}, 403),
        ({"Host": ""}, 403),
        ({"Host": "127.0.0.1.evil.example"}, 403),
        ({"Host": "evil.example@127.0.0.1"}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"X_Token": ""}, 403),
        ({"X_Token": "x" * 32}, 403),
        ({"X_Token": "ä"}, 403),
        ({"Content_Type": "text/plain"}, 415),
        ({"Content_Type": "application/x-www-form-urlencoded"}, 415),
    ):
        for path in ("/save", "/train", "/stop"):
            found, said = client.ask("POST", path, body, **(page | headers))
            assert (found, "\n" in said["error"]) == (status, False), (headers, said)
    assert client.ask("GET", "/state", Host="evil.example")[0] == 403
    assert client.ask("GET", "/state", Host=f"localhost:{client.port}")[0] == 200
    assert client.ask("PUT", "/save", body, **page)[0] == 400
    assert files() == []
    assert client.ask("POST", "/save", body, Origin=f"http://127.0.0.1:{client.port}", **page)[0] == 200


def test_a_large_body_is_refused_unread(client):
    page = {"Content_Type": "application/json", "X_Token": client.token}
    status, said = client.ask("POST", "/save", b"{}", Content_Length=str(10**8), **page)
    assert (status, said["error"]) == (413, "The body must have at most 5000000 bytes, but has 100000000.")
    status, said = client.ask("POST", "/save", iter([b"x" * 10**6] * 6), Transfer_Encoding="chunked", **page)
    assert (status, said["error"]) == (411, "Content-Length must be given, but is missing.")
    assert files() == []


@pytest.mark.parametrize(
    "name", ["../up", "/etc", "a/b", "..", ".", "", "a\x00", "a\n", "x" * 41, "-a", "a b", None, 3]
)
def test_a_path_is_no_name(client, name):
    for path, content in (("/save", {"set": two_loops()}), ("/see", {}), ("/train", {"preset": "tiny"}), ("/stop", {})):
        said = client.post(path, expect=400, name=name, **content)["error"]
        assert said.startswith("name must be 1 to 40 letters, digits, _ and -, but is ")
        assert "\n" not in said
    assert files() == []


def test_content_that_is_none_is_refused_in_one_line(client):
    point = {"x": [1], "y": [1], "t": [1], "p": [1]}
    for content, said in (
        (None, "the set must be an object"),
        ({"drawings": 3}, "drawings must be a list"),
        ({"drawings": [{}] * 201}, "at most 200"),
        ({"drawings": [{"strokes": [3]}]}, "drawings[0].strokes[0] must be"),
        ({"drawings": [{"strokes": [point | {"x": [1, 2]}]}]}, "one length"),
        ({"drawings": [{"strokes": [point | {"y": ["1"]}]}]}, "drawings[0].strokes[0].y must be numbers"),
        ({"drawings": [{"strokes": [point | {"y": [1e10]}]}]}, "numbers of at most 1e+09"),
        ({"drawings": [{"strokes": [{k: [*v, 0] for k, v in point.items()}]}]}, "times that do not go back"),
        ({"drawings": [], "junction": {"drawing": 0, "x": 0, "y": 0}}, "junction.drawing must be"),
        ({"drawings": [], "kind": "circle"}, "kind must be one of laps, strokes"),
    ):
        found = client.post("/save", expect=400, name="loops", set=content)["error"]
        assert said in found
        assert "\n" not in found
    page = {"Content_Type": "application/json", "X_Token": client.token}
    for body in (b"", b"{", b"[" * 10**5, b"[]", b'{"name": NaN}', b"\xff"):
        assert client.ask("POST", "/save", body, **page)[0] == 400
    assert files() == []


def test_nothing_is_written_through_a_link(client, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    Path("outputs/drawings").mkdir(parents=True)
    Path("outputs/drawings/loops").symlink_to(elsewhere)
    assert "symbolic link" in client.post("/save", expect=400, name="loops", set=two_loops())["error"]
    assert list(elsewhere.iterdir()) == []


def test_the_page_lets_no_other_script_run(client):
    status, page = client.ask("GET", "/")
    assert status == 200
    assert not re.search(r"<script>|https?:|\bon\w+=|style=", page)
    for path in ("/draw.js", "/draw.css", "/pen.js", "/paper.js"):
        assert path in page + client.ask("GET", "/draw.js")[1] or client.ask("GET", path)[0] == 200
    for path in ("/draw.html", "/../server.py", "/%2e%2e/server.py", "/pages/draw.js"):
        assert client.ask("GET", path)[0] == 404


def test_what_cannot_be_trained_is_said_in_one_line(client):
    assert "draw something first" in client.post("/train", expect=400, name="loops", preset="tiny")["error"]
    client.post("/save", name="loops", set={"drawings": [{"strokes": []}]})
    assert "draw something" in client.post("/train", expect=400, name="loops", preset="tiny")["error"]
    client.post("/save", name="loops", set=two_loops() | {"kind": "laps"})
    assert "at least 3" in client.post("/train", expect=400, name="loops", preset="tiny")["error"]
    client.post("/save", name="loops", set=two_loops())
    assert "preset must be one of" in client.post("/train", expect=400, name="loops", preset="huge")["error"]
    assert "train first" in client.post("/continue", expect=400, name="loops", strokes=[])["error"]
    assert client.get("/progress?name=loops") == {"state": "none"}


# --- training ---


@pytest.fixture
def server(tmp_path):
    """A function that starts `vrnn draw`, and returns the process and what it said until it had its address."""
    started = []
    yield lambda: serve(tmp_path, started)
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


def serve(directory: Path, started: list[subprocess.Popen]) -> tuple[subprocess.Popen, str]:
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    command = [sys.executable, "-m", "vrnn", "draw", "port=0"]
    process = subprocess.Popen(command, cwd=directory, env=environment, stdout=subprocess.PIPE, text=True)
    started.append(process)
    lines: list[str] = []
    while not lines or not lines[-1].startswith("http://127.0.0.1:"):
        lines.append(process.stdout.readline())
        assert lines[-1]
    return process, "".join(lines)


def test_a_training_outlives_kills_and_draws_on(client, server, monkeypatch):
    """It is killed, and continued by a new server; this is killed, and the training goes on to its end."""
    monkeypatch.setitem(recipes.RECIPES, "strokes", replace(recipes.RECIPES["strokes"], presets={"tiny": SHORT}))
    client.post("/save", name="loops", set=two_loops())
    assert client.post("/train", name="loops", preset="tiny")["state"] == "starting"
    assert "is being trained" in client.post("/train", expect=409, name="loops", preset="tiny")["error"]
    client.post("/save", name="loops", set=laps())  # later strokes leave the training as it is
    wait(lambda: client.get("/progress?name=loops")["step"])
    os.kill(json.loads(Path("outputs/drawings/loops/training.json").read_text())["pid"], signal.SIGKILL)
    wait(lambda: client.get("/progress?name=loops")["state"] == "interrupted")
    process, said = server()
    assert "The training on loops continues." in said
    wait(lambda: client.get("/progress?name=loops")["state"] == "running")
    process.kill()
    process.wait()
    assert client.get("/progress?name=loops")["state"] == "running"
    found = wait(lambda: (now := client.get("/progress?name=loops"))["state"] == "finished" and now)
    assert [step for step, _ in found["elbo"]] == list(range(5, 41, 5))
    begun = {"x": [300, 340, 380, 420], "y": [500, 470, 450, 470], "t": [0, 50, 100, 150], "p": [0.5] * 4}
    drawn = client.post("/continue", name="loops", strokes=[begun], n=3, steps=30)
    assert drawn["seen"][0][0] == [300, 500]
    assert len(drawn["futures"]) == 3
    assert all(lines[0][0] == drawn["seen"][0][-1] for lines in drawn["futures"])
    assert drawn == client.post("/continue", name="loops", strokes=[begun], n=3, steps=30)
    assert drawn != client.post("/continue", name="loops", strokes=[begun], n=3, steps=30, seed=1)
    assert client.get("/model?name=loops")["labels"] == []
    for wrong in ({"n": 0}, {"n": 10**6}, {"steps": "many"}, {"temperature": -1}, {"label": "eye"}, {"seed": 1.5}):
        said = client.post("/continue", expect=400, name="loops", strokes=[begun], **({"n": 1, "steps": 5} | wrong))
        assert next(iter(wrong)) in said["error"] or "condition" in said["error"]


def test_a_training_of_a_killed_server_is_stopped(client):
    """By its process's number, if that is the training's still; else nothing is ended."""
    client.post("/save", name="loops", set=two_loops())
    run = Path("outputs/strokes/loops-tiny-0")
    code = "import sys, time; from pathlib import Path; from vrnn.runs.directory import lock_run\n"
    code += "with lock_run(Path(sys.argv[1])): time.sleep(60)"
    for words, ends in ((["name=loops-tiny-0"], True), (["name=another"], False)):
        process = subprocess.Popen([sys.executable, "-c", code, str(run), *words])
        wait(lambda: state(run) == "running")
        view = View(500, 500, 100)
        record = Record("strokes", "tiny", words, str(run), 40, view, pid=process.pid)
        Path("outputs/drawings/loops/training.json").write_text(json.dumps(asdict(record)))
        client.post("/stop", name="loops")
        if ends:
            assert process.wait(20) == -signal.SIGTERM
            assert client.get("/progress?name=loops")["state"] == "stopped"
        else:
            assert process.poll() is None
            process.kill()
            process.wait()
