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
from functools import cached_property, lru_cache
from typing import Final

import httpx

from framework.delivery.lines import PORTS, Line, Origin, connected, shown

MOST_CONNECTIONS: Final = 100
"""Connections in use at once; whoever needs another waits for one as the pool timeout allows."""

MOST_IDLE: Final = 20
"""Connections to one origin that are kept for later."""

_logger = logging.getLogger("action_destinations")
_LARGE = 65_536
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
        self._room = threading.Semaphore(MOST_CONNECTIONS)
        self._lock = threading.Lock()
        self._idle: dict[Origin, list[Line]] = {}
        self._closed = False

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send *request* and give its answer, whose body may still be on its way."""
        written = _written(request)
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


def _written(request: httpx.Request) -> tuple[bytes, ...] | None:
    """Give *request* as it is sent, or None where it is out of the ordinary."""
    stream, url, headers = request.stream, request.url, request.headers.raw
    target, place = url.raw_path, _place_of_length(tuple([name for name, _ in headers]))
    if not (
        place is not None
        and isinstance(stream, httpx.ByteStream)
        and request.method in _METHODS
        and url.scheme in PORTS
        and _OF_HTTPCORE.isdisjoint(request.extensions)
        and _is_target(target)
        and all(_is_value(value) for _, value in headers)
    ):
        return None
    body = b"".join(stream)
    if (headers[place][1] if place < len(headers) else b"0") != b"%d" % len(body):
        raise httpx.LocalProtocolError("The header `Content-Length` does not tell the body's.")
    lines = [b"%b: %b\r\n" % pair for pair in headers]
    first = b"%b %b HTTP/1.1\r\n" % (request.method.encode("ascii"), target)
    head = b"".join((first, *lines, b"\r\n"))
    return (head + body,) if len(body) < _LARGE else (head, body)


@lru_cache(maxsize=256)
def _place_of_length(names: tuple[bytes, ...]) -> int | None:
    """Give the place of `Content-Length` among the *names* of headers; past the last, it is none.

    None where the names are out of the ordinary.
    """
    lower = [name.lower() for name in names]
    doubled = len(set(lower)) < len(lower)
    if doubled or b"host" not in lower or not _OF_FRAMING.isdisjoint(lower):
        return None
    if not all(map(_is_name, names)):
        return None
    return lower.index(b"content-length") if b"content-length" in lower else len(lower)


def _origin(url: httpx.URL) -> Origin:
    return url.scheme, url.raw_host.decode("ascii"), url.port
