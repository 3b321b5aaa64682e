"""Requests straight to their origin: HTTP/1.1 in one write and mostly one read.

What is out of the ordinary takes httpx's own transport: bodies that stream, `HEAD`, headers that
HTTP does not allow or that concern the framing, httpx's extensions for the network.
"""

from __future__ import annotations

import logging
import re
import ssl
import threading
import time
from collections.abc import Sequence
from functools import cached_property, lru_cache
from typing import Final, TypeAlias

import httpx

from framework.delivery.lines import PORTS, Line, Origin, connected, shown

MOST_CONNECTIONS: Final = 100
"""Connections in use at once; whoever needs another waits for one as the pool timeout allows."""

MOST_IDLE: Final = 20
"""Connections to one origin that are kept for later."""

_logger = logging.getLogger("action_destinations")
_LARGE = 65_536
_KEPT_HEADS = 64
_Pairs: TypeAlias = tuple[tuple[bytes, bytes], ...]
_METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_OF_HTTPCORE = frozenset({"sni_hostname", "target", "trace"})
_OF_FRAMING = frozenset({b"transfer-encoding", b"upgrade", b"expect", b"te"})
_is_name = re.compile(rb"[-!#$%&'*+.^_`|~0-9a-zA-Z]+").fullmatch
_is_value = re.compile(
    rb"(?:[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?"
).fullmatch
_is_target = re.compile(rb"[\x21-\x7e]+").fullmatch


class Direct(httpx.BaseTransport):
    """Sends requests to their origins over connections that are kept; safe under threads.

    Raises what httpx's own transport raises: ConnectError and ConnectTimeout as long as nothing
    can have been sent. An idle connection that the partner has closed is not used again.
    """

    def __init__(self) -> None:
        self._head = lru_cache(maxsize=_KEPT_HEADS)(_head)
        self._room = threading.Semaphore(MOST_CONNECTIONS)
        self._lock = threading.Lock()
        self._idle: dict[Origin, list[Line]] = {}
        self._closed = False

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send *request* and give its answer, whose body may still be on its way."""
        written = self._written(request)
        if written is None:
            return self._otherwise.handle_request(request)
        timeouts = request.extensions.get("timeout", {})
        if not self._room.acquire(timeout=timeouts.get("pool")):
            raise httpx.PoolTimeout("No connection became free in time.")
        line: Line | None = None
        try:
            line = self._line(_origin(request.url), timeouts.get("connect"))
            line.send(written, timeouts.get("write"))
            line.receive_head(timeouts.get("read"))
            if _logger.isEnabledFor(logging.DEBUG):
                line.tell(written)
        except BaseException:
            self._release(line)
            raise
        return line.response(self._release)

    def close(self) -> None:
        """Close the connections; those in use are closed after their answer."""
        with self._lock:
            idle, self._idle, self._closed = self._idle, {}, True
        for lines in idle.values():
            for line in lines:
                line.close()
        if "_otherwise" in vars(self):
            self._otherwise.close()

    @cached_property
    def _trust(self) -> ssl.SSLContext:
        """The certificates that httpx trusts; reading them takes a while, so not before `https`."""
        context = httpx.create_ssl_context()
        context.set_alpn_protocols(["http/1.1"])
        return context

    @cached_property
    def _otherwise(self) -> httpx.HTTPTransport:
        return httpx.HTTPTransport(verify=self._trust)

    def _written(self, request: httpx.Request) -> tuple[bytes, ...] | None:
        """Give *request* as it is sent, or None where it is out of the ordinary."""
        stream, url = request.stream, request.url
        if not (
            isinstance(stream, httpx.ByteStream)
            and url.scheme in PORTS
            and _OF_HTTPCORE.isdisjoint(request.extensions)
            and (told := self._head(request.method, url.raw_path, tuple(request.headers.raw)))
        ):
            return None
        (head, length), body = told, b"".join(stream)
        if length != b"%d" % len(body):
            raise httpx.LocalProtocolError("The header `Content-Length` does not tell the body's.")
        return (head + body,) if len(body) < _LARGE else (head, body)

    def _line(self, origin: Origin, patience: float | None) -> Line:
        """Give an idle connection that is still good, else a new one."""
        while True:
            with self._lock:
                kept = self._idle.get(origin)
                line = kept.pop() if kept else None
            if line is None:
                _logger.debug("Connecting to %s.", shown(origin))
                trust = self._trust if origin[0] == "https" else None
                return Line(origin, connected(origin, patience, trust))
            if line.fresh and not line.readable:
                return line
            _logger.debug("The connection to %s is over.", shown(origin))
            line.close()

    def _release(self, line: Line | None) -> None:
        """Keep the connection if it can serve again, and make room for another."""
        left = [line] if line else []
        if line and line.reusable:
            line.since = time.monotonic()
            with self._lock:
                if not self._closed:
                    kept = self._idle.setdefault(line.origin, [])
                    kept.append(line)
                    left = [kept.pop(0)] if len(kept) > MOST_IDLE or not kept[0].fresh else []
        for one in left:
            one.close()
        self._room.release()


def _head(method: str, target: bytes, headers: _Pairs) -> tuple[bytes, bytes] | None:
    """Give what goes before a body, and the length that it tells; None if out of the ordinary."""
    place = _place_of_length([name.lower() for name, _ in headers])
    if (
        place is None
        or method not in _METHODS
        or not _is_target(target)
        or not all(_is_name(name) and _is_value(value) for name, value in headers)
    ):
        return None
    lines = [b"%b: %b\r\n" % pair for pair in headers]
    first = b"%b %b HTTP/1.1\r\n" % (method.encode("ascii"), target)
    return b"".join((first, *lines, b"\r\n")), headers[place][1] if place < len(headers) else b"0"


def _place_of_length(names: Sequence[bytes]) -> int | None:
    """Give the place of `content-length` among the *names* of headers; past the last, it is none.

    None where the names are out of the ordinary.
    """
    doubled = len(set(names)) < len(names)
    if doubled or b"host" not in names or not _OF_FRAMING.isdisjoint(names):
        return None
    return names.index(b"content-length") if b"content-length" in names else len(names)


def _origin(url: httpx.URL) -> Origin:
    return url.scheme, url.raw_host.decode("ascii"), url.port
