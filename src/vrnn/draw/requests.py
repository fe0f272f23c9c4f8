"""What is refused of a request before anything is done: other hosts and origins, no token, too much."""

from __future__ import annotations

import hmac
import ipaddress
import socket
from urllib.parse import urlsplit

from werkzeug.exceptions import Forbidden, LengthRequired, RequestEntityTooLarge, UnsupportedMediaType
from werkzeug.wrappers import Request

LARGEST_BODY = 5_000_000  # bytes
LOOPBACK = ("127.0.0.1", "localhost", "::1")
EVERYWHERE = ("0.0.0.0", "::", "")
TOKEN = "X-Token"
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def check_host(request: Request, bound: str) -> None:
    """Refuse a request that names another host: a page of a stranger's, whose name was made to lead to this machine.

    Args:
        request: The request.
        bound: What the server is bound to.

    Raises:
        Forbidden: The Host header is missing or another, or the Origin is another page's.
    """
    host = _hostname(request.headers.get("Host", ""))
    if host not in (*LOOPBACK, bound) and not (bound in EVERYWHERE and _is_own(host)):
        raise Forbidden(f"Host must be {bound or 'this machine'}, but is {host or 'missing'}.")
    origin = request.headers.get("Origin")
    if origin is not None and origin != f"http://{request.headers['Host']}":
        raise Forbidden(f"Origin must be this page, but is {origin[:100]}.")


def check_post(request: Request, token: str) -> None:
    """Refuse a request to change something that does not come from the page, or is too large.

    Raises:
        Forbidden: The token is missing or another.
        UnsupportedMediaType: The body is no JSON.
        LengthRequired, RequestEntityTooLarge: It does not say how large it is, or is too large.
    """
    if not hmac.compare_digest(request.headers.get(TOKEN, "").encode(), token.encode()):
        raise Forbidden(f"{TOKEN} must be the page's, but is missing or another: reload the page.")
    if request.mimetype != "application/json":
        raise UnsupportedMediaType(
            f"Content-Type must be application/json, but is {request.mimetype[:60] or 'missing'}."
        )
    if request.content_length is None:
        raise LengthRequired("Content-Length must be given, but is missing.")
    if request.content_length > LARGEST_BODY:
        raise RequestEntityTooLarge(
            f"The body must have at most {LARGEST_BODY} bytes, but has {request.content_length}."
        )


def _hostname(header: str) -> str:
    """Return the host of a Host header without its port, "" where it is none."""
    try:
        return (urlsplit(f"//{header}").hostname or "") if "@" not in header else ""
    except ValueError:
        return ""


def _is_own(host: str) -> bool:
    """Tell whether a name cannot be a stranger's: an address, or this machine's own name."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return host == socket.gethostname().lower()
    return True
