"""Connections to an origin, and the answers that come in on them, parsed in C.

The parser is llhttp (by httptools), as strict as that of Node.
"""

from __future__ import annotations

import logging
import select
import socket
import ssl
import sys
import time
from collections.abc import Callable, Iterator
from typing import Final, TypeAlias

import httptools
import httpx

Origin: TypeAlias = tuple[str, str, int | None]
"""Scheme, host, and port where it is not the usual one."""

PORTS: Final = {"http": 80, "https": 443}
"""The schemes that are spoken, and their usual ports."""

LONGEST_IDLE: Final = 5.0
"""Seconds for which a connection is kept."""

LONGEST_HEAD: Final = 100 * 1024
"""Bytes that may come in before the headers of an answer are complete."""

_PIECE = 65_536
_OF_LENGTH = frozenset({b"content-length", b"transfer-encoding"})
_logger = logging.getLogger("action_destinations")


class Line:
    """A connection to an origin, for one request after the other."""

    def __init__(self, origin: Origin, sock: socket.socket) -> None:
        self.origin = origin
        self.since = 0.0
        self._socket = sock
        self._patience = sock.gettimeout()
        self._answer = _Answer()

    @property
    def reusable(self) -> bool:
        """Tell whether the last answer was taken in to its end, and another may follow."""
        return self._answer.complete and self._answer.lasting

    @property
    def fresh(self) -> bool:
        """Tell whether the connection has not been idle for too long."""
        return time.monotonic() - self.since < LONGEST_IDLE

    @property
    def readable(self) -> bool:
        """Tell whether something has come in, which for an idle connection is its end."""
        if sys.platform == "win32":
            return bool(select.select([self._socket], [], [], 0)[0])
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        return bool(poll.poll(0))

    def send(self, parts: tuple[bytes, ...], patience: float | None) -> None:
        """Send *parts*, each within *patience* seconds from the partner's last sign of life.

        An error is no end yet: the partner may have answered before it hung up.
        """
        self._answer.begin()
        self._allow(patience)
        try:
            for part in parts:
                rest = memoryview(part)
                while rest:
                    rest = rest[self._socket.send(rest) :]
        except TimeoutError as error:
            raise httpx.WriteTimeout(str(error)) from error
        except OSError:
            self._answer.lasting = False

    def receive_head(self, patience: float | None) -> None:
        """Read until status and headers are there; each read takes at most *patience* seconds."""
        self._allow(patience)
        while not self._answer.headed:
            self._receive()

    def tell(self, sent: tuple[bytes, ...]) -> None:
        """Log how much was sent and what the answer is, for those who look for an error."""
        size, status = sum(map(len, sent)), self._answer.status
        _logger.debug("%s got %d bytes and answered %d.", shown(self.origin), size, status)

    def response(self, release: Callable[[Line], None]) -> httpx.Response:
        """Give the answer; *release* is called when its body has been read or is not wanted."""
        answer = self._answer
        status, headers = answer.status, answer.headers
        extensions = {"http_version": answer.version, "reason_phrase": answer.reason}
        if not answer.complete:
            body = _Body(self, release)
            return httpx.Response(status, headers=headers, stream=body, extensions=extensions)
        whole = httpx.ByteStream(b"".join(answer.take()))
        release(self)
        encoded = b"content-encoding" in [name.lower() for name, _ in headers]
        kind = httpx.Response if encoded else _Whole
        return kind(status, headers=headers, stream=whole, extensions=extensions)

    def body(self) -> Iterator[bytes]:
        """Yield the body as it comes in."""
        while not self._answer.complete:
            yield from self._answer.take()
            self._receive()
        yield from self._answer.take()

    def close(self) -> None:
        """Hang up."""
        self._socket.close()

    def _allow(self, patience: float | None) -> None:
        """Wait for at most so many seconds from now on."""
        if patience != self._patience:
            self._socket.settimeout(patience)
            self._patience = patience

    def _receive(self) -> None:
        try:
            data = self._socket.recv(_PIECE)
        except TimeoutError as error:
            raise httpx.ReadTimeout(str(error)) from error
        except OSError as error:
            raise httpx.ReadError(str(error)) from error
        if data:
            self._answer.feed(data)
        else:
            self._answer.end()


