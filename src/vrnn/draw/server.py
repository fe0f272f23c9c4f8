"""The server of `vrnn draw`: the page, and what it asks for."""

from __future__ import annotations

import errno
import json
import logging
import secrets
import signal
import socket
import sys
import threading
from collections.abc import Callable, Sequence
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from typing_extensions import override
from werkzeug.exceptions import BadRequest, HTTPException, NotFound
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server
from werkzeug.wrappers import Request, Response

from vrnn.checks import require
from vrnn.draw.drawings import DrawingSet, Shelf, checked_strokes, parse
from vrnn.draw.recipes import RECIPES, as_seen, suggested_kind
from vrnn.draw.requests import HEADERS, check_host, check_post
from vrnn.draw.training import Trainings, training_curves
from vrnn.errors import BusyError, ConfigError, DamagedError
from vrnn.runs.directory import state
from vrnn.runs.stored import stored_settings
from vrnn.text import printable

if TYPE_CHECKING:
    from vrnn.draw.page_run import PageRun

logger = logging.getLogger(__name__)

PAGE = {
    "/": ("draw.html", "text/html"),
    "/draw.css": ("draw.css", "text/css"),
    "/draw.js": ("draw.js", "text/javascript"),
    "/pen.js": ("pen.js", "text/javascript"),
    "/paper.js": ("paper.js", "text/javascript"),
}
LONGEST_WAIT = 30.0  # seconds for a client to send a request
REFUSALS = (ValueError, BusyError, DamagedError, OSError)  # with a message that says how to mend it


class App:
    """The WSGI application of the page.

    Args:
        shelf: The user's sets of drawings.
        host: What the server is bound to.
        run: A run that was trained elsewhere; None: those of the sets.
        allow: Packages whose classes that run may name.
    """

    def __init__(self, shelf: Shelf, host: str, run: Path | None = None, allow: Sequence[str] = ("vrnn",)):
        self.shelf, self.host, self.given_run, self.allow = shelf, host, run, allow
        self.trainings = Trainings(shelf)
        self.token = secrets.token_urlsafe(24)
        self._opened: tuple[tuple[Path, int], PageRun] | None = None
        self._model_lock = threading.Lock()
        self._gets: dict[str, Callable[[Request], Any]] = {
            "/state": self._state,
            "/progress": lambda request: self._progress(request.args.get("name")),
            "/model": lambda request: self._model(request.args.get("name")),
        }
        self._posts: dict[str, Callable[[dict[str, Any]], Any]] = {
            "/save": self._save,
            "/see": self._see,
            "/train": self._train,
            "/stop": self._stop,
            "/resume": self._resume,
            "/continue": self._continue,
        }

    def __call__(self, environ: Any, start_response: Any) -> Any:
        """Answer a request (PEP 3333)."""
        request = Request(environ)
        try:
            response = self._answer(request)
        except HTTPException as error:
            said = error.description if error.code in (400, 403, 404, 411, 413, 415) else None
            response = _json({"error": said or error.name}, error.code or 500)
        except REFUSALS as error:
            response = _json(
                {"error": " ".join(printable(error).split())}, 409 if isinstance(error, BusyError) else 400
            )
        except Exception:
            logger.exception("%s %s", request.method, printable(request.path))
            response = _json({"error": "The server has failed: its terminal says why."}, 500)
        response.headers.update(HEADERS)
        return response(environ, start_response)

    def _answer(self, request: Request) -> Response:
        check_host(request, self.host)
        if request.method == "POST":
            check_post(request, self.token)
            answer = self._posts.get(request.path)
            if answer is None:
                raise NotFound(f"There is no {printable(request.path)[:60]} to post to.")
            content = parse(request.get_data())
            require(isinstance(content, dict), "the body", "a JSON object", type(content).__name__)
            return _json(answer(content))
        if request.method not in ("GET", "HEAD"):
            raise BadRequest("The method must be GET or POST.")
        if request.path in PAGE:
            name, kind = PAGE[request.path]
            return Response((files("vrnn.draw") / "pages" / name).read_bytes(), content_type=f"{kind}; charset=utf-8")
        if request.path not in self._gets:
            raise NotFound(f"There is no page {printable(request.path)[:60]}.")
        return _json(self._gets[request.path](request))

    def _state(self, request: Request) -> dict[str, Any]:
        """Return what the page shows at first: it keeps nothing that is not here, but strokes that are not yet saved."""
        names = self.shelf.names()
        name = request.args.get("name") or self.trainings.at_work() or (names or ["my-drawing"])[0]
        return {
            "token": self.token,
            "name": name,
            "names": names,
            "set": json.loads(self.shelf.load(name).to_json()),
            "presets": {
                kind: {key: preset.about for key, preset in recipe.presets.items()} for kind, recipe in RECIPES.items()
            },
            "given": self.given_run and str(self.given_run),
        }

    def _name(self, content: dict[str, Any]) -> str:
        return self.shelf.directory(content.get("name")).name

    def _save(self, content: dict[str, Any]) -> dict[str, Any]:
        return {"file": str(self.shelf.save(self._name(content), DrawingSet.checked(content.get("set"))))}

    def _see(self, content: dict[str, Any]) -> dict[str, Any]:
        """Return a saved set's drawings as the model will see them."""
        name = self._name(content)
        file, given = self.shelf.file(name), self.shelf.load(name)
        return as_seen(given.kind or suggested_kind(file, given), file, given)._asdict()

    def _train(self, content: dict[str, Any]) -> dict[str, Any]:
        name = self._name(content)
        self.trainings.start(name, self.shelf.load(name).kind, str(content.get("preset")))
        return self._progress(name)

    def _stop(self, content: dict[str, Any]) -> dict[str, Any]:
        self.trainings.stop(self._name(content))
        return self._progress(self._name(content))

    def _resume(self, content: dict[str, Any]) -> dict[str, Any]:
        self.trainings.resume(self._name(content))
        return self._progress(self._name(content))

    def _progress(self, name: str | None) -> dict[str, Any]:
        if self.given_run is not None:
            steps = stored_settings(self.given_run, self.allow)["training"]["steps"]
            found = training_curves(self.given_run, steps)
            return found | {"state": state(self.given_run), "run": str(self.given_run), "says": None}
        return (self.trainings.progress(name) if name else None) or {"state": "none"}

    def _model(self, name: str | None) -> dict[str, Any]:
        """Return what is known of the model of a set, or of the run that was given."""
        with self._model_lock:
            run = self._open(name)
            return {"form": run.form, "labels": run.labels, "example": run.example}

    def _continue(self, content: dict[str, Any]) -> dict[str, Any]:
        """Return futures of the strokes that the user has begun."""
        strokes = checked_strokes("strokes", content.get("strokes"))
        label = content.get("label")
        require(label is None or isinstance(label, str), "label", "a text", label)
        options = {key: content[key] for key in ("n", "steps", "temperature", "seed") if key in content}
        with self._model_lock:
            return self._open(content.get("name")).continued(strokes, label=label, **options)

    def _open(self, name: Any) -> PageRun:
        """Return the run with its last checkpoint; it is read again when there is a newer one."""
        from vrnn.draw.page_run import PageRun  # imports torch, which takes seconds: the page is there before

        if self.given_run is not None:
            directory, view = self.given_run, None
        else:
            record = self.trainings.record(name)
            require(record is not None, "name", "a set that was trained on", name, "train first")
            assert record is not None
            directory, view = Path(record.run), record.view
        last = directory / "checkpoints" / "last.ckpt"
        if not last.exists():
            raise ConfigError(f"{directory} has no checkpoint yet: wait for the first.")
        stamp = (directory, last.stat().st_mtime_ns)
        if self._opened is None or self._opened[0] != stamp:
            self._opened = stamp, PageRun(directory, self.allow if self.given_run else ("vrnn",), view)
        return self._opened[1]


