"""Access control: hosts, origins, the token, body sizes, and the headers of every response.

The checks in order: the `Host` must be one of ours, so that no DNS name can be pointed here; the
`Origin`, if any, must be our own page; paths below `/api/` need the token; the size of a body is
limited.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, urlsplit

from framework.tester.bodies import write_json
from framework.tester.openapi import TOKEN_HEADER, TOKEN_PARAMETER
from framework.tester.problems_json import ApiRefusal

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_BODY: Final = 10 * 1024 * 1024
"""Bytes of the longest body."""

_MOST_DRAINED: Final = 64 * 1024 * 1024
"""Bytes of a refused body that are read before the connection is closed."""

_PAGE_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
_SECURITY: Final = (
    (b"content-security-policy", _PAGE_POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
)


@dataclass(frozen=True)
class Rules:
    """The accepted requests: host *names* without port, and the *token* of our own API."""

    names: frozenset[str]
    token: str = field(repr=False)


class Guard:
    """An ASGI app that passes allowed requests on to *app* and secures its responses."""

    def __init__(self, app: ASGIApp, rules: Rules) -> None:
        self._app = app
        self._rules = rules

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return
        secured, limited = _secured(send), Limited(scope, receive)
        try:
            self._check(scope)
            await self._app(scope, limited, secured)
        except ApiRefusal as refusal:
            await limited.drain()
            await answer(secured, refusal.status, refusal.to_json())

    def _check(self, scope: Scope) -> None:
        headers = _headers(scope)
        _check_host(headers, self._rules.names)
        _check_origin(headers, scope)
        if scope["path"].startswith("/api/") and not self._knows(headers, scope):
            message = "The token is missing or wrong. Open the address that `actions serve` shows."
            raise ApiRefusal(401, "NO_TOKEN", message)

    def _knows(self, headers: Mapping[str, str], scope: Scope) -> bool:
        query = parse_qs(scope["query_string"].decode("latin-1"))
        given = headers.get(TOKEN_HEADER.lower()) or query.get(TOKEN_PARAMETER, [""])[0]
        return secrets.compare_digest(
            given.encode("latin-1", "replace"), self._rules.token.encode()
        )


class Gate:
    """An ASGI app that passes requests on by host and by the *origins* of web pages.

    Responses allow pages of these origins to read them. There is no token, unlike in `Guard`.
    """

    def __init__(self, app: ASGIApp, names: frozenset[str], origins: frozenset[str]) -> None:
        self._app = app
        self._names = names
        self._origins = origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        headers = _headers(scope)
        origin = headers.get("origin")
        telling = _telling(send, origin if origin in self._origins else None)
        limited = Limited(scope, receive)
        try:
            _check_host(headers, self._names)
            if origin not in self._origins:
                _check_origin(headers, scope)
            await self._app(scope, limited, telling)
        except ApiRefusal as refusal:
            await limited.drain()
            await answer(telling, refusal.status, refusal.to_json())


def _headers(scope: Scope) -> dict[str, str]:
    return {key.decode("latin-1"): value.decode("latin-1") for key, value in scope["headers"]}


def _check_host(headers: Mapping[str, str], names: frozenset[str]) -> None:
    if _name(headers.get("host", "")) not in names:
        raise ApiRefusal(421, "WRONG_HOST", "This server accepts requests to its own host only.")


def _check_origin(headers: Mapping[str, str], scope: Scope) -> None:
    """Refuse requests from other pages, except to open our page."""
    origin = headers.get("origin")
    foreign = origin is not None and origin != f"{scope['scheme']}://{headers.get('host')}"
    crossed = headers.get("sec-fetch-site") == "cross-site" and scope["path"] != "/"
    if foreign or crossed:
        raise ApiRefusal(403, "WRONG_ORIGIN", "Requests from other pages are refused.")


def _telling(send: Send, origin: str | None) -> Send:
    """Return a *send* with headers that allow or forbid the page of *origin* to read responses."""
    more = [(b"x-content-type-options", b"nosniff"), (b"vary", b"Origin")]
    if origin is not None:
        more += [
            (b"access-control-allow-origin", origin.encode("latin-1")),
            (b"access-control-allow-methods", b"GET,HEAD,PUT,PATCH,POST,DELETE"),
            (b"access-control-allow-headers", b"content-type"),
            (b"access-control-allow-private-network", b"true"),
        ]

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message["headers"], *more]}
        await send(message)

    return sending


class Limited:
    """Returns the messages of a request; raises ApiRefusal if its body exceeds the limit."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self._receive = receive
        self._taken = 0
        self._ended = False
        lengths = [value for key, value in scope["headers"] if key == b"content-length"]
        self._announced = any(not one.isdigit() or int(one) > MAX_BODY for one in lengths)

    async def __call__(self) -> Message:
        """Return the next message."""
        if self._announced:
            raise _too_large()
        message = await self._next()
        if self._taken > MAX_BODY:
            raise _too_large()
        return message

    async def drain(self) -> None:
        """Read the rest of the body, so that the client can read the response."""
        while not self._ended and self._taken < _MOST_DRAINED:
            await self._next()

    async def _next(self) -> Message:
        message = await self._receive()
        self._taken += len(message.get("body", b""))
        self._ended = not message.get("more_body", False)
        return message


def _too_large() -> ApiRefusal:
    limit = MAX_BODY // 1024 // 1024
    return ApiRefusal(413, "TOO_LARGE", f"The body is larger than {limit} MiB.")


def _secured(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            given = {key for key, _ in message["headers"]}
            more = [(key, value) for key, value in _SECURITY if key not in given]
            message = {**message, "headers": [*message["headers"], *more]}
        await send(message)

    return sending


async def answer(send: Send, status: int, value: Any) -> None:
    """Send a JSON response."""
    body = write_json(value)
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
    ]
    if status == 413:
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _name(host: str) -> str | None:
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:
        return None