class _Answer:
    """What the parser finds in the bytes of a connection: one answer after the other."""

    def __init__(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self.begin()

    def begin(self) -> None:
        """Wait for an answer.

        It is *headed* when its headers are there, and *lasting* as long as another may follow.
        """
        self.headed = self.complete = False
        self.lasting = True
        self._taken = 0
        self._pieces: list[bytes] = []
        self._expect()

    def feed(self, data: bytes) -> None:
        """Take in what was read; what follows a complete answer is not one of ours."""
        self._taken += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            if not self.complete:
                raise httpx.RemoteProtocolError(str(error)) from error
            self.lasting = False
        if not self.headed and self._taken > LONGEST_HEAD:
            raise httpx.RemoteProtocolError("The headers are too long.")

    def end(self) -> None:
        """Take in that the partner has hung up, which ends a body of unknown length."""
        if not self.headed:
            raise httpx.RemoteProtocolError("Server disconnected without sending a response.")
        names = {name.lower() for name, _ in self.headers}
        if not names.isdisjoint(_OF_LENGTH):
            raise httpx.RemoteProtocolError("Server disconnected before the end of its response.")
        self.complete, self.lasting = True, False

    def take(self) -> list[bytes]:
        """Give the pieces of the body that have come in since."""
        pieces, self._pieces = self._pieces, []
        return pieces

    def on_message_begin(self) -> None:
        """Begin an answer."""
        if self.complete:
            self.lasting = False

    def on_status(self, reason: bytes) -> None:
        """Take in the words behind the status."""
        if not self.headed:
            self.reason += reason

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take in a header; those behind the body are dropped."""
        if not self.headed:
            self.headers.append((name, value.rstrip(b" \t")))

    def on_headers_complete(self) -> None:
        """Take in status and version."""
        status = self._parser.get_status_code()
        if not self.headed and status >= 200:
            self.status, self.headed = status, True
            self.version = b"HTTP/" + self._parser.get_http_version().encode("ascii")

    def on_body(self, piece: bytes) -> None:
        """Take in a piece of the body."""
        if not self.complete:
            self._pieces.append(piece)

    def on_message_complete(self) -> None:
        """End an answer; one that is only informational is followed by another."""
        if not self.headed:
            self._expect()
        elif not self.complete:
            self.complete = True
            self.lasting = self.lasting and self._parser.should_keep_alive()

    def _expect(self) -> None:
        self.status, self.version, self.reason = 0, b"", b""
        self.headers: list[tuple[bytes, bytes]] = []


class _Whole(httpx.Response):
    """An answer that is there with all of its body, which is given in one piece."""

    _taken = 0

    def close(self) -> None:
        """Have no more of it; there is no connection to give back."""
        self.is_closed = True

    @property
    def num_bytes_downloaded(self) -> int:
        """How long the part of the body is that has been read."""
        return self._taken or super().num_bytes_downloaded

    def iter_bytes(self, chunk_size: int | None = None) -> Iterator[bytes]:
        """Yield the body, without what httpx does for those that come bit by bit."""
        if chunk_size is not None or self.is_stream_consumed or self.is_closed:
            return super().iter_bytes(chunk_size)
        assert isinstance(self.stream, httpx.SyncByteStream)
        self.is_stream_consumed = True
        body = b"".join(self.stream)
        self._taken = len(body)
        self.close()
        return iter((body,) if body else ())


class _Body(httpx.SyncByteStream):
    """The body of an answer that is still on its way."""

    def __init__(self, line: Line, release: Callable[[Line], None]) -> None:
        self._line = line
        self._release: Callable[[Line], None] | None = release

    def __iter__(self) -> Iterator[bytes]:
        try:
            yield from self._line.body()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Give the connection back, once."""
        release, self._release = self._release, None
        if release:
            release(self._line)


def shown(origin: Origin) -> str:
    """Give host and port of an origin, for logs."""
    scheme, host, port = origin
    return f"{host}:{port or PORTS[scheme]}"


def connected(
    origin: Origin, patience: float | None, trust: ssl.SSLContext | None
) -> socket.socket:
    """Give a socket on which an origin waits for requests."""
    scheme, host, port = origin
    try:
        sock = socket.create_connection((host, port or PORTS[scheme]), patience)
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return trust.wrap_socket(sock, server_hostname=host) if trust else sock
        except BaseException:
            sock.close()
            raise
    except TimeoutError as error:
        raise httpx.ConnectTimeout(str(error)) from error
    except OSError as error:
        raise httpx.ConnectError(str(error)) from error
