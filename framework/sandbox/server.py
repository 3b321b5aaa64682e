"""A sandbox as an HTTP server: the partner's API, a control API and a page.

======================================  ===========================================================
`GET /`                                 the page
`GET /__sandbox/state?detail=counts`    state as JSON; detail is counts, digests or members
`GET /__sandbox/fault`                  the form that injects a fault
`GET /__sandbox/faults`                 kinds of faults, and pending faults
`POST /__sandbox/faults`                inject a fault: `{"kind": "slow", "route": "*", "call": 1,
                                        "times": 1, "seconds": 1.0}`
`POST /__sandbox/clock`                 advance the clock by seconds: `{"move": 900}`
`POST /__sandbox/reset`                 reset state, log and faults: `{}`
======================================  ===========================================================

Served by cheroot: unlike waitress it closes a connection when the app raises, and unlike werkzeug's
server it keeps connections open between requests, as partners do.
"""

from __future__ import annotations

import json
import logging
import math
import socket
import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING, Any, Final, Self
from urllib.parse import parse_qsl, urlsplit

from framework.errors import ConfigurationError
from framework.sandbox.faults import Fault
from framework.sandbox.page import FAULT_FORM, render, render_form
from framework.sandbox.partner import Sandbox, SandboxRequest, SandboxResponse, respond
from framework.threads import Latch

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

_logger = logging.getLogger("framework.sandbox")

LOOPBACK_NAMES: Final = frozenset({"127.0.0.1", "localhost", "::1"})
"""Accepted names in the `Host` header of requests to a loopback server."""

_CONTROL = "/__sandbox/"
_CONTROL_LIMIT = 1 << 16
_MAX_BYTES = 1 << 26
_TICK = 0.05  # seconds after which a server notices a stop
_PAGE_HEADERS = (
    ("Cache-Control", "no-store"),
    (
        "Content-Security-Policy",
        "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'",
    ),
    ("X-Content-Type-Options", "nosniff"),
)


class Server:
    """A server for a WSGI app on *host* and *port* (0 selects a free port).

    The port is bound on construction, which raises OSError if it is in use. As a context manager
    the server runs in background threads until the block ends; `run` blocks until interrupted.
    """

    def __init__(self, app: WSGIApplication, *, host: str = "127.0.0.1", port: int = 0) -> None:
        from cheroot import wsgi  # noqa: PLC0415 - heavy, imported at first use

        _check_free(host, port)  # cheroot hides the reason and leaves its socket open
        self._server: Any = wsgi.Server((host, port), app, server_name=host, shutdown_timeout=1)
        self._server.ConnectionClass = _connection_class()
        self._server.max_request_body_size = _MAX_BYTES
        self._server.expiration_interval = _TICK
        self._server.prepare()
        self._host = f"[{host}]" if ":" in host else host
        self.port: int = self._server.bind_addr[1]

    @property
    def url(self) -> str:
        """The server's origin: `http://` with host and port, without a trailing slash."""
        return f"http://{self._host}:{self.port}"

    def run(self, announce: Callable[[], None] = lambda: None) -> None:
        """Serve until the process is interrupted; call *announce* when the server has started.

        An interruption while something is announced ends the server, too. Outside of this method
        it would leave cheroot's threads, for which the process waits.
        """
        # In a thread of its own: what interrupts one of the waits in there can get lost.
        with suppress(KeyboardInterrupt), self:
            announce()
            self._over.wait_until_open()

    def __enter__(self) -> Self:
        self._over = Latch()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.stop()
        self._thread.join()

    def _serve(self) -> None:
        try:
            self._server.serve()
        finally:
            self._over.open()


