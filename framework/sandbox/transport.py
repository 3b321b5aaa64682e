"""A sandbox in place of the network: an httpx transport that calls it in-process."""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING, Any

import httpx

from framework.delivery import check_request_head
from framework.errors import APIError
from framework.sandbox.faults import DroppedConnectionError
from framework.sandbox.partner import DELAY, Sandbox

if TYPE_CHECKING:
    from wsgiref.types import WSGIEnvironment


class SandboxTransport(httpx.BaseTransport):
    """Passes requests for the sandbox's origins to *sandbox*; nothing reaches the network.

    A dropped connection raises httpx.RemoteProtocolError, a response later than the request's read
    timeout httpx.ReadTimeout, and a header that HTTP does not allow httpx.LocalProtocolError. A
    request to another origin raises APIError (`SANDBOX_ORIGIN`).
    """

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Return the sandbox's response to *request*."""
        check_request_head(request.method, request.headers.raw)
        origin = f"{request.url.scheme}://{request.url.netloc.decode('ascii')}"
        if not self.sandbox.simulates(origin):
            known = ", ".join(self.sandbox.origins) or "no origin"
            message = f"The sandbox simulates {known}, not {origin}. Add it to `origins`."
            if not request.url.netloc:
                message = f"A request has no origin, only the path `{request.url.path}`."
            raise APIError(message, "SANDBOX_ORIGIN")
        environ = _environ(request)
        started = _Recorder()
        try:
            chunks = self.sandbox(environ, started)
        except DroppedConnectionError as error:
            message = "Server disconnected without sending a response."
            raise httpx.RemoteProtocolError(message, request=request) from error
        timeout = request.extensions.get("timeout", {}).get("read")
        if timeout is not None and environ.get(DELAY, 0) > timeout:
            raise httpx.ReadTimeout("The read operation timed out", request=request)
        return httpx.Response(started.status, headers=started.headers, content=b"".join(chunks))


class _Recorder:
    """A WSGI start_response that stores status and headers."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: list[tuple[str, str]] = []

    def __call__(
        self, status: str, headers: list[tuple[str, str]], exc_info: object = None, /
    ) -> Any:
        del exc_info
        self.status, self.headers = int(status[:3]), headers
        return None


def _environ(request: httpx.Request) -> WSGIEnvironment:
    body = request.read()
    environ: WSGIEnvironment = {
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": request.url.path.encode().decode("latin-1"),
        "QUERY_STRING": request.url.query.decode("ascii"),
        "SERVER_NAME": request.url.host,
        "SERVER_PORT": str(request.url.port or 443),
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": request.url.scheme,
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for name, value in request.headers.items():
        environ["HTTP_" + name.upper().replace("-", "_")] = value
    environ["CONTENT_TYPE"] = environ.pop("HTTP_CONTENT_TYPE", "")
    environ.pop("HTTP_CONTENT_LENGTH", None)
    environ["CONTENT_LENGTH"] = str(len(body))
    return environ