class _Handler(WSGIRequestHandler):
    timeout = LONGEST_WAIT

    @override
    def log_request(self, *_: Any, **__: Any) -> None:
        pass  # the page asks every second

    @override
    def version_string(self) -> str:
        return "vrnn"


def _json(content: Any, code: int = 200) -> Response:
    return Response(json.dumps(content, allow_nan=False), code, content_type="application/json")


def open_server(app: App, port: int) -> BaseWSGIServer:
    """Return a server that listens; `serve_forever` answers.

    Args:
        app: What it serves.
        port: 0: any free one.

    Raises:
        ConfigError: The address cannot be had.
    """
    try:
        with socket.socket(socket.AF_INET6 if ":" in app.host else socket.AF_INET) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((app.host, port))  # werkzeug itself ends the process where this fails
    except OSError as error:
        if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
            raise ConfigError(
                f"host must be an address of this machine, but is {app.host} ({error.strerror}): leave it out, or give "
                "host=0.0.0.0 for all of its addresses."
            ) from error
        raise ConfigError(
            f"port must be free on {app.host}, but {port} is not ({error.strerror}): give port=0 for any free one."
        ) from error
    return make_server(app.host, port, app, threaded=True, request_handler=_Handler)


def serve(
    directory: Path,
    run: Path | None = None,
    host: str = "127.0.0.1",
    port: int = 8642,
    allow: Sequence[str] = ("vrnn",),
) -> None:
    """Serve the page until Ctrl-C or SIGTERM. A training at work is then stopped, and continues with the next call.

    Args:
        directory: Of the sets of drawings.
        run: A run that was trained elsewhere; None: those of the sets.
        host: The address to listen at.
        port: 0: any free one.
        allow: Packages whose classes that run may name.

    Raises:
        ConfigError: The address cannot be had.
    """
    app = App(Shelf(directory), host, run, allow)
    server = open_server(app, port)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    resumed = [] if run else app.trainings.resume_wanted()
    for name in resumed:
        print(f"The training on {name} continues.")
    shown = f"[{host}]" if ":" in host else host
    print(f"http://{shown}:{server.server_port}/  (Ctrl-C ends)", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        print()
    finally:
        server.server_close()
        app.trainings.stop_all()
