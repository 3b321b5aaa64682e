"""HTTP messages between httpx and the wire: what may be sent, and what may be received."""

from __future__ import annotations

import contextlib
import re
import zlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, TypeAlias

import httpx

MAX_BODY: Final = 64 * 1024 * 1024
"""Bytes of a response's body, as received and as decompressed."""

MAX_HEAD: Final = 64 * 1024
"""Bytes of a response's headers, informational responses and trailers included."""

SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "PATCH", "DELETE"})
"""Methods whose requests may be repeated; others need the extension `idempotent`."""

Pairs: TypeAlias = tuple[tuple[bytes, bytes], ...]
"""Names and values of headers."""

_OF_LIBCURL = (b"Accept", b"Content-Type", b"Expect", b"Proxy-Connection")
_MAX_RATIO = 1032  # of gzip and deflate
_BLANK = frozenset({b"\r\n", b"\n"})
_OF_FRAMING = frozenset({b"content-length", b"transfer-encoding"})
_KNOWN_CODINGS = frozenset({b"gzip", b"deflate", b"br", b"zstd"})
_is_token = re.compile(rb"[-!#$%&'*+.^_`|~0-9a-zA-Z]+").fullmatch
_is_value = re.compile(
    rb"(?:[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?"
).fullmatch


class ResponseTooLargeError(httpx.ReadError):
    """A response exceeds its bounds, and would do so again."""


def is_repeatable(request: httpx.Request) -> bool:
    """Return whether sending *request* twice does no harm."""
    return request.method in SAFE_METHODS or bool(request.extensions.get("idempotent"))


def check_request_head(method: str, headers: Iterable[tuple[bytes, bytes]]) -> None:
    """Raise httpx.LocalProtocolError for a method or header that HTTP does not allow.

    The message does not hold the header's value, which may be a credential.
    """
    if not _is_token(method.encode()):
        raise httpx.LocalProtocolError("The method is not an HTTP token.")
    for name, value in headers:
        if not _is_token(name):
            raise httpx.LocalProtocolError("The name of a header is not an HTTP token.")
        if not _is_value(value):
            shown = name.decode("ascii")
            raise httpx.LocalProtocolError(f"The header `{shown}` has a value HTTP does not allow.")


def request_lines(method: str, headers: Pairs) -> tuple[list[bytes], bytes]:
    """Return *headers* as libcurl takes them, and the length they tell, empty if chunked.

    A name without a value keeps libcurl from adding a header of its own.
    """
    check_request_head(method, headers)
    values = {name.lower(): value for name, value in headers}
    lines = [b"%b: %b" % pair if pair[1] else b"%b;" % pair[0] for pair in headers]
    lines += [b"%b:" % name for name in _OF_LIBCURL if name.lower() not in values]
    length = b"" if b"transfer-encoding" in values else values.get(b"content-length", b"0")
    return lines, length


def request_body(request: httpx.Request, length: bytes) -> bytes:
    """Return the body of *request*, which must have this *length* unless that is empty."""
    assert isinstance(request.stream, httpx.SyncByteStream)
    body = b"".join(request.stream)
    if length and length != b"%d" % len(body):
        raise httpx.LocalProtocolError("The header `Content-Length` does not tell the body's.")
    if body and request.method == "HEAD":
        raise httpx.LocalProtocolError("A HEAD request has no body.")
    return body


def parse_response(lines: Sequence[bytes], body: bytes, *, tunnelled: bool) -> httpx.Response:
    """Return the response with the header *lines* as received, and this *body*.

    *tunnelled* means that the lines contain a proxy's response to CONNECT, too. Raises
    httpx.RemoteProtocolError if the end of a body is ambiguous, ResponseTooLargeError if a bound
    is exceeded, and DecodingError for encodings that cannot be bounded.
    """
    if sum(map(len, lines)) > MAX_HEAD:
        raise ResponseTooLargeError("The headers of the response are too large.")
    status, *fields = _final_head(lines, tunnelled=tunnelled)
    version, code, reason = (*status.rstrip(b"\r\n").split(b" ", 2), b"")[:3]
    pairs, names = [], []
    for field in fields:
        name, _, value = field.partition(b":")
        pairs.append((name, value.strip(b" \t\r\n")))
        names.append(name.lower())
    if sum(map(names.count, _OF_FRAMING)) > 1 and len(set(_values(pairs, *_OF_FRAMING))) > 1:
        raise httpx.RemoteProtocolError("The response has more than one length.")
    extensions = {"http_version": version, "reason_phrase": reason}
    if b"content-encoding" not in names:
        return _Whole(int(code), body, names, headers=pairs, extensions=extensions)
    _check_unpacked(body, b",".join(_values(pairs, b"content-encoding")))
    stream = httpx.ByteStream(body)
    return httpx.Response(int(code), headers=pairs, stream=stream, extensions=extensions)


