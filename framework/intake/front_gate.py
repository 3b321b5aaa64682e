"""Admission of requests to an intake, by their `Host` and by the origin of a web page."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from starlette.responses import Response

from framework.intake.arrivals import Arrivals
from framework.intake.refused_request import RefusedRequest

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})

_MOST_DRAINED: Final = 16 * 1024 * 1024
"""Bytes of a refused body that are read."""

_DRAINING: Final = 5.0
"""Seconds in which they are read."""

_PREFLIGHT: Final = {
    "access-control-allow-methods": "POST",
    "access-control-allow-headers": "authorization, content-encoding, content-type, x-retry-count",
    "access-control-allow-private-network": "true",
    "access-control-max-age": "600",
}


class FrontGate:
    """An ASGI app that passes allowed requests on to *app*.

    The `Host` must have one of *hosts* as its name, so that no foreign DNS name can be pointed
    here. Requests of web pages must come from one of *origins*, whose pages may read responses.
    """

    def __init__(
        self, app: ASGIApp, hosts: Iterable[str], origins: Iterable[str], arrivals: Arrivals
    ) -> None:
        self._app = app
        self._hosts = frozenset(filter(None, map(host_name, hosts))) | LOOPBACK
        self._origins = frozenset(origin.rstrip("/").lower() for origin in origins)
        self._arrivals = arrivals

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            return
        headers = {key: value.decode("latin-1") for key, value in scope["headers"]}
        origin = headers.get(b"origin")
        exchange = _Exchange(receive, send)
        try:
            self._check(headers.get(b"host", ""), origin)
        except RefusedRequest as refused:
            self._arrivals.refused(refused.code, refused.message)
            await refused.response({"vary": "Origin"})(scope, exchange.receive, exchange.send)
            return
        exchange.origin = origin
        if scope["method"] == "OPTIONS":
            response = Response(status_code=204, headers=_PREFLIGHT)
            await response(scope, exchange.receive, exchange.send)
            return
        await self._app(scope, exchange.receive, exchange.send)

    def _check(self, host: str, origin: str | None) -> None:
        if host_name(host) not in self._hosts:
            message = "Requests to this host name are not accepted; see --allow-host."
            raise RefusedRequest(421, "WRONG_HOST", message)
        if origin is not None and origin.lower() not in self._origins:
            message = "Pages of this origin may not send events; see --allow-origin."
            raise RefusedRequest(403, "WRONG_ORIGIN", message)


class _Exchange:
    """Adds headers for pages of *origin* to a response.

    Before an error is sent, the rest of the request's body is read: otherwise a client that is
    still sending finds its connection closed, does not see the error, and repeats the request.
    """

    def __init__(self, receive: Receive, send: Send) -> None:
        self.origin: str | None = None
        self._receive = receive
        self._send = send
        self._ended = False

    async def receive(self) -> Message:
        """Return the next message of the request."""
        message = await self._receive()
        self._ended = not message.get("more_body", False)
        return message

    async def send(self, message: Message) -> None:
        """Send a message of the response."""
        if message["type"] == "http.response.start":
            if message["status"] >= 400:
                await self._drain()
            if self.origin is not None:
                shared = [
                    (b"access-control-allow-origin", self.origin.encode("latin-1")),
                    (b"access-control-expose-headers", b"retry-after"),
                    (b"vary", b"Origin"),
                ]
                message = {**message, "headers": [*message["headers"], *shared]}
        await self._send(message)

    async def _drain(self) -> None:
        left = _MOST_DRAINED
        try:
            async with asyncio.timeout(_DRAINING):
                while not self._ended and left > 0:
                    left -= len((await self.receive()).get("body", b""))
        except TimeoutError:
            pass


def host_name(host: str) -> str | None:
    """Return the name in a host with or without a port, in lower case; None if it is invalid."""
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:
        return None
