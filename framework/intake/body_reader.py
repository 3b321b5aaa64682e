"""Reading the body of a request within bounds on its size, packed and unpacked, and on time."""

from __future__ import annotations

import asyncio
import zlib
from typing import TYPE_CHECKING, Final

from framework.intake.refused_request import RefusedRequest

if TYPE_CHECKING:
    from starlette.requests import Request

_TIMEOUT: Final = 30.0
"""Seconds in which a body must arrive."""

_GZIP: Final = 31
"""The window of zlib for gzip only."""


class Disconnected(Exception):  # noqa: N818 - no error
    """The client has closed the connection before its request was complete."""


async def read_content(request: Request, max_body: int, max_unpacked: int) -> bytes:
    """Return the body of a request, unpacked.

    Raises RefusedRequest if it is larger than *max_body* bytes, or *max_unpacked* unpacked, if it
    is not complete in time, or packed in another way than by gzip; Disconnected.
    """
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in {"identity", "gzip", "x-gzip"}:
        raise RefusedRequest(
            415, "UNSUPPORTED_ENCODING", "Send the body uncompressed or packed by gzip."
        )
    try:
        async with asyncio.timeout(_TIMEOUT):
            body = await _receive(request, max_body)
    except TimeoutError:
        raise RefusedRequest(408, "BODY_TIMEOUT", "The body did not arrive in time.") from None
    return body if encoding == "identity" else unpack_gzip(body, max_unpacked)


async def _receive(request: Request, max_body: int) -> bytes:
    announced = request.headers.get("content-length", "0")
    received = int(announced) if announced.isdecimal() else 0
    parts: list[bytes] = []
    while received <= max_body:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise Disconnected
        parts.append(message.get("body", b""))
        received = sum(map(len, parts))
        if not message.get("more_body", False):
            break
    if received > max_body:
        raise RefusedRequest(
            413, "PAYLOAD_TOO_LARGE", f"The body is larger than {max_body:,} bytes."
        )
    return b"".join(parts)


def unpack_gzip(body: bytes, max_unpacked: int) -> bytes:
    """Return what *body* holds, packed by gzip in one or several members.

    Raises RefusedRequest if it is damaged or larger than *max_unpacked* bytes.
    """
    parts, size = [], 0
    try:
        while body:
            member = zlib.decompressobj(_GZIP)
            parts.append(member.decompress(body, max_unpacked - size + 1))
            size += len(parts[-1])
            if size > max_unpacked:
                limit = f"{max_unpacked:,} bytes"
                raise RefusedRequest(
                    413, "PAYLOAD_TOO_LARGE", f"The unpacked body exceeds {limit}."
                )
            if not member.eof:
                raise RefusedRequest(400, "INVALID_GZIP", "The end of the packed body is missing.")
            body = member.unused_data.lstrip(b"\0")
    except zlib.error:
        raise RefusedRequest(400, "INVALID_GZIP", "The body is not packed by gzip.") from None
    return b"".join(parts)