def _check_free(host: str, port: int) -> None:
    """Raise OSError if an address is in use."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        tried.bind((host, port))


@cache
def _connection_class() -> type:
    """Return cheroot's connection, which also closes what could not be written any more.

    Otherwise Python 3.13 tries to write it when the object is collected, and prints that it fails.
    """
    from cheroot.server import HTTPConnection  # noqa: PLC0415 - heavy, imported at first use

    class Connection(HTTPConnection):
        def close(self) -> None:
            super().close()
            if not self.linger:
                with suppress(OSError):
                    self.wfile.close()

    return Connection


def serve(
    sandbox: Sandbox,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    names: frozenset[str] = LOOPBACK_NAMES,
) -> Server:
    """Return a server for *sandbox* with its control API and page, by default on loopback.

    Requests whose `Host` is not one of *names* get 421, which protects against DNS rebinding.
    """
    return Server(only_for(names, controlled(sandbox)), host=host, port=port)


def only_for(names: frozenset[str], app: WSGIApplication) -> WSGIApplication:
    """Wrap *app*: requests whose `Host` is not one of *names* get 421."""

    def checked(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if _host_name(environ.get("HTTP_HOST", "")) in names:
            return app(environ, start_response)
        SandboxRequest.read(environ, 0)
        return respond(
            _problem(421, "This server accepts only requests to its own host name."), start_response
        )

    return checked


def _host_name(header: str) -> str | None:
    try:
        return urlsplit(f"//{header}").hostname
    except ValueError:
        return None


def controlled(sandbox: Sandbox) -> WSGIApplication:
    """Return a WSGI app that serves *sandbox* with its control API and its page."""

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if path != "/" and not path.startswith(_CONTROL):
            return sandbox(environ, _recorded(environ, start_response))
        request = SandboxRequest.read(environ, _CONTROL_LIMIT)
        return respond(_control(sandbox, request), start_response)

    return app


def _recorded(environ: WSGIEnvironment, start_response: StartResponse) -> StartResponse:
    """Return what starts the response to a request and logs both, if that is asked for."""
    if not _logger.isEnabledFor(logging.INFO):
        return start_response

    def start(status: str, *rest: Any) -> Any:
        _logger.info("%s %s: %s", environ["REQUEST_METHOD"], environ.get("PATH_INFO", ""), status)
        return start_response(status, *rest)

    return start


def _control(sandbox: Sandbox, request: SandboxRequest) -> SandboxResponse:
    respond_to = _ENDPOINTS.get((request.method, request.path))
    if respond_to is None:
        known = ", ".join(" ".join(key) for key in _ENDPOINTS)
        return _problem(404, f"Unknown control endpoint. Known endpoints: {known}.")
    if respond_to is _send_form and not _is_own_page(request):
        return _problem(403, "Only the sandbox's own page may send this form.")
    is_json = request.headers.get("content-type") == "application/json"
    if request.method == "POST" and respond_to is not _send_form and not is_json:
        return _problem(415, "The Content-Type must be `application/json`.")
    try:
        return respond_to(sandbox, request)
    except ConfigurationError as error:
        return _problem(400, str(error))


def _page(sandbox: Sandbox, request: SandboxRequest) -> SandboxResponse:
    del request
    return _html(render(sandbox))


def _html(text: str, status: int = 200) -> SandboxResponse:
    kind = "text/html; charset=utf-8"
    return SandboxResponse(status, text.encode(), headers=_PAGE_HEADERS, content_type=kind)


def _form(sandbox: Sandbox, request: SandboxRequest) -> SandboxResponse:
    del request
    return _html(render_form(sandbox))


def _send_form(sandbox: Sandbox, request: SandboxRequest) -> SandboxResponse:
    given: dict[str, Any] = dict(parse_qsl(request.body.decode("utf-8", "replace")))
    try:
        for name, read in (("call", int), ("times", int), ("seconds", float)):
            given |= {name: read(given[name])} if name in given else {}
        sandbox.inject(Fault.read(given))
    except ConfigurationError as error:
        return _html(render_form(sandbox, str(error)), 400)
    except ValueError:
        return _html(render_form(sandbox, "Fault options must be numbers."), 400)
    return SandboxResponse(303, headers=(("Location", "/"),))


def _is_own_page(request: SandboxRequest) -> bool:
    """Return whether a form comes from the sandbox's page; browsers name the origin of forms."""
    return request.headers.get("origin") == f"http://{request.headers.get('host')}"


def _state(sandbox: Sandbox, request: SandboxRequest) -> SandboxResponse:
    return SandboxResponse(body=sandbox.state(request.query.get("detail", "counts")))


def _faults(sandbox: Sandbox, request: SandboxRequest) -> SandboxResponse:
    del request
    pending = [fault.to_json() for fault in sandbox.pending_faults()]
    return SandboxResponse(body={"known": sandbox.faults, "pending": pending})


def _inject(sandbox: Sandbox, request: SandboxRequest) -> SandboxResponse:
    sandbox.inject(Fault.read(_json(request)))
    return _faults(sandbox, request)


def _move(sandbox: Sandbox, request: SandboxRequest) -> SandboxResponse:
    raw = _json(request)
    seconds = raw.get("move") if isinstance(raw, dict) else None
    if not isinstance(seconds, int | float) or not math.isfinite(seconds):
        raise ConfigurationError("`move` must be a number of seconds.")
    sandbox.clock.move(seconds)
    return SandboxResponse(body={"now": sandbox.clock.time()})


def _reset(sandbox: Sandbox, request: SandboxRequest) -> SandboxResponse:
    del request
    sandbox.reset()
    return SandboxResponse(body=sandbox.state())


_ENDPOINTS: Mapping[tuple[str, str], Callable[[Sandbox, SandboxRequest], SandboxResponse]] = {
    ("GET", "/"): _page,
    ("GET", FAULT_FORM): _form,
    ("POST", FAULT_FORM): _send_form,
    ("GET", "/__sandbox/state"): _state,
    ("GET", "/__sandbox/faults"): _faults,
    ("POST", "/__sandbox/faults"): _inject,
    ("POST", "/__sandbox/clock"): _move,
    ("POST", "/__sandbox/reset"): _reset,
}


def _json(request: SandboxRequest) -> Any:
    try:
        return json.loads(request.body)
    except ValueError:
        raise ConfigurationError("The body must be JSON.") from None


def _problem(status: int, message: str) -> SandboxResponse:
    return SandboxResponse(status, {"error": message})