def names_of(headers: httpx.Headers) -> set[bytes]:
    """Return the names of *headers*, in lower case."""
    return {name.lower() for name, _ in headers.raw}


def names_received(response: httpx.Response) -> Iterable[bytes]:
    """Return the names of the headers that were received, in lower case."""
    return response.names if isinstance(response, _Whole) else names_of(response.headers)


class PlainRequest(httpx.Request):
    """A request whose parts are complete, so that creating it takes few steps."""

    def __init__(
        self,
        method: str,
        url: httpx.URL,
        headers: httpx.Headers,
        stream: httpx.SyncByteStream | httpx.AsyncByteStream,
        extensions: dict[str, Any],
    ) -> None:
        self.method, self.url, self.headers = method, url, httpx.Headers(headers)
        self.stream, self.extensions = stream, dict(extensions)

    @property
    def content(self) -> bytes:
        """The body."""
        return self.read()


class _Whole(httpx.Response):
    """A response whose body is there and not encoded, so that reading it takes few steps."""

    def __init__(self, status: int, body: bytes, names: Sequence[bytes], **options: Any) -> None:
        super().__init__(status, stream=httpx.ByteStream(body), **options)
        self._body = body
        self.names = names
        """The names of the headers that were received, in lower case."""

    @property
    def num_bytes_downloaded(self) -> int:
        """How many bytes of the body have been read."""
        return len(self._body) if self.is_stream_consumed else 0

    def iter_bytes(self, chunk_size: int | None = None) -> Iterator[bytes]:
        """Yield the body, in one piece where no *chunk_size* is given."""
        if chunk_size is not None or self.is_stream_consumed or self.is_closed:
            return super().iter_bytes(chunk_size)
        self.is_stream_consumed = True
        self.close()
        return iter((self._body,) if self._body else ())

    def close(self) -> None:
        """Close the stream, which cannot fail."""
        if not self.is_closed:
            self.is_closed = True
            assert isinstance(self.stream, httpx.SyncByteStream)
            self.stream.close()


def _values(pairs: Sequence[tuple[bytes, bytes]], *names: bytes) -> list[bytes]:
    """Return the values of the headers *names*, in their order."""
    return [value for name, value in pairs if name.lower() in names]


def _final_head(lines: Sequence[bytes], *, tunnelled: bool) -> Sequence[bytes]:
    """Return status line and headers, without informational responses, a proxy's and trailers."""
    start = 0
    for end, line in enumerate(lines):
        if line in _BLANK:
            informational = lines[start].split(b" ", 2)[1].startswith(b"1")
            if not (informational or tunnelled):
                return lines[start:end]
            tunnelled = tunnelled and informational
            start = end + 1
    raise httpx.RemoteProtocolError("The headers of the response break off.")


def _check_unpacked(body: bytes, codings: bytes) -> None:
    """Raise ResponseTooLargeError where *body* unpacks to more than MAX_BODY.

    Raises DecodingError for what was not asked for and has no such bound: a body that is packed
    twice, brotli and zstandard. httpx leaves unknown codings alone.
    """
    known = [one for one in map(bytes.strip, codings.lower().split(b",")) if one in _KNOWN_CODINGS]
    if len(known) > 1 or known in ([b"br"], [b"zstd"]):
        raise httpx.DecodingError("The response has an encoding that was not asked for.")
    if not known or len(body) * _MAX_RATIO <= MAX_BODY:
        return
    for window in (zlib.MAX_WBITS | 32, -zlib.MAX_WBITS):  # some send deflate without its header
        with contextlib.suppress(zlib.error):
            if len(zlib.decompressobj(window).decompress(body, MAX_BODY + 1)) > MAX_BODY:
                raise ResponseTooLargeError("The response unpacks to too much.")
